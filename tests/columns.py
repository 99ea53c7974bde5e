"""Messages scanned into columns, for the tests of what is read there."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schemas.codec import decode_reading
from schemas.columns import Readings, read

Ints = npt.NDArray[np.int64]

# Between messages lies what would go on with a number, a string or an object.
BETWEEN = b'0000000000"}'


def bits(number: float) -> bytes:
    return struct.pack("<d", number)


def laid_out(messages: Sequence[bytes]) -> tuple[bytes, Ints, Ints]:
    """The messages in one piece, where each begins, and how long it is."""
    lengths = np.array([len(message) for message in messages], np.int64)
    begins = np.cumsum(lengths + len(BETWEEN)) - lengths
    return BETWEEN + b"".join(message + BETWEEN for message in messages), begins, lengths


def scanned(messages: Sequence[bytes]) -> list[tuple[bytes, int, float] | None]:
    """Sensor id, time and value of the plain ones, None for the others."""
    data, begins, lengths = laid_out(messages)
    columns = Readings()
    read(np.frombuffer(data, np.uint8), begins, lengths, columns, len(messages))
    return [
        (data[at : at + length], ts, value) if plain else None
        for plain, at, length, ts, value in zip(
            columns.plain.tolist(),
            columns.id_at.tolist(),
            columns.id_length.tolist(),
            columns.ts.tolist(),
            columns.value.tolist(),
            strict=True,
        )
    ][: len(messages)]


def is_plain(*messages: bytes) -> list[bool]:
    """Which are plain; those have to be what the decoder reads."""
    found = scanned(messages)
    for message, row in zip(messages, found, strict=True):
        if row is not None:
            reading = decode_reading(message)
            assert reading.features is None, message
            assert reading.value is not None, message
            assert row[0] == reading.sensor_id.encode(), message
            assert row[1] == reading.ts, message
            assert bits(row[2]) == bits(reading.value), message
    return [row is not None for row in found]


def with_value(number: str) -> bytes:
    return b'{"sensor_id":"a","ts":0,"value":%s}' % number.encode()


def with_ts(ts: str) -> bytes:
    return b'{"sensor_id":"a","ts":%s,"value":0}' % ts.encode()


def value_of(number: str) -> float:
    (row,) = scanned([with_value(number)])
    assert row is not None, number
    return row[2]


def ts_of(ts: str) -> int:
    (row,) = scanned([with_ts(ts)])
    assert row is not None, ts
    return row[1]
