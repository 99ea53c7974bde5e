"""Every error is one printable line that names the field, the value and what is allowed."""

from __future__ import annotations

import pickle

import pytest

from schemas.errors import (
    BrokerGone,
    ConfigurationError,
    DriftlineError,
    Fenced,
    InvalidMessage,
    OutOfDomain,
    SnapshotError,
    TopicError,
    UnknownKey,
    nearest,
)


def test_a_configuration_error_names_field_value_and_what_is_allowed() -> None:
    told = str(ConfigurationError("kafka.bootstrap_servers", "x", "host:port[,host:port]"))
    assert told == "kafka.bootstrap_servers: 'x' is not allowed: expected host:port[,host:port]"


def test_an_unknown_key_names_the_nearest_right_one_and_hides_its_value() -> None:
    error = UnknownKey("kafka.sasl_pasword", ["kafka.sasl_username", "kafka.sasl_password"])
    expected = "kafka.sasl_pasword is not a known key: did you mean kafka.sasl_password?"
    assert str(error) == expected
    assert isinstance(error, ConfigurationError)


def test_an_unknown_key_far_from_all_others_lists_them() -> None:
    assert str(UnknownKey("zzz", ["group", "http"])).endswith("known are group, http")


def test_an_invalid_message_names_path_and_expectation() -> None:
    assert str(InvalidMessage("$.value", "a finite number")) == "$.value: expected a finite number"


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\ud800", "x" * 100_000, "\u202e"])
def test_whatever_is_shown_stays_on_one_short_printable_line(text: str) -> None:
    for error in (
        ConfigurationError(text, text, "a name"),
        UnknownKey(text, ["group"]),
        InvalidMessage(text, "a name"),
    ):
        told = str(error)
        assert told.isprintable()
        assert len(told) < 300


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("http.port", 99999, "a port"),
        UnknownKey("grup", ["group", "http"]),
        InvalidMessage("$.ts", "a time"),
        SnapshotError("corrupt"),
    ],
)
def test_errors_cross_process_boundaries(error: DriftlineError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


def test_every_error_is_a_driftline_error() -> None:
    for kind in (
        ConfigurationError,
        UnknownKey,
        InvalidMessage,
        OutOfDomain,
        SnapshotError,
        Fenced,
        BrokerGone,
        TopicError,
    ):
        assert issubclass(kind, DriftlineError)
    assert issubclass(InvalidMessage, ValueError)
    assert issubclass(OutOfDomain, ValueError)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("page_hinkley", "page-hinkley"),
        ("PAGE-HINKLEY", "page-hinkley"),
        ("adwinn", "adwin"),
        ("zebra", None),
    ],
)
def test_the_nearest_name(name: str, meant: str | None) -> None:
    assert nearest(name, ["adwin", "ddm", "page-hinkley"]) == meant
