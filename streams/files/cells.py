"""What the text of a cell means."""

from __future__ import annotations

import json
import math
import re

from schemas.timestamps import format_timestamp, parse_timestamp

TIMESTAMP_NAMES = ("ts", "timestamp", "time")

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)


def number_or_text(cell: object) -> float | str | None:
    """A finite number, None for nothing, or the text as it stands."""
    if cell is None or isinstance(cell, bool):
        return None if cell is None else str(cell).lower()
    if isinstance(cell, int | float):
        return _finite(str(cell))
    text = as_text(cell)
    return text if text is None else _finite(text)


def _finite(text: str) -> float | str:
    if not NUMBER.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    # An integer is written back as one while a double holds it exactly.
    if abs(number) < 2**53 and text.lstrip("+-").isdecimal():
        return int(number)
    return number


def as_text(cell: object) -> str | None:
    """The text of a cell without the spaces around it, None for nothing."""
    if cell is None:
        return None
    text = cell.strip() if isinstance(cell, str) else json.dumps(cell)
    return text or None


def utc(cell: str) -> str:
    """RFC 3339 in UTC; what can't be read stays as it is, for the decoder to refuse."""
    try:
        return format_timestamp(parse_timestamp(cell, assume_utc=True))
    except ValueError:
        return cell
