"""Keyed BLAKE2b of many rows at once, the same that hashlib gives.

Four rows are signed side by side, one in each lane of the processor's vectors: hashlib takes them
one by one, three times as long, with a Python object for each.

Aumasson, Saarinen: The BLAKE2 Cryptographic Hash and Message Authentication Code (MAC), RFC 7693.
`hashlib.blake2b(data, digest_size=16, key=key)` says what is meant, and tests hold this to it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from schemas.compiled import compiled, numba
from schemas.words import address, instruction, load, store

SIZE: Final = 16
"""Bytes of a signature."""
LONGEST_KEY: Final = 64
LANES: Final = 4
_BLOCK: Final = 128
_WORDS: Final = 8
_ALL: Final = np.uint64(2**64 - 1)

# Section 2.6 and 2.7 of the RFC.
_IV: Final = (
    0x6A09E667F3BCC908,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x9B05688C2B3E6C1F,
    0x1F83D9ABFB41BD6B,
    0x5BE0CD19137E2179,
)
_ORDERS: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
_ROUNDS: Final = 12
_MIXED: Final = (
    (0, 4, 8, 12),
    (1, 5, 9, 13),
    (2, 6, 10, 14),
    (3, 7, 11, 15),
    (0, 5, 10, 15),
    (1, 6, 11, 12),
    (2, 7, 8, 13),
    (3, 4, 9, 14),
)
_TURNS: Final = (32, 24, 16, 63)


@instruction()
def _compress(_: Any, states: Any, places: Any, taken: Any, last: Any, live: Any) -> Any:
    """Take in one block in each lane (section 3.2 of the RFC).

    Parameters
    ----------
    states
        Shape (8, 4): words of the state by lane.
    places
        Shape (4,): where in memory the block of each lane stands.
    taken
        Bytes that each lane has taken in, this block included.
    last
        All bits of a lane set if this is its last block.
    live
        All bits of a lane set if it takes in a block at all.
    """
    from llvmlite import ir

    word = ir.IntType(64)
    lanes = ir.VectorType(word, LANES)

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        def pointer(argument: int) -> Any:
            kind = signature.args[argument]
            data = context.make_array(kind)(context, builder, given[argument]).data
            return builder.bitcast(data, lanes.as_pointer())

        def at(place: Any, index: int) -> Any:
            return builder.gep(place, [ir.Constant(word, index)])

        def fetched(place: Any, index: int, align: int = 8) -> Any:
            loaded = builder.load(at(place, index))
            loaded.align = align
            return loaded

        def same(number: int) -> Any:
            return ir.Constant(lanes, [number] * LANES)

        def turned(value: Any, bits: int) -> Any:
            right, left = builder.lshr(value, same(bits)), builder.shl(value, same(64 - bits))
            return builder.or_(right, left)

        def picked(one: Any, other: Any, order: tuple[int, ...]) -> Any:
            indices = ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(order))
            return builder.shuffle_vector(one, other, indices)

        words = []
        blocks = []
        for lane in range(LANES):
            index = ir.Constant(word, lane)
            place = context.make_array(signature.args[1])(context, builder, given[1]).data
            begins = builder.load(builder.gep(place, [index]))
            blocks.append(builder.inttoptr(begins, lanes.as_pointer()))
        for part in range(16 // LANES):
            a, b, c, d = (fetched(block, part, 1) for block in blocks)
            even = picked(a, b, (0, 4, 2, 6)), picked(c, d, (0, 4, 2, 6))
            odd = picked(a, b, (1, 5, 3, 7)), picked(c, d, (1, 5, 3, 7))
            for half in ((0, 1, 4, 5), (2, 3, 6, 7)):
                words += [picked(*even, half), picked(*odd, half)]

        state = pointer(0)
        before = [fetched(state, number) for number in range(8)]
        v = before + [same(number) for number in _IV]
        v[12] = builder.xor(v[12], fetched(pointer(2), 0))
        v[14] = builder.xor(v[14], fetched(pointer(3), 0))
        for number in range(_ROUNDS):
            order = _ORDERS[number % len(_ORDERS)]
            for n, (a, b, c, d) in enumerate(_MIXED):
                for side in range(2):
                    v[a] = builder.add(builder.add(v[a], v[b]), words[order[2 * n + side]])
                    v[d] = turned(builder.xor(v[d], v[a]), _TURNS[2 * side])
                    v[c] = builder.add(v[c], v[d])
                    v[b] = turned(builder.xor(v[b], v[c]), _TURNS[2 * side + 1])
        counts = fetched(pointer(4), 0)
        for number in range(8):
            change = builder.and_(counts, builder.xor(v[number], v[8 + number]))
            builder.store(builder.xor(before[number], change), at(state, number)).align = 8
        return context.get_dummy_value()

    return numba.types.void(states, places, taken, last, live), code


@compiled
def _pad(data: Any, at: int, length: int, pads: Any, lane: int) -> None:
    """Copy the last, short block of a lane, with zeros behind it. Eight bytes stand before it."""
    begins = lane * _BLOCK
    for place in range(0, _BLOCK, _WORDS):
        if place + _WORDS <= length:
            store(pads, begins + place, load(data, at + place))
        elif place < length:
            missing = np.uint64(8 * (place + _WORDS - length))
            store(pads, begins + place, load(data, at + length - _WORDS) >> missing)
        else:
            store(pads, begins + place, np.uint64(0))


@compiled
def sign(data: Any, begins: Any, ends: Any, count: int, signer: Any, out: Any, out_at: Any) -> None:
    """Sign what stands between pairs of places.

    Parameters
    ----------
    data
        At least 8 bytes stand before the first place.
    begins, ends, count
        The places, and how many.
    signer
        Of `Signer`.
    out, out_at
        Where to write the signatures, `SIZE` bytes each; may be `data`, but not what is signed.
    """
    start, states, places, taken, last, live, pads = signer
    for first in range(0, count, LANES):
        most = 1
        for lane in range(LANES):
            for number in range(_WORDS):
                states[number, lane] = start[number]
            if first + lane < count:
                most = max(most, ends[first + lane] - begins[first + lane])
        for done in range(0, most, _BLOCK):
            for lane in range(LANES):
                here = first + lane
                length = ends[here] - begins[here] if here < count else 0
                live[lane] = _ALL if here < count and done < max(length, 1) else np.uint64(0)
                short = length - done <= _BLOCK
                last[lane] = _ALL if short else np.uint64(0)
                # The key is a block too.
                taken[lane] = np.uint64(_BLOCK + (length if short else done + _BLOCK))
                if short or live[lane] == 0:
                    if live[lane] != 0:
                        _pad(data, begins[here] + done, length - done, pads, lane)
                    places[lane] = address(pads, lane * _BLOCK)
                else:
                    places[lane] = address(data, begins[here] + done)
            _compress(states, places, taken, last, live)
        for lane in range(min(LANES, count - first)):
            store(out, out_at[first + lane], states[0, lane])
            store(out, out_at[first + lane] + _WORDS, states[1, lane])


@compiled
def _take_key(key: Any, signer: Any) -> None:
    """Take in a key, filled up with zeros, as the first block of all lanes."""
    start, states, places, taken, last, live, _ = signer
    for lane in range(LANES):
        for number in range(_WORDS):
            states[number, lane] = start[number]
        places[lane] = address(key, 0)
        taken[lane] = np.uint64(_BLOCK)
        last[lane] = np.uint64(0)
        live[lane] = _ALL
    _compress(states, places, taken, last, live)
    for number in range(_WORDS):
        start[number] = states[number, 0]


def signer(key: bytes) -> tuple[Any, ...]:
    """Return what `sign` takes: a key that has been taken in, and room to work in.

    An empty message is not signed as hashlib does it: its only block is that of the key.

    Parameters
    ----------
    key
        Of 1 to `LONGEST_KEY` bytes.
    """
    # Section 2.5 of the RFC: digest length, key length, one leaf of depth 1.
    start = np.array(_IV, np.uint64)
    start[0] ^= np.uint64(0x01010000 | len(key) << 8 | SIZE)
    lanes = [np.zeros(LANES, np.uint64) for _ in range(3)]
    made = (
        start,
        np.zeros((_WORDS, LANES), np.uint64),
        np.zeros(LANES, np.int64),
        *lanes,
        np.zeros(LANES * _BLOCK, np.uint8),
    )
    _take_key(np.frombuffer(key.ljust(_BLOCK, b"\0"), np.uint8), made)
    return made
