"""Rows as records of the state topic: key, signature and numbers, with no Python object for any.

A record is that of https://kafka.apache.org/documentation/#record, without a time of its own and
without headers. Its value is what `streams.bank.bank` says of a stored row.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from schemas.compiled import compiled
from schemas.words import load, store
from streams.bank.packing import pack
from streams.bank.signatures import SIZE, sign

FRAMING: Final = 64
"""Bytes that a record takes at most beside its key and its value, and 8 to write over."""
AT_ONCE: Final = 1024
"""Rows that are packed before they are signed: what they take meanwhile stays close at hand."""

_KEY_OPENS: Final = np.frombuffer(b'["sensor","', np.uint8)
_KEY_CLOSES: Final = np.frombuffer(b'"]', np.uint8)
KEY_FRAMING: Final = len(_KEY_OPENS) + len(_KEY_CLOSES)
_QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
_FIRST_PRINTED: Final = 0x20


@compiled
def size_of(number: int) -> int:
    """Return how many bytes a number that is not negative takes as a varint."""
    folded = np.uint64(number) << np.uint64(1)
    size = 1
    while folded >= np.uint64(0x80):
        folded = folded >> np.uint64(7)
        size += 1
    return size


@compiled
def put_varint(number: int, out: Any, at: int) -> int:
    """Write a number that is not negative as a varint; return where it ends."""
    folded = np.uint64(number) << np.uint64(1)
    while folded >= np.uint64(0x80):
        out[at] = np.uint8(folded & np.uint64(0x7F)) | np.uint8(0x80)
        folded = folded >> np.uint64(7)
        at += 1
    out[at] = np.uint8(folded)
    return at + 1


@compiled
def _copy(data: Any, begins: int, length: int, out: Any, at: int) -> int:
    """Copy bytes; return where they end."""
    for n in range(length):
        out[at + n] = data[begins + n]
    return at + length


@compiled
def _is_plain(name: Any, begins: int, ends: int) -> bool:
    """Tell whether an id stands in JSON as it is."""
    for place in range(begins, ends):
        letter = name[place]
        if letter < _FIRST_PRINTED or letter in (_QUOTE, _BACKSLASH):
            return False
    return True


@compiled
def _move(out: Any, begins: int, ends: int, by: int) -> None:
    """Move bytes by a few places; up to 8 bytes behind them are written over."""
    if by < 0:
        for place in range(begins, ends, 8):
            store(out, place + by, load(out, place))
    elif by > 0:
        for back in range(ends - begins):
            out[ends - 1 - back + by] = out[ends - 1 - back]


@compiled
def pack_many(
    numbers: Any,
    first: int,
    rows: Any,
    integers: Any,
    held: Any,
    room: Any,
    scalars: Any,
    spare: Any,
    arena: Any,
    arena_at: Any,
    beside: Any,
    beside_at: Any,
    head: Any,
    most: int,
    out: Any,
    at: int,
    stop: int,
    offset: int,
    signer: Any,
    places: Any,
) -> tuple[int, int]:
    """Write rows one after the other as records, as long as there is room.

    Parameters
    ----------
    numbers, first
        Which rows, from place `first` on.
    rows, integers, held, room, scalars, spare
        See `streams.bank.packing.pack`.
    arena, arena_at
        Of `streams.bank.names.Names`.
    beside, beside_at
        What stands beside the rows, and where that of each place in `numbers` begins; at the end,
        where that of the last one ends.
    head
        What every row begins with; the signature is of what stands behind the first `SIZE` bytes
        of it that are 0, after 4 others.
    most
        The most that one row takes, without what stands beside it.
    out, at, stop
        Where to write: from `at` on, and nothing behind `stop`.
    offset
        Of the first record in its batch.
    signer
        Of `streams.bank.signatures.signer`.
    places
        Three arrays, each with room for `AT_ONCE` numbers: where what is signed begins, where it
        ends, and where its signature stands.

    Returns
    -------
    (int, int)
        Place in `numbers` of the next row, and where the last one ends. The next one is left out
        since there is no room, or since `AT_ONCE` were written, or since its id does not stand in
        JSON as it is.
    """
    begins, ends, signed_at = places
    written = 0
    for place in range(first, min(numbers.shape[0], first + AT_ONCE)):
        number = numbers[place]
        name_at, name_ends = arena_at[number], arena_at[number + 1]
        key = name_ends - name_at + KEY_FRAMING
        snapshot = beside_at[place + 1] - beside_at[place]
        if at + most + snapshot + key + FRAMING > stop or not _is_plain(arena, name_at, name_ends):
            break
        # What follows depends on the length of the row, nearly always in the same way.
        before = 2 + size_of(offset + written) + size_of(key) + key
        value_at = at + 2 + before + 2
        _copy(head, 0, head.shape[0], out, value_at)
        value_ends = pack(
            rows[number],
            integers[number],
            held[number],
            room,
            scalars,
            spare,
            out,
            value_at + head.shape[0],
        )
        value_ends = _copy(beside, beside_at[place], snapshot, out, value_ends)
        value = value_ends - value_at
        body = before + size_of(value) + value + 1
        by = size_of(body) - 2 + size_of(value) - 2
        _move(out, value_at, value_ends, by)
        value_at, value_ends = value_at + by, value_ends + by
        at = put_varint(body, out, at)
        # Attributes, and the time after that of the batch.
        out[at] = 0
        out[at + 1] = 0
        at = put_varint(offset + written, out, at + 2)
        at = put_varint(key, out, at)
        at = _copy(_KEY_OPENS, 0, _KEY_OPENS.shape[0], out, at)
        at = _copy(arena, name_at, name_ends - name_at, out, at)
        at = _copy(_KEY_CLOSES, 0, _KEY_CLOSES.shape[0], out, at)
        put_varint(value, out, at)
        signed_at[written] = value_at + 4
        begins[written] = value_at + 4 + SIZE
        ends[written] = value_ends
        out[value_ends] = 0
        at = value_ends + 1
        written += 1
    sign(out, begins, ends, written, signer, out, signed_at)
    return first + written, at
