"""What a pydantic error means, in one short phrase and one path: for messages and for settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import ErrorDetails

__all__ = ["dotted", "json_path", "phrase", "real_location"]

_NAME: Final = re.compile(r"[A-Za-z_][\w-]*")
_NAME_SHOWN: Final = 60

_PHRASES: Final = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "json_invalid": "one JSON object",
    "less_than": "a number less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "one of {expected}",
    "missing": "a value",
    "model_attributes_type": "an object",
    "model_type": "an object",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "a string that is not empty",
    "string_type": "a string",
    "string_unicode": "a string in UTF-8",
    "too_long": "at most {max_length} entries",
    "too_short": "something that is not empty",
    "tuple_type": "a list",
}


def phrase(error: ErrorDetails) -> str:
    """What was expected, as a noun phrase."""
    context: Mapping[str, Any] = error.get("ctx", {})
    if error["type"] in _PHRASES:
        return _PHRASES[error["type"]].format_map(context)
    message = error["msg"]
    for lead in ("Value error, ", "Input should be ", "expected "):
        message = message.removeprefix(lead)
    return message


def real_location(location: Sequence[int | str], tree: object) -> list[int | str]:
    """``location`` without the names that pydantic adds for the branches of a union."""
    real: list[int | str] = []
    node = tree
    for number, part in enumerate(location):
        last = number == len(location) - 1
        if isinstance(node, Mapping) and (part in node or (last and isinstance(part, str))):
            node = node.get(part)
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            continue
        real.append(part)
    return real


def json_path(location: Sequence[int | str]) -> str:
    """``["features", "a b", 3]`` as ``$.features["a b"][3]``; a long name is cut."""
    path = "$"
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _NAME.fullmatch(part) and len(part) <= _NAME_SHOWN:
            path += f".{part}"
        else:
            name = part if len(part) <= _NAME_SHOWN else part[: _NAME_SHOWN - 1] + "…"
            path += f'["{name}"]'
    return path


def dotted(location: Sequence[int | str]) -> str:
    """``["policy", "rules", 0, "signal"]`` as ``policy.rules[0].signal``."""
    return json_path(location)[1:].removeprefix(".") or "configuration"
