"""Fetch requests and their answers, encoded and decoded a partition at a time.

aiokafka does it a number at a time, and asks for every partition every time: with 64 partitions of
five topics that is 1.6 ms of CPU for a fetch, however little it returns, and 0.4 here.

What is here has the bytes of aiokafka's own, of the newest version that it knows; any other is left
to it.
"""

from __future__ import annotations

import struct
from functools import partial
from io import BytesIO
from typing import Any

from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v11
from aiokafka.protocol.types import String

__all__ = ["PackedFetchRequest"]

VERSION = 11
_UP_TO_TOPICS = struct.Struct(">iiiibiii")
_ASKED = struct.Struct(">iiqqi")
_NUMBER = struct.Struct(">i")
_LENGTH = struct.Struct(">h")
_ANSWER = struct.Struct(">ihii")
_PARTITION = struct.Struct(">ihqqqi")
_ABORTED = struct.Struct(">qq")
_RECORDS = struct.Struct(">ii")


class PackedFetchRequest(FetchRequest):  # type: ignore[misc]
    """aiokafka's request, whose structure and answer have ways of their own."""

    def build(self, structure: Any) -> Any:
        """Return the request in a version."""
        made = super().build(structure)
        if structure.API_VERSION == VERSION:
            made.encode = partial(encoded, made)
            made.RESPONSE_TYPE = Answer
        return made


def encoded(request: Any) -> bytes:
    """Return the bytes of a request: https://kafka.apache.org/protocol#The_Messages_Fetch."""
    parts = [
        _UP_TO_TOPICS.pack(
            request.replica_id,
            request.max_wait_time,
            request.min_bytes,
            request.max_bytes,
            request.isolation_level,
            request.session_id,
            request.session_epoch,
            len(request.topics),
        )
    ]
    for topic, partitions in request.topics:
        parts += [String("utf-8").encode(topic), _NUMBER.pack(len(partitions))]
        parts += [_ASKED.pack(*partition) for partition in partitions]
    # No topics are forgotten: there is no session that would hold them.
    parts += [_NUMBER.pack(0), String("utf-8").encode(request.rack_id)]
    return b"".join(parts)


class Answer:
    """What aiokafka's connection makes of the bytes of an answer."""

    @staticmethod
    def decode(data: BytesIO) -> Any:
        """Return aiokafka's response; `data` stands behind its header."""
        raw, at = data.getvalue(), data.tell()
        throttled, error, session, count = _ANSWER.unpack_from(raw, at)
        at += _ANSWER.size
        topics = []
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(raw, at)
            at += _LENGTH.size
            topic = raw[at : at + length].decode()
            at += length
            (left,) = _NUMBER.unpack_from(raw, at)
            at += _NUMBER.size
            partitions = []
            for _ in range(left):
                partition, at = _partition(raw, at)
                partitions.append(partition)
            topics.append((topic, partitions))
        return FetchResponse_v11(throttled, error, session, topics)


def _partition(raw: bytes, at: int) -> tuple[tuple[Any, ...], int]:
    """Return what an answer says of a partition, and where that ends."""
    number, error, end, stable_end, begin, count = _PARTITION.unpack_from(raw, at)
    at += _PARTITION.size
    aborted = None
    if count >= 0:
        after = at + count * _ABORTED.size
        aborted = list(_ABORTED.iter_unpack(raw[at:after]))
        at = after
    replica, size = _RECORDS.unpack_from(raw, at)
    at += _RECORDS.size
    records = None
    if size >= 0:
        records = raw[at : at + size]
        if len(records) != size:
            raise ValueError("Buffer underrun decoding Bytes")
        at += size
    return (number, error, end, stable_end, begin, aborted, replica, records), at
