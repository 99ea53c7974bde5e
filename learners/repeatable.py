"""River's models made repeatable: same events, same state, restored in between or not.

Two things in them depend on more than what they were taught:

- Hoeffding trees measure themselves by ``sys.getsizeof`` every so many samples, and switch leaves
  off when they have grown too large. That size depends on which equal strings are one object and
  on how much room a dict keeps in reserve: it is another one after the same tree was stored and
  restored, so a restarted worker would go on to predict otherwise than one that never failed. The
  size here is made of what is stored, and is a number of the same order.
- Every distribution, of which a tree holds one per leaf, feature and class, comes with a random
  generator of its own, seeded by the operating system: 2.5 kB that a model never draws from, but
  that was most of a sensor's row. Distributions without a seed share one here.
"""

from __future__ import annotations

import random
import sys
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

from river.proba.base import Distribution
from river.tree import hoeffding_tree

__all__ = ["UNSEEDED", "install", "size"]

_OBJECT: Final = 56
_DICT: Final = 200
_ENTRY: Final = 28
_ITEM: Final = 8
_CODE: Final = (type, FunctionType, MethodType, ModuleType)


class _Unseeded(random.Random):
    """Stored as its name."""

    def __reduce__(self) -> str:
        return "UNSEEDED"


UNSEEDED: Final = _Unseeded(0)
"""What distributions without a seed draw from."""


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
    """Make it so for all models of this process."""
    hoeffding_tree.calculate_object_size = size
    Distribution.__init__ = _distribution


def _distribution(self: Any, seed: int | None = None) -> None:
    self.seed = seed
    self._rng = UNSEEDED if seed is None else random.Random(seed)  # noqa: S311 - no secret
