"""Kafka's record batches as columns: no Python object per record.

What a broker answers to a fetch is a run of record batches. aiokafka makes an object of each
record in them, which costs more than all that is done with it later. Here a batch's records are
parsed by a compiled loop into columns that say where in the bytes keys and values lie; what a
reader may see of a batch, and where it goes on, is decided as in aiokafka's ``PartitionRecords``.

The format is that of https://kafka.apache.org/documentation/#recordbatch.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from aiokafka import codec
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatch

from streams.checksum import crc32c
from streams.slices import Slice, parse

__all__ = ["Slice", "read_batches", "warm_up"]

READ_COMMITTED = 1
"""Isolation level as it stands in a fetch request."""

_PREFIX = struct.Struct(">qi")
"""Offset and length: what every batch of any format begins with."""
_HEADER = struct.Struct(">qiibIhiqqqhii")
_MAGIC_AT = 16
_CHECKED_AT = 21
"""Where the bytes begin that the checksum covers."""
_SMALLEST_LENGTH = 14
"""Bytes behind the prefix that a batch of the oldest format has at least."""
_SMALLEST_RECORD = 7
"""Bytes of a record of which every field is zero or null."""
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_DECODERS = {
    1: ("gzip", codec.has_gzip, codec.gzip_decode),
    2: ("snappy", codec.has_snappy, codec.snappy_decode),
    3: ("lz4", codec.has_lz4, codec.lz4_decode),
    4: ("zstd", codec.has_zstd, codec.zstd_decode),
}


class _Header(NamedTuple):
    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    checksum: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int


class _Aborted:
    """Which producers' transactions are open, at the batch just read, that end in an abort."""

    def __init__(self, transactions: Sequence[tuple[int, int]]) -> None:
        self._coming = sorted(transactions, key=lambda transaction: -transaction[1])
        self._producers: set[int] = set()

    def covers(self, header: _Header, batch: memoryview) -> bool:
        """Tell whether a batch, the next in order, belongs to an aborted transaction."""
        while self._coming and self._coming[-1][1] <= header.base_offset:
            self._producers.add(self._coming.pop()[0])
        if header.attributes & _CONTROL and _ends_in_abort(batch):
            self._producers.discard(header.producer_id)
        return bool(header.attributes & _TRANSACTIONAL) and header.producer_id in self._producers


def read_batches(
    raw: bytes | memoryview,
    fetch_offset: int,
    aborted_transactions: Sequence[tuple[int, int]] | None,
    isolation_level: int,
    check_crcs: bool,
    tp: object,
) -> tuple[Slice | None, int]:
    """Read what a fetch returned for one partition.

    Aborted transactions (where only committed ones are read), transaction markers and records
    below `fetch_offset` are left out; a batch that is not complete at the end is not read. Batches
    of the formats before Kafka 0.11 are parsed by aiokafka.

    Parameters
    ----------
    raw
        Record batches, one behind the other.
    fetch_offset
        Offset that was asked for; the first batch may begin before it.
    aborted_transactions
        Producer id and first offset of each, as the broker names them.
    isolation_level
        1 for read_committed, as in the request.
    check_crcs
        Whether checksums are verified.
    tp
        Topic and partition, for messages.

    Returns
    -------
    Slice or None
        The records, None if there are none.
    int
        Offset behind all that was read: where to fetch next.

    Raises
    ------
    CorruptRecordException
        If a batch is malformed, can't be decompressed or has the wrong checksum.
    UnsupportedCodecError
        If a batch is compressed in a way that is unknown or whose library is missing.
    """
    committed_only = isolation_level == READ_COMMITTED
    aborted = _Aborted(aborted_transactions or ()) if committed_only else None
    try:
        return _read(memoryview(raw), fetch_offset, aborted, check_crcs)
    except KafkaError as error:
        error.add_note(f"in what was fetched of {tp}")
        raise
    except Exception as error:
        # Codecs and aiokafka's parsers of what is rare raise errors of many kinds.
        raise CorruptRecordException(f"Unreadable batch of {tp}: {error!r}") from error


def warm_up() -> None:
    """Compile what is compiled, or load it from the cache, before the first slice is waited for."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1024)
    builder.append(0, 0, b"key", b"value", [("name", b"value")])
    records, _ = read_batches(bytes(builder.build()), 0, None, READ_COMMITTED, True, "warm-up")
    assert records is not None
    assert records[0].headers == (("name", b"value"),)


def _read(
    raw: memoryview, next_offset: int, aborted: _Aborted | None, check_crcs: bool
) -> tuple[Slice | None, int]:
    payloads: list[bytes | memoryview] = []
    tables: list[tuple[int, ...]] = []
    places: list[tuple[int, int]] = []
    in_place = True
    for begin, end in _split(raw):
        batch = raw[begin:end]
        if batch[_MAGIC_AT] < 2:
            batch, in_place = _converted(batch, check_crcs), False
        header = _Header._make(_HEADER.unpack_from(batch))
        if check_crcs and crc32c(batch[_CHECKED_AT:]) != header.checksum:
            raise CorruptRecordException("Invalid CRC")
        lowest = next_offset
        next_offset = header.base_offset + header.last_offset_delta + 1
        if aborted is not None and aborted.covers(header, batch):
            continue
        if header.attributes & _CONTROL:
            continue
        payload = _decompressed(header.attributes & _CODEC, batch[_HEADER.size :])
        if header.records * _SMALLEST_RECORD > len(payload):
            raise CorruptRecordException("More records than there are bytes for")
        payloads.append(payload)
        places.append((begin + _HEADER.size, end))
        in_place = in_place and not header.attributes & _CODEC
        appended = header.attributes & _LOG_APPEND_TIME
        time = header.max_timestamp if appended else header.first_timestamp
        tables.append((max(header.records, 0), header.base_offset, lowest, time, not appended))
    if in_place:
        return _parsed(raw, places, tables), next_offset
    bounds = list(pairwise(accumulate(map(len, payloads), initial=0)))
    return _parsed(b"".join(payloads), bounds, tables), next_offset


def _split(raw: memoryview) -> Iterator[tuple[int, int]]:
    """Iterate over the complete batches: where each begins and ends."""
    at = 0
    while len(raw) - at >= _PREFIX.size:
        _, length = _PREFIX.unpack_from(raw, at)
        end = at + _PREFIX.size + length
        if end > len(raw):
            return
        if length < _SMALLEST_LENGTH:
            raise CorruptRecordException(f"A batch of {length} bytes")
        yield at, end
        at = end


def _converted(old: memoryview, check_crcs: bool) -> memoryview:
    """Return a batch of the old formats as one of today's, as brokers convert them."""
    batch = LegacyRecordBatch(old, old[_MAGIC_AT])
    if check_crcs and not batch.validate_crc():
        raise CorruptRecordException("Invalid CRC of a batch in an old format")
    records = list(batch)
    base = records[0].offset
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    for record in records:
        timestamp = -1 if record.timestamp is None else record.timestamp
        builder.append(record.offset - base, timestamp, record.key, record.value, [])
    made = builder.build()
    struct.pack_into(">q", made, 0, base)
    return memoryview(made)


def _ends_in_abort(batch: memoryview) -> bool:
    """Tell whether a control batch is the marker of an abort, not of a commit."""
    return bool(ControlRecord.parse(next(DefaultRecordBatch(batch)).key) == ABORT_MARKER)


def _decompressed(kind: int, payload: memoryview) -> bytes | memoryview:
    if kind == 0:
        return payload
    if kind not in _DECODERS:
        raise UnsupportedCodecError(f"Unknown compression codec {kind:#04x}")
    name, available, decode = _DECODERS[kind]
    if not available():
        raise UnsupportedCodecError(f"Libraries for {name} compression codec not found")
    decoded: bytes = decode(payload.tobytes())
    return decoded


def _parsed(
    data: bytes | memoryview, places: Sequence[tuple[int, int]], tables: Sequence[tuple[int, ...]]
) -> Slice | None:
    """Parse records that lie in `data`, those of each batch between two places."""
    if not tables:
        return None
    batches = [(*place, *table) for place, table in zip(places, tables, strict=True)]
    columns = np.empty((7, sum(count for count, *_ in tables)), np.int64)
    held = np.frombuffer(data, np.uint8)
    n = parse(held, np.array(batches, np.int64), columns)
    if n < 0:
        raise CorruptRecordException(f"Invalid record in the batch at {tables[-1 - n][1]}")
    return Slice(held, *columns[:, :n]) if n else None
