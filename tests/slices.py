"""Records as a worker gets them: columns over the bytes of a fetch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streams.records import Record
from streams.slices import Slice


def varint(number: int) -> bytes:
    """Write a signed number as Kafka does."""
    folded = (number << 1) ^ (number >> 63)
    out = bytearray()
    while folded >= 0x80:
        out.append(folded & 0x7F | 0x80)
        folded >>= 7
    out.append(folded)
    return bytes(out)


def slice_of(records: Sequence[Record]) -> Slice:
    """The same records as columns."""
    data = bytearray(1)
    columns: list[list[int]] = [[] for _ in range(7)]
    for record in records:
        row = [record.offset, record.timestamp]
        for content in (record.key, record.value):
            row += [len(data), -1 if content is None else len(content)]
            data += content or b""
        row.append(len(data))
        data += varint(len(record.headers))
        for name, content in record.headers:
            data += varint(len(name.encode())) + name.encode()
            data += varint(-1 if content is None else len(content)) + (content or b"")
        for column, number in zip(columns, row, strict=True):
            column.append(number)
    return Slice(
        np.frombuffer(bytes(data), np.uint8), *(np.array(column, np.int64) for column in columns)
    )
