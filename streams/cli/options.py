"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import ConfigurationError
from schemas.timestamps import parse_timestamp

if TYPE_CHECKING:
    from schemas.settings import Settings

Config = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--config",
        metavar="FILE",
        help="TOML file with the configuration [default: driftline.toml here, if there is one].",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set one configuration key, as in --set topics.prefix=plant-2. May be repeated.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON lines to stdout, nothing else.")]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SECOND = 1_000_000


def an_id(argument: str) -> Callable[[str], str]:
    """Return what checks that `argument` is an id that messages may carry."""

    def check(text: str) -> str:
        from schemas.events import MAX_ID_LENGTH

        # An argument that is not UTF-8 reaches Python as lone surrogates.
        encodable = not any("\ud800" <= char <= "\udfff" for char in text)
        if not (0 < len(text) <= MAX_ID_LENGTH and encodable):
            raise ConfigurationError(argument, text, f"1 to {MAX_ID_LENGTH} characters in UTF-8")
        return text

    return check


SensorId = Annotated[
    str, typer.Argument(metavar="SENSOR", help="A sensor id.", callback=an_id("SENSOR"))
]


def load(config: Path | None, assignments: list[str] | None, **more: Any) -> Settings:
    """The settings of this command: default < file < environment < command line.

    Parameters
    ----------
    config
        The file given with ``-c``.
    assignments
        The texts given with ``--set``.
    **more
        Further overrides that the command itself makes, dots written as ``__``.

    Raises
    ------
    ConfigurationError
        Anything about them is wrong.
    """
    from schemas.settings import load_settings

    own = {key.replace("__", "."): value for key, value in more.items()}
    return load_settings(config, {**own, **overrides(assignments)})


def overrides(assignments: list[str] | None) -> dict[str, Any]:
    """What is given with ``--set``, by dotted key.

    Raises
    ------
    ConfigurationError
        A text is no assignment.
    """
    found: dict[str, Any] = {}
    for text in assignments or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigurationError("--set", text, "KEY=VALUE, such as topics.prefix=plant-2")
        found[key.strip()] = value
    return found


def duration(option: str, text: str) -> int:
    """Microseconds of ``90s``, ``15m``, ``2h``, ``1d`` or ``1w``, which may be put together.

    Raises
    ------
    ConfigurationError
        It is written in another way.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ConfigurationError(option, text, "a duration such as 90s, 15m, 2h, 1d or 1h30m")
    return int(sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts) * _SECOND)


def moment(option: str, text: str) -> int:
    """Microseconds since the epoch of a time, or of a duration before now.

    Raises
    ------
    ConfigurationError
        It is neither.
    """
    if _DURATION.match(text) and text[-1:] in _UNIT_SECONDS:
        return now() - duration(option, text)
    try:
        return parse_timestamp(text, assume_utc=True)
    except ValueError:
        raise ConfigurationError(
            option, text, "a time such as 2026-01-05T12:00:00Z, or how long ago: 2h"
        ) from None


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000
