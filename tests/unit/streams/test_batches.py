"""Record batches become columns that hold what aiokafka's own records would have held."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pytest
from aiokafka import codec
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c, encode_varint
from aiokafka.structs import TopicPartition
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams import batches
from streams.batches import Slice, read_batches
from streams.slices import BatchRecord

HERE = TopicPartition("driftline.sensors", 0)
TIME = 1_767_614_400_000
UNCOMMITTED, COMMITTED = 0, 1
PLAIN, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0, 0x08, 0x10, 0x20
ABORT, COMMIT = (struct.pack(">HH", 0, kind) for kind in (0, 1))
PAYLOAD_AT: Final = 61

CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, codec.gzip_encode),
    "snappy": (2, lambda payload: codec.snappy_encode(payload, xerial_compatible=False)),
    "snappy-xerial": (2, codec.snappy_encode),
    "lz4": (3, codec.lz4_encode),
    "zstd": (4, codec.zstd_encode),
}


class Written(NamedTuple):
    """A record as a producer hands it over; its offset counts from that of the batch."""

    offset: int
    timestamp: int = TIME
    key: bytes | None = b"press-7"
    value: bytes | None = b'{"value":21.4}'
    headers: tuple[tuple[str, bytes | None], ...] = ()


def batch(
    base: int,
    *records: Written,
    kind: int = PLAIN,
    producer: int = -1,
    compression: str = "none",
    last: int | None = None,
    max_timestamp: int = TIME + 5_000,
) -> bytes:
    """Write a batch; `last` is the offset that it ends at where compaction took records away."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, producer, 0, 0, 1 << 24)
    for record in records:
        builder.append(
            record.offset, record.timestamp, record.key, record.value, list(record.headers)
        )
    made = bytes(builder.build())
    number, encode = CODECS[compression]
    whole = bytearray(made[:PAYLOAD_AT] + encode(made[PAYLOAD_AT:]))
    if last is None:
        last = records[-1].offset if records else 0
    struct.pack_into(">q", whole, 0, base)
    struct.pack_into(">h", whole, 21, kind | number)
    struct.pack_into(">i", whole, 23, last)
    struct.pack_into(">q", whole, 35, max_timestamp)
    return sealed(whole)


def sealed(whole: bytearray) -> bytes:
    """Set length and checksum of a batch to what its bytes are."""
    struct.pack_into(">i", whole, 8, len(whole) - 12)
    struct.pack_into(">I", whole, 17, calc_crc32c(whole[21:]))
    return bytes(whole)


def marker(base: int, producer: int, end: bytes) -> bytes:
    record = Written(0, key=end, value=bytes(6))
    return batch(base, record, kind=TRANSACTIONAL | CONTROL, producer=producer)


def old_batch(magic: int, *records: Written, compression: int = 0) -> bytes:
    builder = LegacyRecordBatchBuilder(magic, compression, 1 << 24)
    for record in records:
        builder.append(record.offset, record.timestamp, record.key, record.value)
    raw = builder.build()
    if compression:
        # The broker gives the batch the offset of its last record.
        struct.pack_into(">q", raw, 0, records[-1].offset)
    return bytes(raw)


def columns(
    raw: bytes,
    fetch_offset: int = 0,
    aborted: Sequence[tuple[int, int]] | None = (),
    isolation: int = COMMITTED,
    check_crcs: bool = True,
) -> tuple[list[Any], int]:
    """What is read of the batches, as records, and where to go on."""
    records, behind = read_batches(raw, fetch_offset, aborted, isolation, check_crcs, HERE)
    return list(records or ()), behind


def aiokafka(
    raw: bytes,
    fetch_offset: int = 0,
    aborted: Sequence[tuple[int, int]] | None = (),
    isolation: int = COMMITTED,
    check_crcs: bool = True,
) -> tuple[list[Any], int]:
    """The same as aiokafka has it; a record without a time has -1 instead of None."""
    taken = PartitionRecords(
        HERE, MemoryRecords(raw), aborted, fetch_offset, None, None, check_crcs, isolation
    )
    records = [
        BatchRecord(
            record.offset,
            -1 if record.timestamp is None else record.timestamp,
            record.key,
            record.value,
            record.headers,
        )
        for record in taken
    ]
    return records, taken.next_fetch_offset


def slice_of(*records: Written) -> Slice:
    taken, _ = read_batches(batch(0, *records), 0, (), COMMITTED, True, HERE)
    assert taken is not None
    return taken


def refused(raw: bytes, **options: Any) -> bool:
    try:
        columns(raw, **options)
    except CorruptRecordException:
        return True
    return False


# What a fetch may hold.

sizes = st.one_of(st.binary(max_size=20), st.binary(min_size=60, max_size=70), st.none())
headers = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), sizes), max_size=3
).map(tuple)
times = st.one_of(st.just(-1), st.integers(0, 10), st.integers(TIME, TIME + 10**9))
kinds = st.sampled_from([PLAIN, LOG_APPEND_TIME, TRANSACTIONAL, TRANSACTIONAL | LOG_APPEND_TIME])
producers = st.integers(1, 3)


@st.composite
def fetches(draw: st.DrawFn) -> tuple[bytes, int]:
    """Batches with gaps between and in them, and the offset behind the last."""
    raw, base = b"", draw(st.integers(0, 2**40))
    for _ in range(draw(st.integers(1, 6))):
        base += draw(st.integers(0, 2))
        if draw(st.integers(0, 3)) == 0:
            raw += marker(base, draw(producers), draw(st.sampled_from([ABORT, COMMIT])))
            base += 1
            continue
        last = draw(st.integers(0, 5))
        kept = draw(st.sets(st.integers(0, last)))
        records = [
            Written(offset, draw(times), draw(sizes), draw(sizes), draw(headers))
            for offset in sorted(kept)
        ]
        # What compaction has emptied is written without a codec.
        compression = draw(st.sampled_from(list(CODECS))) if records else "none"
        options: dict[str, Any] = {"kind": draw(kinds), "producer": draw(producers)}
        raw += batch(base, *records, compression=compression, last=last, **options)
        base += last + 1
    return raw, base


aborts = st.lists(st.tuples(producers, st.integers(0, 20)), max_size=4)


@given(fetches(), aborts, st.sampled_from([UNCOMMITTED, COMMITTED]), st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_fetch_reads_as_aiokafka_reads_it(
    fetch: tuple[bytes, int], aborted: list[tuple[int, int]], isolation: int, data: st.DataObject
) -> None:
    raw, end = fetch
    first = struct.unpack_from(">q", raw)[0]
    aborted = [(producer, first + offset) for producer, offset in aborted]
    asked = data.draw(st.integers(max(0, first - 1), end))
    expected = aiokafka(raw, asked, aborted, isolation)
    assert columns(raw, asked, aborted, isolation) == expected


@given(fetches(), st.data())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_what_is_cut_off_at_the_end_is_left_for_the_next_fetch(
    fetch: tuple[bytes, int], data: st.DataObject
) -> None:
    raw = fetch[0][: data.draw(st.integers(0, len(fetch[0])))]
    assert columns(raw) == aiokafka(raw)


@given(fetches(), st.data())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_a_flipped_bit_is_refused_or_reads_as_aiokafka_reads_it(
    fetch: tuple[bytes, int], data: st.DataObject
) -> None:
    raw = bytearray(fetch[0])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        expected = aiokafka(bytes(raw))
    except CorruptRecordException:
        assert refused(bytes(raw))
    else:
        assert columns(bytes(raw)) == expected


records_of_a_batch = st.lists(
    st.builds(Written, st.just(0), times, sizes, sizes, headers), min_size=1, max_size=4
).map(lambda records: [record._replace(offset=n) for n, record in enumerate(records)])


@given(records_of_a_batch, st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1))
@example([Written(0, headers=(("a", b""),))], [(0.97, 0xFF)])
@settings(max_examples=500, deadline=None, derandomize=True)
def test_records_that_a_valid_checksum_hides_the_damage_of_are_refused_as_by_aiokafka(
    records: list[Written], damage: list[tuple[float, int]]
) -> None:
    whole = bytearray(batch(0, *records))
    for share, byte in damage:
        whole[PAYLOAD_AT + int(share * (len(whole) - PAYLOAD_AT - 1))] = byte
    raw = sealed(whole)
    try:
        expected = aiokafka(raw)
    except UnicodeDecodeError:
        refused(raw)  # or not, but nothing else
    except (CorruptRecordException, MemoryError, OverflowError, SystemError):
        assert refused(raw)
    else:
        assert columns(raw) == expected


@given(st.binary(max_size=60), st.integers(-1, 5))
@example(b"", -1)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_are_refused_or_read_as_aiokafka_reads_them(payload: bytes, count: int) -> None:
    raw = counted(payload, count)
    try:
        expected = aiokafka(raw)
    except (CorruptRecordException, MemoryError, OverflowError, SystemError):
        assert refused(raw)
    else:
        assert columns(raw) == expected


# Records, byte by byte.


def number(n: int) -> bytes:
    written = bytearray()
    encode_varint(n, written.append)
    return bytes(written)


NULL = number(-1)


def record(
    *,
    attributes: bytes = b"\0",
    time: bytes = b"\0",
    offset: bytes = b"\0",
    key: bytes = NULL,
    value: bytes = NULL,
    headers: bytes = b"\0",
    longer: int = 0,
) -> bytes:
    body = attributes + time + offset + key + value + headers
    return number(len(body) + longer) + body


def counted(payload: bytes, count: int) -> bytes:
    """A batch that says of its bytes that they are so many records."""
    whole = bytearray(batch(0)[:PAYLOAD_AT] + payload)
    struct.pack_into(">i", whole, 57, count)
    return sealed(whole)


MALFORMED = {
    "bytes behind the last record": record() + b"\0",
    "the last byte is missing": record(key=number(1) + b"k")[:-1],
    "a length that is too short": record(longer=-1),
    "a length that is too long": record(longer=1),
    "a key that goes beyond the end": record(key=number(100)),
    "a value that goes beyond the end": record(value=number(100)),
    "a value whose end is beyond any number": record(value=number(2**63 - 1)),
    "a negative number of headers": record(headers=number(-1)),
    "more headers than there are": record(headers=number(1)),
    "more headers than there could be": record(headers=number(2**62)),
    "a header name that is null": record(headers=number(1) + NULL + NULL),
    "a header name that goes beyond the end": record(headers=number(1) + number(9)),
    "a header value that goes beyond the end": record(headers=number(1) + b"\0" + number(9)),
    "a header value that its record's length counts, but not the batch": record(
        headers=number(1) + b"\0" + number(9), longer=9
    ),
    "a number of more than 64 bits": record(attributes=b"\x80" * 10 + b"\0"),
    "a number without end": b"\xff" * 9,
}


@pytest.mark.parametrize("payload", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_record_is_refused(payload: bytes) -> None:
    with pytest.raises(CorruptRecordException, match="Invalid record"):
        columns(counted(payload, 1))


def test_a_malformed_record_is_refused_although_the_next_batch_has_bytes_for_it() -> None:
    with pytest.raises(CorruptRecordException, match="Invalid record in the batch at 0"):
        columns(counted(record(value=number(3)), 1) + batch(1, Written(0)))


@pytest.mark.parametrize("n", [0, 63, 64, -64, -65, 2**31, 2**63 - 1, -(2**63)])
def test_numbers_of_any_length_are_read(n: int) -> None:
    raw = counted(record(time=number(n)), 1)
    assert columns(raw) == aiokafka(raw)


def test_an_offset_below_the_one_before_it_is_left_out() -> None:
    raw = batch(0, Written(3), Written(1), Written(4), last=5)
    assert [taken.offset for taken in columns(raw)[0]] == [3, 4]
    assert columns(raw) == aiokafka(raw)


# One by one.


@pytest.mark.parametrize("compression", CODECS)
def test_every_codec_is_read(compression: str) -> None:
    records = [Written(n, value=b"21.4 " * 200, headers=(("h", b"v"),)) for n in range(50)]
    raw = batch(7, *records, compression=compression)
    assert columns(raw, 7) == ([BatchRecord(7 + r.offset, *r[1:]) for r in records], 57)


def test_batches_of_several_codecs_stand_in_one_slice() -> None:
    raw = b"".join(batch(n, Written(0), compression=name) for n, name in enumerate(CODECS))
    taken, behind = read_batches(raw, 0, (), COMMITTED, True, HERE)
    assert taken is not None
    assert (taken.first_offset, taken.last_offset, behind) == (0, 5, 6)
    assert {record.value for record in taken} == {b'{"value":21.4}'}


@pytest.mark.parametrize("damaged", ["gzip", "snappy", "snappy-xerial", "lz4", "zstd"])
def test_what_can_not_be_decompressed_is_corrupt(damaged: str) -> None:
    whole = bytearray(batch(0, Written(0), compression=damaged))
    with pytest.raises(CorruptRecordException, match="sensors"):
        columns(sealed(whole[:-8]))


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(UnsupportedCodecError, match="0x05"):
        columns(batch(0, Written(0), kind=5))


def test_a_codec_without_its_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(batches._DECODERS, 4, ("zstd", lambda: False, codec.zstd_decode))
    with pytest.raises(UnsupportedCodecError, match="zstd"):
        columns(batch(0, Written(0), compression="zstd"))


def test_a_wrong_checksum_is_refused_and_says_where() -> None:
    raw = bytearray(batch(0, Written(0)))
    raw[-1] ^= 1
    with pytest.raises(CorruptRecordException, match="CRC") as caught:
        columns(bytes(raw))
    assert any("driftline.sensors" in note for note in caught.value.__notes__)


def test_a_wrong_checksum_is_not_seen_where_nobody_is_to_look() -> None:
    raw = bytearray(batch(0, Written(0)))
    raw[17] ^= 1
    assert columns(bytes(raw), check_crcs=False) == columns(batch(0, Written(0)))


def test_more_records_than_bytes_are_refused_before_room_is_made_for_them() -> None:
    with pytest.raises(CorruptRecordException, match="More records"):
        columns(counted(record(), 2**31 - 1))


@pytest.mark.parametrize("length", [-1, 0, 13, 40])
def test_a_batch_shorter_than_its_header_is_refused(length: int) -> None:
    raw = bytearray(batch(0, Written(0)))
    struct.pack_into(">i", raw, 8, length)
    assert refused(bytes(raw))


def test_records_below_the_offset_that_was_asked_for_are_left_out() -> None:
    taken, behind = columns(batch(10, *map(Written, range(5))), fetch_offset=13)
    assert ([record.offset for record in taken], behind) == ([13, 14], 15)


def test_a_fetch_goes_on_behind_a_batch_that_compaction_has_emptied() -> None:
    assert columns(batch(10, last=41), fetch_offset=10) == ([], 52)


def test_a_fetch_goes_on_behind_what_was_aborted() -> None:
    raw = batch(3, Written(0), kind=TRANSACTIONAL, producer=9) + marker(4, 9, ABORT)
    assert columns(raw, 3, [(9, 3)]) == ([], 5)
    assert [record.offset for record in columns(raw, 3, [(9, 3)], UNCOMMITTED)[0]] == [3]


def test_after_the_marker_the_same_producer_is_read_again() -> None:
    before, after = (batch(n, Written(0), kind=TRANSACTIONAL, producer=9) for n in (0, 2))
    raw = before + marker(1, 9, ABORT) + after
    assert [record.offset for record in columns(raw, 0, [(9, 0)])[0]] == [2]


@pytest.mark.parametrize(
    "records",
    [(), (Written(0, key=None),), (Written(0, key=b"\0"),)],
    ids=["none", "null", "short"],
)
def test_a_control_batch_without_a_marker_is_corrupt(records: tuple[Written, ...]) -> None:
    assert refused(batch(0, *records, kind=CONTROL | TRANSACTIONAL, producer=9))


def test_log_append_time_is_that_of_the_batch() -> None:
    raw = batch(0, Written(0), Written(1, TIME + 1), kind=LOG_APPEND_TIME, max_timestamp=TIME + 9)
    assert [record.timestamp for record in columns(raw)[0]] == [TIME + 9] * 2


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("compression", [0, 1])
def test_batches_of_the_old_formats_are_read(magic: int, compression: int) -> None:
    written = [Written(n, value=None if n == 2 else b"x" * n, key=b"k") for n in range(4)]
    raw = old_batch(magic, *written, compression=compression)
    assert columns(raw) == aiokafka(raw)
    assert len(columns(raw)[0]) == 4


def test_old_and_new_formats_may_follow_each_other() -> None:
    # aiokafka takes the format of the first for that of all.
    raw = old_batch(1, Written(0), Written(1)) + batch(2, Written(0)) + old_batch(0, Written(3))
    taken, behind = columns(raw)
    assert [record.offset for record in taken] == [0, 1, 2, 3]
    assert ([record.timestamp for record in taken], behind) == ([TIME, TIME, TIME, -1], 4)


def test_an_old_batch_with_a_wrong_checksum_is_refused() -> None:
    raw = bytearray(old_batch(1, Written(0)))
    raw[-1] ^= 1
    assert refused(bytes(raw))


def test_a_header_name_that_is_no_utf8_is_read_as_java_reads_it() -> None:
    raw = sealed(bytearray(batch(0, Written(0, headers=(("né", b"v"),))).replace(b"\xc3", b"n")))
    assert columns(raw)[0][0].headers == (("nn\ufffd", b"v"),)


# A slice.


def test_columns_tell_where_keys_and_values_lie() -> None:
    taken = slice_of(Written(0, key=b"a", value=b"one"), Written(1, key=None, value=None))
    at, length = taken.value_at[0], taken.value_length[0]
    assert taken.data[at : at + length].tobytes() == b"one"
    assert taken.data[taken.key_at[0]] == ord("a")
    assert (taken.key_length.tolist(), taken.value_length.tolist()) == ([1, -1], [3, -1])
    assert taken.timestamps.tolist() == [TIME, TIME]


def test_headers_are_marked_by_a_byte_that_is_zero_for_none() -> None:
    taken = slice_of(Written(0), Written(1, headers=(("a", None),)))
    assert (taken.data[taken.headers_at] != 0).tolist() == [False, True]


def test_a_part_of_a_slice_shares_its_columns_and_bytes() -> None:
    taken = slice_of(*(Written(n, value=b"%d" % n) for n in range(10)))
    part = taken[3:6]
    assert (len(part), part.first_offset, part.last_offset) == (3, 3, 5)
    assert [record.value for record in part] == [b"3", b"4", b"5"]
    assert part.data is taken.data
    assert np.shares_memory(part.offsets, taken.offsets)


def test_items_are_found_by_index_from_both_ends() -> None:
    taken = slice_of(*map(Written, range(3)))
    assert [taken[n].offset for n in (0, 2, -1, -3)] == [0, 2, 2, 0]
    with pytest.raises(IndexError):
        taken[3]


def test_a_slice_is_read_backwards_and_searched_as_a_sequence() -> None:
    taken = slice_of(*map(Written, range(3)))
    assert [record.offset for record in reversed(taken)] == [2, 1, 0]
    assert taken[1] in taken


def test_warming_up_leaves_nothing_to_compile_for_the_first_slice() -> None:
    batches.warm_up()
    known = {len(f.signatures) for f in _compiled()}
    columns(batch(0, Written(0, headers=(("a", b"b"), ("c", None)))), aborted=None)
    assert {len(f.signatures) for f in _compiled()} == known == {1}


def _compiled() -> list[Any]:
    from streams import slices

    return [slices.parse, slices._varint, slices._field]
