"""The log of a process: one line per event of interest, on stderr, with no secret in it.

`configure` is called once, by the command line. After it, our modules log with
``structlog.get_logger()``; what libraries log through the standard library (Faust, mode, aiokafka)
takes the same way out, from WARNING up.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog
from pydantic import SecretBytes, SecretStr

if TYPE_CHECKING:
    from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

    from schemas.settings import Log

MASK: Final = "**********"
_SECRET_KEY: Final = re.compile(
    r"passw(or)?d|passphrase|secret|signing_?key(?!_file)|token|api_?key|credential", re.IGNORECASE
)
_SELDOM_SECONDS: Final = 60.0
_SELDOM_TEXTS: Final = 1000
# What structlog itself keeps in an event.
_NOT_DATA: Final = frozenset({"exc_info", "stack_info", "_record", "_from_structlog"})
# Control characters, also those beyond ASCII: text from a record must not move a terminal's cursor
# or begin a line of its own.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def configure(settings: Log, stream: TextIO | None = None) -> None:
    """Set up logging for this process; a second call replaces the first.

    Parameters
    ----------
    settings
        ``level`` (debug, info, warning, error) and ``format``: ``console`` is for people, ``json``
        is one JSON object a line, ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
    stream
        Where lines go; standard error unless given. Colours are used only if it is a terminal (and
        ``NO_COLOR`` is not set).

    Notes
    -----
    An exception is one field, ``exception=Type: message``; its traceback is written at level
    ``debug`` only.
    """
    out = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    debug = level <= logging.DEBUG
    terminal = out.isatty()
    console = settings.format == "console" or (settings.format == "auto" and terminal)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_console(terminal, debug) if console else _json(debug)),
            ],
        )
    )
    if not debug:
        handler.addFilter(_ours_or_a_warning)
        handler.addFilter(_Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace secrets by asterisks, at any depth: by type (`SecretStr`) and by the name of the key.

    A key counts as secret if its name speaks of a password, a secret, a signing key, a token, an
    API key or a credential; whether one is set at all stays visible (null and booleans are kept).
    """
    for key, value in event.items():
        if key not in _NOT_DATA:
            event[key] = _masked(key, value)
    return event


def _masked(key: str, value: object) -> Any:
    if isinstance(value, SecretStr | SecretBytes):
        return MASK
    if isinstance(value, Mapping):
        return {name: _masked(str(name), inner) for name, inner in value.items()}
    if value is not None and not isinstance(value, bool) and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, list | tuple):
        return [_masked(key, inner) for inner in value]
    return value


def _ours_or_a_warning(record: logging.LogRecord) -> bool:
    """Let through what structlog made; what libraries say only from WARNING up."""
    return record.levelno >= logging.WARNING or hasattr(record, "_logger")


class _Seldom:
    """Let a library say the same thing once a minute, and then how often it was left out.

    Clients repeat themselves many times a second while a broker is away.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "_logger"):
            return True
        what = (record.name, str(record.msg))
        last, left_out = self._seen.get(what, (-_SELDOM_SECONDS, 0))
        if record.created - last < _SELDOM_SECONDS:
            self._seen[what] = (last, left_out + 1)
            return False
        if len(self._seen) >= _SELDOM_TEXTS:
            self._seen.clear()
        self._seen[what] = (record.created, 0)
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it in between)"
        return True


def _console(terminal: bool, debug: bool) -> list[Processor]:
    return [
        _escape_control_characters,
        structlog.dev.ConsoleRenderer(
            colors=terminal and not os.environ.get("NO_COLOR"),
            pad_event_to=0,
            sort_keys=False,
            # structlog's own default prints local variables, and with them secrets.
            exception_formatter=structlog.dev.plain_traceback if debug else _exception_in_line,
        ),
    ]


def _json(debug: bool) -> list[Processor]:
    return [
        structlog.processors.format_exc_info if debug else _exception_as_field,
        _in_order,
        structlog.processors.JSONRenderer(serializer=json.dumps, default=str),
    ]


def one_line(error: BaseException) -> str:
    """Name an exception in one line: its type and message, whitespace collapsed."""
    message = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def _exception_in_line(out: TextIO, exc_info: ExcInfo) -> None:
    out.write(f" exception={_CONTROL.sub(_escaped, one_line(exc_info[1]))}")


def _exception_as_field(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    exc_info = event.pop("exc_info", None)
    error = exc_info if isinstance(exc_info, BaseException) else None
    if exc_info is True:
        error = sys.exc_info()[1]
    elif isinstance(exc_info, tuple):
        error = exc_info[1]
    if error is not None:
        event["exception"] = one_line(error)
    return event


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what every line has first, so that lines can be read below one another."""
    first = ("timestamp", "level", "event")
    return {key: event[key] for key in (*first, *(k for k in event if k not in first))}


def _escape_control_characters(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _CONTROL.sub(_escaped, value)
    return event


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")
