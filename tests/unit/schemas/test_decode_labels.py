"""What a record on the labels topic may be."""

from __future__ import annotations

import pytest

from schemas.codec import Label, decode, decode_label
from schemas.errors import InvalidMessage
from schemas.events import LabelEvent


def with_label(literal: str) -> bytes:
    """A label event whose label is this JSON text."""
    return b'{"sensor_id":"oven-2","event_id":"b-1001","ts":0,"label":%s}' % literal.encode()


def refusal(raw: bytes | None) -> str:
    """What is said about a message that is refused."""
    with pytest.raises(InvalidMessage) as caught:
        decode_label(raw)
    return str(caught.value)


def test_the_label_event_of_the_contract() -> None:
    raw = b'{"sensor_id":"oven-2","event_id":"b-1001","ts":"2026-01-05T12:00:00Z","label":1}'
    assert decode_label(raw) == Label("oven-2", "b-1001", 1_767_614_400_000_000, 1)


@pytest.mark.parametrize(
    ("literal", "label"),
    [
        ("1", 1),
        ("1.0", 1.0),
        ("-0.0", -0.0),
        ("true", True),
        ("false", False),
        ('"1"', "1"),
        ('""', ""),
        ('"ausschu\\u00df"', "ausschuß"),
        ("9007199254740993", 9007199254740993),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551616", 2.0**64),
        ("-9223372036854775809", -(2.0**63)),
        ("123456789012345678901234567890", 1.2345678901234568e29),
        ("1e308", 1e308),
        ("0." + "1" * 400, 1 / 9),
    ],
)
def test_a_label_is_kept_as_it_was_written(literal: str, label: bool | int | float | str) -> None:
    read = decode_label(with_label(literal)).label
    assert (type(read), repr(read)) == (type(label), repr(label))
    model = decode(with_label(literal), LabelEvent).label
    assert (type(model), repr(model)) == (type(label), repr(label))


@pytest.mark.parametrize("literal", ["null", "[]", "{}", "1e999", "9" * 400])
def test_a_label_of_another_type_or_not_finite_is_refused(literal: str) -> None:
    expected = "$.label: expected a finite number, a string or true or false"
    assert refusal(with_label(literal)) == expected


def test_a_label_that_is_not_json_is_refused() -> None:
    assert refusal(with_label("NaN")) == "$.label: expected a finite number"


def test_a_label_with_a_lone_surrogate_is_refused() -> None:
    assert refusal(with_label('"\\ud800"')) == "$.label: expected text without lone surrogates"


@pytest.mark.parametrize("missing", ["sensor_id", "event_id", "ts", "label"])
def test_every_field_of_a_label_is_needed(missing: str) -> None:
    fields = {"sensor_id": '"a"', "event_id": '"e"', "ts": "0", "label": "1"}
    del fields[missing]
    raw = "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"
    assert refusal(raw.encode()).startswith(f"$.{missing}: expected ")


@pytest.mark.parametrize("raw", [None, b"", b"[]", b"{}{}"])
def test_anything_but_one_json_object_is_refused(raw: bytes | None) -> None:
    assert refusal(raw) == "$: expected one JSON object"


def test_a_doubled_label_is_refused() -> None:
    raw = b'{"sensor_id":"a","event_id":"e","ts":0,"label":1,"label":1}'
    assert refusal(raw) == "$.label: expected this key once"
