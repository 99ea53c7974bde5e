"""What the compiled scan calls plain is what the decoder reads, to the last bit."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from schemas.columns import Readings, read
from schemas.compiled import AVAILABLE
from tests.columns import bits, is_plain, laid_out, scanned, with_value
from tests.messages import a_mangled_message, a_message, a_simple_message

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

# The shapes that are plain.

ORDINARY = (
    b'{"sensor_id":"s-000123","ts":1767614400.01,"value":20.123456789012345}',
    b'{"sensor_id":"s-000123","ts":"2026-01-05T12:00:00.250Z","value":-20.5}',
    b'{"sensor_id": "press 7/a", "ts": 1767614400, "value": 7}',
    b'{"value":1e-7,"ts":"2026-01-05T12:00:00z","sensor_id":"a"}',
    b'{"ts":"2026-01-05T13:30:00.123456789+01:30","value":0.0,"sensor_id":"press-7"}',
    b'{"event_id":"b-1001","sensor_id":"oven-2","ts":-1.5,"value":1.5E+3}',
    b' \t\r\n{ "sensor_id"\n:\t"a" ,\r"ts" : 0 ,"value":0 } \n',
    b'{"sensor_id":"' + b"~" * 200 + b'","event_id":"' + b"!" * 200 + b'","ts":0,"value":0}',
)


@pytest.mark.parametrize("message", ORDINARY)
def test_an_ordinary_message_is_plain(message: bytes) -> None:
    assert is_plain(message) == [True]


def test_the_columns_hold_what_the_message_says() -> None:
    assert scanned(ORDINARY[:2]) == [
        (b"s-000123", 1_767_614_400_010_000, 20.123456789012345),
        (b"s-000123", 1_767_614_400_250_000, -20.5),
    ]


@pytest.mark.parametrize("length", range(1, 201))
def test_an_id_of_any_length_is_plain(length: int) -> None:
    name = bytes(random.Random(length).choices(b"abc-/ 019~", k=length))
    assert scanned([b'{"sensor_id":"%s","ts":1,"value":2}' % name]) == [(name, 1_000_000, 2.0)]


# The shapes that are left to the decoder.


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b" ",
        b"{}",
        b"null",
        b"{" * 40,
        b"[" * 1000,
        b'"' * 40,
        b"\0" * 40,
        b'[{"sensor_id":"a","ts":0,"value":0}]',
        b'\xef\xbb\xbf{"sensor_id":"a","ts":0,"value":0}',
        b'{"sensor_id":"a","ts":0,"value":0}{}',
        b'{"sensor_id":"a","ts":0,"value":0}\0',
        b'{"sensor_id":"a","ts":0,"value":0,}',
        b'{,"sensor_id":"a","ts":0,"value":0}',
        b'{"sensor_id":"a" "ts":0,"value":0   }',
        b'{"sensor_id":"a","ts"=0,"value":0   }',
        b"{'sensor_id':'a','ts':0,'value':0   }",
        b'{sensor_id:"a",ts:0,value:0         }',
        b'{"sensor_id":"a","ts":0,"value":0,"value":0}',
        b'{"sensor_id":"a","sensor_id":"a","ts":0,"value":0}',
        b'{"sensor_id":"a","ts":0,"ts":0,"value":0}',
        b'{"sensor_id":"a","event_id":"a","event_id":"a","ts":0,"value":0}',
        b'{"sensor_id":"a","ts":0,"event_id":"abcdefgh"}',
        b'{"sensor_id":"abcdefgh","event_id":"a","value":0}',
        b'{"event_id":"abcdefgh","ts":0,"value":0}',
        b'{"sensor_id":"a","ts":0,"value":0,"unit":"C"}',
        b'{"sensor_id":"a","ts":0,"value":0,"":0}',
        b'{"sensor_id":"a","ts":0,"values":0}',
        b'{"sensor_id":"a","ts":0,"valu\\u0065":0}',
        b'{"sensor_idx":"a","ts":0,"value":0}',
        b'{"sensor_i":"a","tsd":0,"value":0   }',
        b'{"sensor_id":"a","ts":0,"features":{"value":0}}',
        b'{"sensor_id":"a","ts":0,"value":0,"features":null}',
        b'{"sensor_id":"a","ts":0,"value":{"value":0}}',
        b'{"sensor_id":"a","ts":0,"value":[0]}',
        b'{"sensor_id":["a"],"ts":0,"value":0}',
        b'{"sensor_id":7,"ts":0,"value":0     }',
        b'{"sensor_id":null,"ts":0,"value":0  }',
        b'{"sensor_id":"a","ts":0,"value":0,"event_id":null}',
        b'{"sensor_id":"a","ts":0,"value":0,"event_id":7}',
        b'{"sensor_id":"","ts":0,"value":0    }',
        b'{"sensor_id":"a","ts":0,"value":0,"event_id":""}',
        b'{"sensor_id":"' + b"a" * 201 + b'","ts":0,"value":0}',
        b'{"sensor_id":"a","event_id":"' + b"a" * 201 + b'","ts":0,"value":0}',
        b'{"sensor_id":"a\\"b","ts":0,"value":0}',
        b'{"sensor_id":"a\\\\","ts":0,"value":0}',
        b'{"sensor_id":"\\u0061","ts":0,"value":0}',
        b'{"sensor_id":"a\tb","ts":0,"value":0}',
        b'{"sensor_id":"a\x7f","ts":0,"value":0}',
        b'{"sensor_id":"a\0","ts":0,"value":0}',
        '{"sensor_id":"Öfen","ts":0,"value":0}'.encode(),
        b'{"sensor_id":"\xff\xfe","ts":0,"value":0}',
        b'{"sensor_id":"a","event_id":"\x80","ts":0,"value":0}',
    ],
)
def test_what_is_not_of_the_plain_shape_is_not_plain(message: bytes) -> None:
    assert is_plain(message) == [False]


@pytest.mark.parametrize("message", ORDINARY)
def test_a_message_that_is_cut_off_is_not_plain_whatever_follows_it(message: bytes) -> None:
    whole = np.frombuffer(message, np.uint8)
    shorter = np.arange(len(message.rstrip()), dtype=np.int64)
    columns = Readings()
    read(whole, np.zeros_like(shorter), shorter, columns, len(shorter))
    assert not columns.plain[: len(shorter)].any(), "its beginnings"
    later = shorter[shorter > message.index(b"{")]
    read(whole, later, len(message) - later, columns, len(later))
    assert not columns.plain[: len(later)].any(), "its ends"


@pytest.mark.parametrize("message", ORDINARY[:7])
def test_what_stands_around_a_message_does_not_matter(message: bytes) -> None:
    alone = Readings()
    whole = np.frombuffer(message, np.uint8)
    one = np.array([len(message)], np.int64)
    read(whole, np.zeros(1, np.int64), one, alone, 1)
    row = scanned([message])[0]
    assert row is not None
    assert (alone.plain[0], alone.ts[0], bits(alone.value[0])) == (1, row[1], bits(row[2]))


def test_a_null_is_not_plain() -> None:
    columns = Readings()
    data = np.frombuffer(ORDINARY[0], np.uint8)
    begins = np.array([0, 0, len(data)], np.int64)
    read(data, begins, np.array([-1, len(data), -1], np.int64), columns, 3)
    assert columns.plain[:3].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("make", "least_share"),
    [(a_simple_message, 1.0), (a_message, 0.5), (a_mangled_message, 0.1)],
)
def test_what_is_plain_is_what_the_decoder_reads(
    make: Callable[[random.Random], bytes], least_share: float
) -> None:
    rng = random.Random(20260105)
    found = is_plain(*(make(rng) for _ in range(100_000)))
    assert sum(found) >= least_share * len(found)


@pytest.mark.parametrize("message", ORDINARY[:7])
def test_every_byte_put_anywhere_is_left_to_the_decoder_or_read_alike(message: bytes) -> None:
    mangled = [
        message[:at] + bytes([byte]) + message[at + drop :]
        for at in range(len(message) + 1)
        for byte in range(256)
        for drop in (0, 1)
    ]
    assert any(is_plain(*mangled))


# Hashes and columns.


def hashes(ids: Sequence[bytes]) -> list[int]:
    data, begins, lengths = laid_out([b'{"sensor_id":"%s","ts":0,"value":0}' % i for i in ids])
    columns = Readings()
    read(np.frombuffer(data, np.uint8), begins, lengths, columns, len(ids))
    assert columns.plain[: len(ids)].all()
    return [int(found) for found in columns.id_hash[: len(ids)]]


def test_an_id_has_one_hash_wherever_it_stands() -> None:
    messages = [
        b'{"sensor_id":"press-7","ts":0,"value":0}',
        b'{"ts":0,"value":0,"sensor_id":"press-7"}',
        b'{"event_id":"b","ts" : 0.25 , "value":0,"sensor_id" : "press-7"}',
    ]
    data, begins, lengths = laid_out(messages)
    columns = Readings()
    read(np.frombuffer(data, np.uint8), begins, lengths, columns, len(messages))
    assert len(set(columns.id_hash[:3].tolist())) == 1


def test_different_ids_have_different_hashes_and_none_is_0() -> None:
    ids = [b"s-%06d" % number for number in range(100_000)]
    ids += [b"a" * length for length in range(1, 201)]
    ids += [b"plant-1/line-%d/press-%d" % (at // 300, at % 300) for at in range(90_000)]
    found = set(hashes(ids))
    assert len(found) == len(ids)
    assert 0 not in found


@pytest.mark.parametrize("shift", [0, 16, 32, 52])
@pytest.mark.parametrize("name", [b"s-%06d", b"%d", b"plant/line-2/press-number-%d"])
def test_numbered_ids_fill_a_table_like_random_ones(name: bytes, shift: int) -> None:
    slots = {found >> shift & 4095 for found in hashes([name % at for at in range(4096)])}
    # Thrown at random, 4096 balls leave 1507 of 4096 slots empty, with a deviation of 20.
    assert abs(4096 - len(slots) - 1507) < 100


def test_columns_make_room_as_needed() -> None:
    columns = Readings(room=2)
    data, begins, lengths = laid_out([with_value(str(number)) for number in range(1000)])
    for n in (1, 1000, 10):
        columns.value[:] = -1
        read(np.frombuffer(data, np.uint8), begins, lengths, columns, n)
        assert columns.value[:n].tolist() == list(range(n))
        assert (columns.value[n:] == -1).all() or n == 1000
