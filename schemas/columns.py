"""Sensor events of the plain shape straight from bytes into columns, compiled.

Plain is one JSON object with ``sensor_id``, ``ts``, a number as ``value`` and perhaps
``event_id``, each once, in any order; its strings are printable ASCII without escapes. On what is
plain, the columns hold exactly what `schemas.codec.decode_reading` gives; everything else, good or
bad, is left to it. What is rare and hard to get right (second 60, more than 19 digits, subnormal
numbers) is therefore simply not plain.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.compiled import compiled, inlined
from schemas.decimal import MARKS, as_word, first_mark, marked, number, word
from schemas.events import MAX_ID_LENGTH
from schemas.rfc3339 import time
from schemas.timestamps import MAX_US, MIN_US

__all__ = ["Readings", "read", "scan"]

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_QUOTE: Final = 34
_COMMA: Final = 44
_COLON: Final = 58
_OPEN: Final = 123
_CLOSE: Final = 125
_SPACES: Final = (9, 10, 13, 32)
_SHORTEST: Final = len('{"sensor_id":"a","ts":0,"value":0}')

_TS: Final = as_word(b'ts"')
_TS_MASK: Final = as_word(b"\xff" * 3)
_VALUE: Final = as_word(b'value"')
_VALUE_MASK: Final = as_word(b"\xff" * 6)
_SENSOR_ID: Final = (as_word(b"sensor_i"), as_word(b'd"'))
_SENSOR_ID_MASK: Final = as_word(b"\xff" * 2)
_EVENT_ID: Final = (as_word(b"event_id"), as_word(b'"'))
_EVENT_ID_MASK: Final = as_word(b"\xff")

_IS_SENSOR_ID: Final = 1
_IS_TS: Final = 2
_IS_VALUE: Final = 4
_IS_EVENT_ID: Final = 8
_REQUIRED: Final = _IS_SENSOR_ID | _IS_TS | _IS_VALUE

_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_LOWEST_BITS: Final = as_word(b"\x01" * 8)
_EIGHT_SPACES: Final = as_word(b" " * 8)
_EIGHT_QUOTES: Final = as_word(b'"' * 8)
_EIGHT_BACKSLASHES: Final = as_word(b"\\" * 8)
# Odd, and found to spread bits well: the factors of splitmix64 (Steele, Lea and Flood, 2014).
_FACTOR: Final = np.uint64(0xBF58_476D_1CE4_E5B9)
_LAST_FACTOR: Final = np.uint64(0x94D0_49BB_1331_11EB)

_LEAST_SECONDS: Final = float(MIN_US // 1_000_000)
_END_OF_SECONDS: Final = float(MAX_US // 1_000_000 + 1)


class Readings:
    """Columns of sensor events.

    Parameters
    ----------
    room
        How many events there is room for at first.

    Attributes
    ----------
    plain
        uint8: 1 where the other columns hold, 0 where the message has to be decoded otherwise.
    id_at, id_length
        int64: where in the data the bytes of the sensor id are.
    id_hash
        uint64: a hash of these bytes, never 0; the same in every process.
    ts
        int64: microseconds since 1970-01-01T00:00:00Z.
    value
        float64, finite.
    """

    __slots__ = ("id_at", "id_hash", "id_length", "plain", "ts", "value")

    def __init__(self, room: int = 2048) -> None:
        self._make(room)

    def make_room(self, n: int) -> None:
        """Take new arrays, if need be, for ``n`` events; what was in the old ones is lost."""
        room = len(self.plain)
        if n > room:
            self._make(max(n, 2 * room))

    def _make(self, room: int) -> None:
        self.plain = np.zeros(room, np.uint8)
        self.id_at = np.zeros(room, np.int64)
        self.id_length = np.zeros(room, np.int64)
        self.id_hash = np.zeros(room, np.uint64)
        self.ts = np.zeros(room, np.int64)
        self.value = np.zeros(room, np.float64)


def read(data: Bytes, value_at: Ints, value_length: Ints, into: Readings, n: int) -> None:
    """Read messages into columns, which make room for them.

    Parameters
    ----------
    data
        Bytes in which the messages lie.
    value_at, value_length
        Where each one begins, and how long it is; -1 for null.
    into
        Its first ``n`` rows are written.
    n
        How many messages there are, counted from the first.
    """
    into.make_room(n)
    scan(
        data,
        value_at[:n],
        value_length[:n],
        into.plain,
        into.id_at,
        into.id_length,
        into.id_hash,
        into.ts,
        into.value,
    )


@compiled
def scan(
    data: Bytes,
    value_at: Ints,
    value_length: Ints,
    plain: Bytes,
    id_at: Ints,
    id_length: Ints,
    id_hash: Hashes,
    ts: Ints,
    value: Floats,
) -> None:
    """Read messages into columns.

    Parameters
    ----------
    data
        Bytes in which the messages lie; only theirs are looked at.
    value_at, value_length
        Shape (n,): where each one begins, and how long it is; -1 for null.
    plain, id_at, id_length, id_hash, ts, value
        Shape (n,) or longer, as in `Readings`: written. Where ``plain`` is 0, the others hold
        nothing of meaning.
    """
    for row in range(len(value_at)):
        at = value_at[row]
        end = at + value_length[row]
        plain[row] = end - at >= _SHORTEST and _read_message(
            data, at, end, row, id_at, id_length, id_hash, ts, value
        )


@inlined
def _read_message(
    data: Bytes,
    at: int,
    end: int,
    row: int,
    id_at: Ints,
    id_length: Ints,
    id_hash: Hashes,
    ts: Ints,
    value: Floats,
) -> bool:
    """Read one message into its row; False for anything but the plain shape."""
    at = _skip_spaces(data, at, end)
    if at >= end or data[at] != _OPEN:
        return False
    seen = 0
    while True:
        at = _skip_spaces(data, at + 1, end)
        if at >= end or data[at] != _QUOTE:
            return False
        key, at = _key(data, at + 1, end)
        if key == 0 or seen & key != 0:
            return False
        seen |= key
        at = _skip_spaces(data, at, end)
        if at >= end or data[at] != _COLON:
            return False
        at = _skip_spaces(data, at + 1, end)
        if at >= end:
            return False
        if data[at] != _QUOTE:
            found, at = number(data, at, end)
            if key == _IS_VALUE:
                value[row] = found
            elif key == _IS_TS and _LEAST_SECONDS <= found < _END_OF_SECONDS:
                # For integers too: within the range, 10**6 times one of them is 2**6 times
                # something below 2**53, and so the product is exact. None exceeds MAX_US.
                ts[row] = round(found * 1e6)
            else:
                return False
        elif key == _IS_TS:
            ts[row], at = time(data, at + 1, end)
            if at < 0 or at >= end or data[at] != _QUOTE:
                return False
            at += 1
        elif key == _IS_VALUE:
            return False
        else:
            begin = at + 1
            hashed, at = _id(data, begin, end)
            if key == _IS_SENSOR_ID:
                id_at[row] = begin
                id_length[row] = at - begin - 1
                id_hash[row] = hashed
        if at < 0:
            return False
        at = _skip_spaces(data, at, end)
        if at >= end:
            return False
        if data[at] != _COMMA:
            break
    return (
        data[at] == _CLOSE
        and _skip_spaces(data, at + 1, end) == end
        and seen & _REQUIRED == _REQUIRED
    )


@inlined
def _skip_spaces(data: Bytes, at: int, end: int) -> int:
    while at < end and data[at] in _SPACES:
        at += 1
    return at


@inlined
def _key(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Which key begins at ``at``, 0 for none that is known, and what comes behind its quote."""
    found = word(data, at, end)
    if found & _VALUE_MASK == _VALUE:
        return _IS_VALUE, at + 6
    if found & _TS_MASK == _TS:
        return _IS_TS, at + 3
    if found == _SENSOR_ID[0] and word(data, at + 8, end) & _SENSOR_ID_MASK == _SENSOR_ID[1]:
        return _IS_SENSOR_ID, at + 10
    if found == _EVENT_ID[0] and word(data, at + 8, end) & _EVENT_ID_MASK == _EVENT_ID[1]:
        return _IS_EVENT_ID, at + 9
    return 0, at


@compiled
def _id(data: Bytes, at: int, end: int) -> tuple[np.uint64, int]:
    """The hash of a plain id that begins at ``at``, and what comes behind its quote; or -1."""
    begin = at
    hashed = _0
    while True:
        found = word(data, at, end)
        # What each of these marks first is right; a borrow or carry can only come behind.
        quotes = found ^ _EIGHT_QUOTES
        backslashes = found ^ _EIGHT_BACKSLASHES
        special = (quotes - _LOWEST_BITS) & ~quotes
        special |= (backslashes - _LOWEST_BITS) & ~backslashes
        special |= (found - _EIGHT_SPACES) & ~found
        count = first_mark((special & MARKS) | marked(found, _LOWEST_BITS))
        if count < 8:
            found &= (_1 << (count << 3)) - _1
        hashed = (hashed ^ found) * _FACTOR
        hashed ^= hashed >> 32
        at += count
        if count < 8:
            break
    if not 1 <= at - begin <= MAX_ID_LENGTH or at >= end or data[at] != _QUOTE:
        return _0, -1
    hashed *= _LAST_FACTOR
    hashed ^= hashed >> 32
    return max(hashed, _1), at + 1
