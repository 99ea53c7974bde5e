"""Writing TOML: the standard library reads it only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["dumps"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def dumps(tree: Mapping[str, Any]) -> str:
    """Write a tree of tables, lists, text, numbers and booleans; None is left out.

    Examples
    --------
    >>> print(dumps({"detectors": {"warmup": 50, "params": {"adwin": {"delta": 1e-05}}}}), end="")
    [detectors]
    warmup = 50
    <BLANKLINE>
    [detectors.params.adwin]
    delta = 1e-05
    """
    return "\n".join(_tables(tree, ())).lstrip("\n")


def _tables(tree: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    leaves = {k: v for k, v in tree.items() if not isinstance(v, Mapping) and v is not None}
    if leaves:
        head = f"[{'.'.join(map(_key, above))}]\n" if above else ""
        yield head + "".join(f"{_key(k)} = {_value(v)}\n" for k, v in leaves.items())
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _tables(value, (*above, key))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which JSON lets through.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        pairs = (f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)
