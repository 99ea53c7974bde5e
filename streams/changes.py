"""What a checkpoint writes to the state topic, as the records of batches that want only a header.

A row that is written from a bank makes no Python object: compiled code writes its record straight
into the batch that will be sent. What is written from objects comes before or after it, in the
same batches, so that a checkpoint is no more requests than it has to be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.slices import Slice, parse

BATCH_BYTES = 900 * 1024
"""Below Kafka's default limit of 1 MiB, with room for what makes a batch of the records."""
HEADER_BYTES = 61
"""What stands before the records of a batch: to be filled in by whoever sends it."""
_FRAMING = 64
"""Bytes that a record takes at most beside its key and its value."""


@dataclass(slots=True)
class Batch:
    """Records of one batch, behind room for its header.

    Attributes
    ----------
    data
        Bytes, some of them not written yet.
    end
        Where the last record ends.
    records
        How many there are.
    """

    data: Any
    end: int
    records: int


class Changes:
    """Rows that are stored, or deleted, with the next checkpoint, in their order.

    Iterating yields keys and values, the latter None where a row is deleted.

    Attributes
    ----------
    batches
        All of them, each a `Batch`; none is empty.
    timestamp
        Of all records, in milliseconds since the epoch.
    value_bytes
        That their values take.
    """

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.timestamp = int(time.time() * 1000)
        self.value_bytes = 0

    def __len__(self) -> int:
        """Return how many rows there are."""
        return sum(batch.records for batch in self.batches)

    def append(self, key: bytes, value: bytes | None) -> None:
        """Write one row."""
        size = len(key) + len(value or b"") + _FRAMING
        batch = self.room(size)
        # Its header is left out: what is wanted is the record, with its place among the others.
        alone = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, HEADER_BYTES + size)
        alone.append(batch.records, self.timestamp, key, value, [])
        record = np.frombuffer(alone.build(), np.uint8)[HEADER_BYTES:]
        end = batch.end + len(record)
        batch.data[batch.end : end] = record
        self.wrote(batch, end, 1, len(value or b""))

    def wrote(self, batch: Batch, end: int, records: int, value_bytes: int) -> None:
        """Take note of what was written to a batch behind its last record.

        Parameters
        ----------
        batch
            From `room`.
        end
            Where its last record ends now.
        records, value_bytes
            How many were written, and what their values take.
        """
        batch.end = end
        batch.records += records
        self.value_bytes += value_bytes

    def room(self, size: int) -> Batch:
        """Return a batch with room for so many bytes more: the last one, or a new one."""
        if not self.batches or self.batches[-1].end + size > len(self.batches[-1].data):
            made = np.empty(max(BATCH_BYTES, HEADER_BYTES + size), np.uint8)
            self.batches.append(Batch(made, HEADER_BYTES, 0))
        return self.batches[-1]

    def __iter__(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield keys and values."""
        for batch in self.batches:
            data = batch.data[: batch.end]
            # As what comes from a broker is: other arrays would have the loop compiled once more.
            data.flags.writeable = False
            columns = np.empty((7, batch.records), np.int64)
            whole = (HEADER_BYTES, batch.end, batch.records, 0, 0, self.timestamp, 1)
            parse(data, np.array([whole], np.int64), columns)
            for record in Slice(data, *columns):
                assert record.key is not None
                yield record.key, record.value
