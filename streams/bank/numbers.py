"""Numbers as few bytes, none of them lost.

A float is written as the bytes of its IEEE pattern without those that are 0 at the low end, an
integer without those at the high end: 1000.0 takes 2 bytes and a half, a measured value 8 and a
half. The lengths stand before the bytes, two to a byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.compiled import compiled
from schemas.words import flipped, leading_zeros, load, store, trailing_zeros


@compiled
def put_floats(values: Any, first: int, count: int, out: Any, at: int) -> int:
    """Write floats, those from index `first` on; return where they end.

    At most 8.5 bytes each, and one; up to 8 bytes behind the end are written over.
    """
    lengths = at
    at += (count + 1) // 2
    for n in range(first, first + count, 2):
        pattern = load(values, n)
        following = load(values, n + 1) if n + 1 < first + count else np.uint64(0)
        out[lengths] = np.uint8(0)
        if pattern | following != np.uint64(0):
            used = 8 - trailing_zeros(pattern) // 8
            more = 8 - trailing_zeros(following) // 8
            store(out, at, flipped(pattern))
            store(out, at + used, flipped(following))
            out[lengths] = np.uint8(used | more << 4)
            at += used + more
        lengths += 1
    return at


@compiled
def take_floats(data: Any, at: int, count: int, values: Any, first: int) -> int:
    """Read floats to index `first` on; return where they end.

    Up to 8 bytes behind that are looked at.
    """
    lengths = at
    at += (count + 1) // 2
    for n in range(count):
        used: Any = np.int64(data[lengths + n // 2])
        used = used & 15 if n % 2 == 0 else used >> 4
        # In two steps, since a number can't be moved by all of its 64 bits.
        missing = np.uint64(8 * (8 - used))
        half = missing >> np.uint64(1)
        pattern = flipped(load(data, at)) >> half >> (missing - half)
        store(values, first + n, pattern << half << (missing - half))
        at += used
    return at


@compiled
def put_integers(values: Any, first: int, count: int, out: Any, at: int) -> int:
    """Write integers; return where they end. As `put_floats` does."""
    lengths = at
    at += (count + 1) // 2
    for n in range(count):
        number = values[first + n]
        pattern = np.uint64((number << 1) ^ (number >> 63))
        used = 8 - leading_zeros(pattern) // 8
        store(out, at, pattern)
        at += used
        if n % 2 == 0:
            out[lengths + n // 2] = np.uint8(used)
        else:
            out[lengths + n // 2] |= np.uint8(used << 4)
    return at


@compiled
def take_integers(data: Any, at: int, count: int, values: Any, first: int) -> int:
    """Read integers; return where they end. As `take_floats` does."""
    lengths = at
    at += (count + 1) // 2
    for n in range(count):
        used: Any = np.int64(data[lengths + n // 2])
        used = used & 15 if n % 2 == 0 else used >> 4
        missing = np.uint64(8 * (8 - used))
        half = missing >> np.uint64(1)
        pattern = load(data, at) << half << (missing - half) >> half >> (missing - half)
        at += used
        number = np.int64(pattern >> np.uint64(1))
        if pattern & np.uint64(1):
            number = -number - 1
        values[first + n] = number
    return at
