"""A dead letter keeps the record as it came and says why it is there."""

from __future__ import annotations

import pytest

from schemas.dead_letter import DeadLetter
from schemas.errors import InvalidMessage


def letter(**fields: object) -> DeadLetter:
    """A dead letter with some fields replaced."""
    good: dict[str, object] = {
        "key": b"press-7",
        "value": b"\xff{",
        "timestamp_ms": 1_767_614_400_250,
        "headers": (("trace", b"abc"), ("empty", None)),
        "topic": "driftline.sensors",
        "partition": 2,
        "offset": 5734,
        "stage": "decode",
        "exception_class": "schemas.errors.InvalidMessage",
        "message": "$.value: expected a finite number",
    }
    return DeadLetter(**(good | fields))  # type: ignore[arg-type]


def read_back(written: DeadLetter) -> DeadLetter:
    """What comes back from the record that it is written as."""
    headers = written.to_headers()
    return DeadLetter.from_headers(written.key, written.value, written.timestamp_ms, headers)


def test_the_reason_stands_in_headers_named_as_kafka_connect_names_them() -> None:
    assert letter().to_headers() == [
        ("trace", b"abc"),
        ("empty", None),
        ("__connect.errors.topic", b"driftline.sensors"),
        ("__connect.errors.partition", b"2"),
        ("__connect.errors.offset", b"5734"),
        ("__connect.errors.stage", b"decode"),
        ("__connect.errors.exception.class.name", b"schemas.errors.InvalidMessage"),
        ("__connect.errors.exception.message", b"$.value: expected a finite number"),
    ]


def test_a_dead_letter_is_read_back_as_it_was() -> None:
    assert read_back(letter()) == letter()


def test_null_stays_null_and_empty_stays_empty() -> None:
    assert read_back(letter(key=None, value=None)) == letter(key=None, value=None)
    assert read_back(letter(key=b"", value=b"")) == letter(key=b"", value=b"")


def test_a_header_given_twice_is_kept_twice_in_order() -> None:
    twice = (("a", b"1"), ("b", b"2"), ("a", b"3"))
    assert read_back(letter(headers=twice)).headers == twice


def test_a_record_that_was_a_dead_letter_before_keeps_its_own_headers() -> None:
    before = tuple(letter(topic="elsewhere", message="another reason").to_headers())
    again = read_back(letter(headers=before))
    assert again.headers == before
    assert (again.topic, again.message) == ("driftline.sensors", letter().message)


def test_a_reason_that_is_not_plain_text_can_still_be_written() -> None:
    assert letter(message="\ud800").to_headers()[-1][1] == b"\\ud800"


def test_a_record_that_is_no_dead_letter_of_ours_is_refused() -> None:
    with pytest.raises(InvalidMessage, match=r"^headers: expected __connect\.errors\.topic"):
        DeadLetter.from_headers(None, b"x", 0, [("trace", b"abc")])


@pytest.mark.parametrize("offset", [b"x", b"-1", b"", None, "٣".encode(), b"9" * 20])
def test_an_offset_that_is_no_decimal_text_is_refused(offset: bytes | None) -> None:
    headers = [
        (name, offset if name == "__connect.errors.offset" else content)
        for name, content in letter().to_headers()
    ]
    with pytest.raises(InvalidMessage, match=r"decimal text in __connect\.errors\.offset"):
        DeadLetter.from_headers(None, None, 0, headers)
