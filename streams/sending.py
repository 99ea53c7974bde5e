"""What aiokafka's producer sends of a checkpoint, with few copies.

Its own batches take in records one by one, and each field of its own requests is encoded into new
bytes, and each group of fields, and all of them: half a megabyte is copied seven times.

It leans on private names of aiokafka, which is pinned; ``tests/unit/test_sending.py`` holds both to
the bytes that aiokafka itself would send.
"""

from __future__ import annotations

import struct
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer import sender as aiokafka_sender
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Int16, Int32, String

from streams.changes import Batch
from streams.checksum import crc32c

__all__ = ["ReadyBatch", "join_once"]

# Of https://kafka.apache.org/documentation/#recordbatch, without and under the checksum.
_HEADER = struct.Struct(">qiibI")
_COVERED = struct.Struct(">hiqqqhii")
_CHECKED_AT = _HEADER.size
_LENGTH_ENDS_AT = 12
_NO_LEADER_EPOCH = -1
_FORMAT = 2
_TRANSACTIONAL = 0x10

_FIRST_WITH_TRANSACTIONS = 3
"""Version of the request; those after it, as far as aiokafka knows them, have the same fields."""


class ReadyBatch:
    """A batch whose records are written, in the place of an ``aiokafka`` ``BatchBuilder``.

    Parameters
    ----------
    batch
        The records; the header in front of them is written here.
    timestamp
        Of all of them, in milliseconds since the epoch.
    transactional
        Whether it is part of a transaction.
    """

    def __init__(self, batch: Batch, timestamp: int, *, transactional: bool) -> None:
        self._batch = batch
        self._timestamp = timestamp
        self._attributes = _TRANSACTIONAL if transactional else 0
        self._state = (-1, -1, 0)

    def record_count(self) -> int:
        """Return how many records there are."""
        return self._batch.records

    def closed(self) -> bool:
        """Return True: nothing can be added."""
        return True

    def close(self) -> None:
        """Leave it as it is."""

    def _set_producer_state(self, producer_id: int, epoch: int, base_sequence: int) -> None:
        self._state = producer_id, epoch, base_sequence

    def _build(self) -> memoryview:
        """Return header and records."""
        records, end, time = self._batch.records, self._batch.end, self._timestamp
        view = memoryview(self._batch.data)[:end]
        _COVERED.pack_into(
            view, _CHECKED_AT, self._attributes, records - 1, time, time, *self._state, records
        )
        checksum = crc32c(view[_CHECKED_AT:])
        _HEADER.pack_into(view, 0, 0, end - _LENGTH_ENDS_AT, _NO_LEADER_EPOCH, _FORMAT, checksum)
        return view


def join_once(producer: AIOKafkaProducer) -> None:
    """Have a producer put the bytes of a request with records together once."""
    method = FunctionType(
        aiokafka_sender.Sender._send_produce_req.__code__,
        vars(aiokafka_sender) | {"SendProduceReqHandler": _Handler},
    )
    producer._sender._send_produce_req = MethodType(method, producer._sender)


class _Request(ProduceRequest):  # type: ignore[misc]
    """aiokafka's request, whose structure has a way of its own to become bytes."""

    def build(self, structure: Any) -> Any:
        """Return the request in a version."""
        made = super().build(structure)
        if structure.API_VERSION >= _FIRST_WITH_TRANSACTIONS:
            made.encode = partial(_encoded, made)
        return made


class _Handler(aiokafka_sender.SendProduceReqHandler):  # type: ignore[misc]
    """aiokafka's handler, with that request."""

    create_request = FunctionType(
        aiokafka_sender.SendProduceReqHandler.create_request.__code__,
        vars(aiokafka_sender) | {"ProduceRequest": _Request},
    )


def _encoded(request: Any) -> bytes:
    """Return the bytes of a request: https://kafka.apache.org/protocol#The_Messages_Produce."""
    parts: list[bytes | memoryview] = [
        String("utf-8").encode(request.transactional_id),
        Int16.encode(request.required_acks),
        Int32.encode(request.timeout),
        Int32.encode(len(request.topics)),
    ]
    for topic, partitions in request.topics:
        parts += [String("utf-8").encode(topic), Int32.encode(len(partitions))]
        for partition, records in partitions:
            parts += [Int32.encode(partition), Int32.encode(len(records)), records]
    return b"".join(parts)
