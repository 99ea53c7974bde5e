"""The log: one line an event, no secret, and colours only on a terminal."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr

from schemas.settings import Log, load_settings
from streams.logs import configure, one_line

SECRET = "hunter2"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def logging_to(stream: io.StringIO, **settings: str) -> structlog.stdlib.BoundLogger:
    configure(Log.model_validate(settings), stream)
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger


def test_off_a_terminal_each_event_is_one_json_object_a_line() -> None:
    out = io.StringIO()
    log = logging_to(out)
    log.info("partition restored", partition=3, seconds=0.2)
    log.warning("broker away")
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert list(first) == ["timestamp", "level", "event", "partition", "seconds"]
    assert (first["event"], first["partition"]) == ("partition restored", 3)
    assert (second["level"], second["event"]) == ("warning", "broker away")


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    logging_to(out).info("drift")
    assert "\x1b[" in out.getvalue()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    logging_to(out).info("drift", sensor="press-7")
    assert "\x1b" not in out.getvalue()
    assert "sensor=press-7" in out.getvalue()


def test_the_console_format_without_a_terminal_has_no_colours() -> None:
    out = io.StringIO()
    logging_to(out, format="console").info("drift", sensor="press-7")
    assert "\x1b" not in out.getvalue()
    assert "sensor=press-7" in out.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
def test_text_from_a_record_neither_begins_a_line_nor_moves_the_cursor(format: str) -> None:
    out = io.StringIO()
    logging_to(out, format=format).info("drift", sensor="a\nb\x1b[2Jc\u202ed")
    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()
    assert "\u202e" not in out.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_secrets_are_masked_by_type_and_by_name_at_any_depth(format: str, level: str) -> None:
    out = io.StringIO()
    log = logging_to(out, format=format, level=level)
    log.info("by type", value=SecretStr(SECRET), deep=[{"x": (SecretStr(SECRET),)}])
    log.info("by name", sasl_password=SECRET, state={"signing_key": SECRET.encode()})
    log.info("settings", given={"kafka": {"sasl.password": SECRET, "ssl.key.password": SECRET}})
    assert SECRET not in out.getvalue()
    assert out.getvalue().count("\n") == 3


def test_secrets_in_the_settings_do_not_reach_the_log() -> None:
    settings = load_settings(None, {"state.signing_key": SECRET * 8})
    out = io.StringIO()
    log = logging_to(out)
    log.info("settings", settings=settings, state=settings.state, dumped=settings.model_dump())
    assert SECRET not in out.getvalue()


def test_the_place_of_a_key_file_is_not_a_secret() -> None:
    out = io.StringIO()
    logging_to(out).info("state", signing_key_file="/etc/driftline.key", signing_key=None)
    written = json.loads(out.getvalue())
    assert written["signing_key_file"] == "/etc/driftline.key"
    assert written["signing_key"] is None


def fail(log: structlog.stdlib.BoundLogger) -> None:
    secret = SECRET
    try:
        raise ValueError("first\nsecond", len(secret))
    except ValueError:
        log.exception("checkpoint failed")


@pytest.mark.parametrize("format", ["console", "json"])
def test_an_exception_is_one_field_in_the_same_line(format: str) -> None:
    out = io.StringIO()
    fail(logging_to(out, format=format))
    assert "ValueError: " in out.getvalue()
    assert "Traceback" not in out.getvalue()
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("format", ["console", "json"])
def test_a_traceback_is_written_at_level_debug_without_local_variables(format: str) -> None:
    out = io.StringIO()
    fail(logging_to(out, format=format, level="debug"))
    assert "Traceback" in out.getvalue()
    assert SECRET not in out.getvalue()


def test_the_exception_of_a_library_is_one_field_too() -> None:
    out = io.StringIO()
    logging_to(out)
    try:
        raise TimeoutError("no answer")
    except TimeoutError:
        logging.getLogger("aiokafka").exception("fetch failed")
    written = json.loads(out.getvalue())
    assert written["exception"] == "TimeoutError: no answer"
    assert written["logger"] == "aiokafka"


def test_libraries_are_heard_from_warning_up() -> None:
    out = io.StringIO()
    logging_to(out)
    logging.getLogger("faust").info("chatty")
    logging.getLogger("faust").warning("lost %s", "partition")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["lost partition"]


def a_record(text: str, seconds: float, *values: object) -> logging.LogRecord:
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, text, values, None)
    record.created = seconds
    return record


def test_a_library_that_repeats_itself_is_heard_once_a_minute() -> None:
    out = io.StringIO()
    logging_to(out)
    (handler,) = logging.getLogger().handlers
    for second in range(100):
        handler.handle(a_record("no connection to node %s", second, second))
    handler.handle(a_record("another thing", 99.0))
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == [
        "no connection to node 0",
        "no connection to node 60 (59 more like it in between)",
        "another thing",
    ]


def test_our_own_events_are_never_left_out() -> None:
    out = io.StringIO()
    log = logging_to(out)
    for _ in range(3):
        log.warning("broker away")
    assert out.getvalue().count("\n") == 3


def test_at_level_debug_libraries_are_heard_in_full() -> None:
    out = io.StringIO()
    logging_to(out, level="debug")
    logging.getLogger("faust").debug("chatty")
    assert "chatty" in out.getvalue()


def test_our_own_events_below_the_level_are_not_written() -> None:
    out = io.StringIO()
    log = logging_to(out, level="warning")
    log.info("drift")
    log.warning("broker away")
    assert "drift" not in out.getvalue()
    assert "broker away" in out.getvalue()


def test_warnings_of_python_become_a_line_of_the_log() -> None:
    out = io.StringIO()
    logging_to(out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old format", UserWarning, stacklevel=1)
    assert out.getvalue().count("\n") == 1
    assert "old format" in json.loads(out.getvalue())["event"]


def test_configuring_twice_does_not_write_twice() -> None:
    out = io.StringIO()
    logging_to(io.StringIO())
    logging_to(out).info("drift")
    assert out.getvalue().count("\n") == 1


def test_one_line_collapses_whitespace_and_copes_with_an_empty_message() -> None:
    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
    assert one_line(TimeoutError()) == "TimeoutError"
