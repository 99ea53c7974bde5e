"""Records of one partition as columns, and the compiled loop that fills them from bytes.

The format of a record is that of https://kafka.apache.org/documentation/#record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from schemas.compiled import compiled, inlined
from streams.records import Record


class BatchRecord(NamedTuple):
    """One record of a `Slice`.

    Parameters
    ----------
    offset
        Offset in its partition.
    timestamp
        Milliseconds since the epoch, -1 where the record has none.
    key, value
        Bytes, None where there are none.
    headers
        Names and values in order; a value may be None.
    """

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Sequence[Record]):
    """Records of one partition in their order, as columns of equal length.

    An item is made a `BatchRecord` when it is asked for, and its headers are parsed only then.
    Slicing shares all arrays.

    Parameters
    ----------
    data
        Bytes that the positions point into; read-only.
    offsets
        Offset of each record; increasing, with gaps.
    timestamps
        Milliseconds since the epoch: the time of the record, or of its batch where the topic has
        log-append time; -1 for none.
    key_at, key_length, value_at, value_length
        Where key and value begin, and how many bytes each has; -1 for null.
    headers_at
        Where the number of headers stands, with the headers behind it; a zero byte for none.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    timestamps: NDArray[np.int64]
    key_at: NDArray[np.int64]
    key_length: NDArray[np.int64]
    value_at: NDArray[np.int64]
    value_length: NDArray[np.int64]
    headers_at: NDArray[np.int64]

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return int(self.offsets[0])

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return int(self.offsets[-1])

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.offsets)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> Slice: ...

    def __getitem__(self, index: int | slice) -> Record | Slice:
        """Return the record at an index, or those of a range as a slice of their own."""
        if isinstance(index, slice):
            return Slice(self.data, *(column[index] for column in self._columns()))
        row = (int(column[index]) for column in self._columns())
        return _record(self.data, self.data.data, *row)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records."""
        data = self.data
        view = data.data
        for row in zip(*(column.tolist() for column in self._columns()), strict=True):
            yield _record(data, view, *row)

    def _columns(self) -> tuple[NDArray[np.int64], ...]:
        return (
            self.offsets,
            self.timestamps,
            self.key_at,
            self.key_length,
            self.value_at,
            self.value_length,
            self.headers_at,
        )


def _record(
    data: NDArray[np.uint8],
    view: memoryview,
    offset: int,
    timestamp: int,
    key_at: int,
    key_length: int,
    value_at: int,
    value_length: int,
    headers_at: int,
) -> BatchRecord:
    return BatchRecord(
        offset,
        timestamp,
        None if key_length < 0 else view[key_at : key_at + key_length].tobytes(),
        None if value_length < 0 else view[value_at : value_at + value_length].tobytes(),
        _headers(data, headers_at) if view[headers_at] else (),
    )


def _headers(data: NDArray[np.uint8], at: int) -> tuple[tuple[str, bytes | None], ...]:
    """Parse headers that are known to be well formed.

    A name that is not UTF-8 is read as Java reads it: a record can't be refused for it.
    """
    end = len(data)
    count, at = _varint(data, at, end)
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name_at, name_length, at = _field(data, at, end)
        value_at, value_length, at = _field(data, at, end)
        name = data[name_at : name_at + name_length].tobytes().decode("utf-8", "replace")
        value = data[value_at : value_at + value_length].tobytes() if value_length >= 0 else None
        headers.append((name, value))
    return tuple(headers)


@inlined
def _varint(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int]:
    """Return the signed number at `at`, and where it ends: -1 if not before `end`."""
    if at < 0 or at >= end:
        return 0, -1
    byte = np.int64(data[at])
    if byte < 0x80:
        return int((byte >> 1) ^ -(byte & 1)), at + 1
    folded = np.uint64(byte & 0x7F)
    shift = np.uint64(7)
    at += 1
    while at < end and shift <= np.uint64(63):
        byte = np.int64(data[at])
        at += 1
        folded |= np.uint64(byte & 0x7F) << shift
        if byte < 0x80:
            negative = np.int64(folded & np.uint64(1))
            return int(np.int64(folded >> np.uint64(1)) ^ -negative), at
        shift += np.uint64(7)
    return 0, -1


@inlined
def _field(data: NDArray[np.uint8], at: int, end: int) -> tuple[int, int, int]:
    """Return where nullable bytes begin, how many there are (-1: null) and what is behind them.

    The last is -1 if they do not end before `end`.
    """
    length, at = _varint(data, at, end)
    after = at
    if at < 0 or length > end - at:
        after = -1
    elif length < 0:
        length = -1
    else:
        after = at + length
    return at, length, after


@compiled
def parse(data: NDArray[np.uint8], batches: NDArray[np.int64], columns: NDArray[np.int64]) -> int:
    """Fill the columns of a `Slice` with the records of all batches.

    Parameters
    ----------
    data
        Records of the batches, decompressed.
    batches
        A row per batch: begin and end in `data`, number of records, base offset, lowest offset to
        take, timestamp, and what the records' timestamp deltas count for (1, or 0 where the time
        is that of the batch).
    columns
        A row per column, with room for all records.

    Returns
    -------
    int
        How many records were taken; below zero, ``-1 - index`` of a batch that is malformed.
    """
    row = 0
    for index in range(len(batches)):
        at, end, count, base, lowest, time, counted = batches[index]
        for _ in range(count):
            length, begin = _varint(data, at, end)
            _, at = _varint(data, begin, end)
            delta, at = _varint(data, at, end)
            offset, at = _varint(data, at, end)
            key_at, key_length, at = _field(data, at, end)
            value_at, value_length, at = _field(data, at, end)
            headers_at = at
            left, at = _varint(data, at, end)
            if left < 0:
                return -1 - index
            while left > 0 and at >= 0:
                _, name_length, at = _field(data, at, end)
                if name_length < 0:
                    return -1 - index
                _, _, at = _field(data, at, end)
                left -= 1
            if at < 0 or at - begin != length:
                return -1 - index
            offset += base
            if offset >= lowest:
                lowest = offset + 1
                columns[0, row] = offset
                columns[1, row] = time + delta * counted
                columns[2, row] = key_at
                columns[3, row] = key_length
                columns[4, row] = value_at
                columns[5, row] = value_length
                columns[6, row] = headers_at
                row += 1
        if at != end:
            return -1 - index
    return row
