"""How large a Hoeffding tree is, told from its content alone.

River's trees measure themselves by ``sys.getsizeof`` every so many samples, and switch leaves off
when they have grown too large. That size depends on which equal strings are one object and on how
much room a dict keeps in reserve: it is another one after the same tree was stored and restored,
so a restarted worker would go on to predict otherwise than one that never failed. The size here is
made of what is stored, and is a number of the same order.
"""

from __future__ import annotations

import sys
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

from river.tree import hoeffding_tree

__all__ = ["install", "size"]

_OBJECT: Final = 56
_DICT: Final = 200
_ENTRY: Final = 28
_ITEM: Final = 8
_CODE: Final = (type, FunctionType, MethodType, ModuleType)


def size(state: Any, unit: str = "byte") -> float:
    """Bytes that an object and all it refers to take, about.

    Parameters
    ----------
    state
        Anything that can be pickled.
    unit
        As of River's function: ``byte``, ``KiB`` or ``MiB``.

    Examples
    --------
    >>> text = "temperature"
    >>> size([text, text]) == size([text, "".join(list(text))])
    True
    """
    total = 0
    # an object that is referred to twice is stored once; of an equal string nobody can tell
    seen: dict[int, Any] = {}
    waiting = [state]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str | bytes):
            total += _OBJECT + len(item)
            continue
        if item is None or isinstance(item, bool | int | float):
            total += 28
            continue
        if isinstance(item, _CODE) or id(item) in seen:
            continue
        seen[id(item)] = item
        if isinstance(item, dict):
            total += _DICT + _ENTRY * len(item)
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            total += _OBJECT + _ITEM * len(item)
            waiting += item
        elif hasattr(item, "__dict__"):
            total += _OBJECT
            waiting.append(vars(item))
        else:
            total += sys.getsizeof(item)
    return total / {"byte": 1, "KiB": 1024, "MiB": 1024**2}[unit]


def install() -> None:
    """Let all of River's Hoeffding trees measure themselves so."""
    hoeffding_tree.calculate_object_size = size
