"""Numbers as few bytes, none of them lost.

A float is written as the bytes of its IEEE pattern without those that are 0 at the low end, an
integer without those at the high end: 1000.0 takes 2 bytes and a half, a measured value 8 and a
half. The lengths stand before the bytes, two to a byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.compiled import allocating


@allocating
def put_floats(values: Any, count: int, out: Any, at: int) -> int:
    """Write floats; return where they end. At most 8.5 bytes each, and one."""
    patterns = values.view(np.uint64)
    lengths = at
    at += (count + 1) // 2
    for n in range(count):
        pattern = patterns[n]
        used = 0
        while pattern != np.uint64(0):
            out[at] = np.uint8(pattern >> np.uint64(56))
            at += 1
            used += 1
            pattern = pattern << np.uint64(8)
        if n % 2 == 0:
            out[lengths + n // 2] = used
        else:
            out[lengths + n // 2] |= np.uint8(used << 4)
    return at


@allocating
def take_floats(data: Any, at: int, count: int, values: Any) -> int:
    """Read floats; return where they end."""
    patterns = values.view(np.uint64)
    lengths = at
    at += (count + 1) // 2
    for n in range(count):
        used = data[lengths + n // 2]
        used = used & 15 if n % 2 == 0 else used >> 4
        pattern = np.uint64(0)
        for place in range(used):
            pattern |= np.uint64(data[at]) << np.uint64(56 - 8 * place)
            at += 1
        patterns[n] = pattern
    return at


@allocating
def put_integers(values: Any, count: int, out: Any, at: int) -> int:
    """Write integers; return where they end. At most 8.5 bytes each, and one."""
    lengths = at
    at += (count + 1) // 2
    for n in range(count):
        number = values[n]
        pattern = np.uint64((number << 1) ^ (number >> 63))
        used = 0
        while pattern != np.uint64(0):
            out[at] = np.uint8(pattern & np.uint64(255))
            at += 1
            used += 1
            pattern = pattern >> np.uint64(8)
        if n % 2 == 0:
            out[lengths + n // 2] = used
        else:
            out[lengths + n // 2] |= np.uint8(used << 4)
    return at


@allocating
def take_integers(data: Any, at: int, count: int, values: Any) -> int:
    """Read integers; return where they end."""
    lengths = at
    at += (count + 1) // 2
    for n in range(count):
        used = data[lengths + n // 2]
        used = used & 15 if n % 2 == 0 else used >> 4
        pattern = np.uint64(0)
        for place in range(used):
            pattern |= np.uint64(data[at]) << np.uint64(8 * place)
            at += 1
        number = np.int64(pattern >> np.uint64(1))
        if pattern & np.uint64(1):
            number = -number - 1
        values[n] = number
    return at
