"""A record that could not be scored, kept as it came, with the reason in its headers.

The reason travels under the names of Kafka Connect's dead letter queue, as decimal text where it is
a number. The six headers stand behind the record's own, so a record that already carried such
headers (a dead letter of somebody else) gets its own back when it is replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.errors import InvalidMessage

__all__ = ["HEADERS", "DeadLetter", "Headers"]

Headers = Sequence[tuple[str, bytes | None]]

_PREFIX: Final = "__connect.errors."
_TOPIC: Final = _PREFIX + "topic"
_PARTITION: Final = _PREFIX + "partition"
_OFFSET: Final = _PREFIX + "offset"
_STAGE: Final = _PREFIX + "stage"
_CLASS: Final = _PREFIX + "exception.class.name"
_MESSAGE: Final = _PREFIX + "exception.message"
HEADERS: Final = (_TOPIC, _PARTITION, _OFFSET, _STAGE, _CLASS, _MESSAGE)
"""What Driftline adds, in this order."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of the dead-letters topic.

    Attributes
    ----------
    key, value
        As they came: the same bytes, None where there was none.
    timestamp_ms
        The original record's Kafka timestamp, milliseconds since the Unix epoch.
    headers
        The original record's headers.
    topic, partition, offset
        Where the original record lies.
    stage
        What failed: ``decode``, or ``processing`` for a fault of our own.
    exception_class
        Dotted name of the exception.
    message
        What was wrong: ``$.value: expected a finite number``.
    """

    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers
    topic: str
    partition: int
    offset: int
    stage: str
    exception_class: str
    message: str

    def to_headers(self) -> list[tuple[str, bytes | None]]:
        """The original headers, then the six that say where it came from and what was wrong."""
        reason = (
            self.topic,
            str(self.partition),
            str(self.offset),
            self.stage,
            self.exception_class,
            self.message,
        )
        ours = [
            (name, text.encode("utf-8", "backslashreplace"))
            for name, text in zip(HEADERS, reason, strict=True)
        ]
        return [*self.headers, *ours]

    @classmethod
    def from_headers(
        cls,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers,
    ) -> DeadLetter:
        """Read a record of the dead-letters topic back; `headers` are the original's again.

        Raises
        ------
        InvalidMessage
            For a record whose headers do not say where it came from.
        """
        found: dict[str, bytes] = {}
        original: list[tuple[str, bytes | None]] = []
        for name, content in reversed(headers):
            if name in HEADERS and name not in found:
                found[name] = content or b""
            else:
                original.append((name, content))
        for name in HEADERS:
            if name not in found:
                raise InvalidMessage("headers", f"{name} among the headers of a dead letter")
        text = {name: content.decode("utf-8", "replace") for name, content in found.items()}
        return cls(
            key=key,
            value=value,
            timestamp_ms=timestamp_ms,
            headers=tuple(reversed(original)),
            topic=text[_TOPIC],
            partition=_number(_PARTITION, text),
            offset=_number(_OFFSET, text),
            stage=text[_STAGE],
            exception_class=text[_CLASS],
            message=text[_MESSAGE],
        )


def _number(name: str, text: dict[str, str]) -> int:
    digits = text[name]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 19):
        raise InvalidMessage("headers", f"decimal text in {name}")
    return int(digits)
