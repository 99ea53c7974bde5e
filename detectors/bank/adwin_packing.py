"""ADWIN's state in as few numbers as will do.

The packed form is the width, total and variance of the window, the totals of all buckets in use
and the variances of those above level 0 (a single value has none), level by level from the newest
values on. The width says how many buckets there are. After a drift it does not: then comes first
the number of values since the beginning, negative, then the number of levels and their counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.bank.adwin_layout import (
    DRIFT,
    LEVELS,
    LEVELS_USED,
    TOTAL,
    VARIANCE,
    WIDTH,
    Counts,
    Floats,
    fill,
    levels_of,
    reset,
)
from schemas.compiled import compiled

__all__ = ["levels_in", "longest", "pack", "unpack"]

_MOST_VALUES: Final = 2.0**31
"""More values than fit into `LEVELS` levels of at most 100 buckets each."""


def longest(max_buckets: int) -> int:
    """Numbers that `pack` writes at most."""
    return 4 + LEVELS + (2 * LEVELS - 1) * max_buckets


@compiled
def pack(head: Floats, h: int, counts: Counts, buckets: Floats, out: Floats, at: int) -> int:
    """Write the state into `out`.

    Parameters
    ----------
    head, h, counts, buckets
        Those of `detectors.bank.adwin.step`.
    out, at
        Where to write: `longest` numbers are free from index `at` on.

    Returns
    -------
    int
        The index after the last number written.
    """
    levels = int(head[h + LEVELS_USED])
    if head[h + DRIFT] == 0.0:
        out[at] = head[h + WIDTH]
        at += 1
    else:
        out[at] = -head[h + DRIFT]
        out[at + 1] = levels
        at += 2
        for level in range(levels):
            out[at] = counts[level]
            at += 1
    out[at] = head[h + TOTAL]
    out[at + 1] = head[h + VARIANCE]
    at += 2
    for level in range(levels):
        for i in range(counts[level]):
            out[at] = buckets[0, level, i]
            at += 1
    for level in range(1, levels):
        for i in range(counts[level]):
            out[at] = buckets[1, level, i]
            at += 1
    return at


@compiled
def levels_in(packed: Floats, at: int, most: int) -> int:
    """Return how many levels the arrays need that a state is to be read into.

    Parameters
    ----------
    packed, at
        What `pack` wrote, from index `at` on.
    most
        Buckets on a level.
    """
    if packed[at] >= 0.0:
        return levels_of(int(packed[at]), most)
    return int(packed[at + 1])


@compiled
def unpack(packed: Floats, at: int, head: Floats, h: int, counts: Counts, buckets: Floats) -> int:
    """Read a state that `pack` wrote; no array is left for whatever `packed` holds.

    Parameters
    ----------
    packed, at
        What to read, from index `at` on.
    head, h, counts, buckets
        Those of `detectors.bank.adwin.step`, of as many buckets a level as those packed.

    Returns
    -------
    int
        The index after the last number read, or -1 if this is no state; the detector has then
        seen nothing.
    """
    reset(head, h, counts, buckets)
    after = _unpack_counts(packed, at, head, h, counts, buckets.shape[2] - 1)
    if after < 0:
        reset(head, h, counts, buckets)
        return -1
    levels = int(head[h + LEVELS_USED])
    used = 0
    for level in range(levels):
        used += counts[level]
    if packed.shape[0] - after < 2 + 2 * used - counts[0]:
        reset(head, h, counts, buckets)
        return -1
    head[h + TOTAL] = packed[after]
    head[h + VARIANCE] = packed[after + 1]
    after += 2
    for level in range(levels):
        for i in range(counts[level]):
            buckets[0, level, i] = packed[after]
            after += 1
    for i in range(counts[0]):
        buckets[1, 0, i] = 0.0
    for level in range(1, levels):
        for i in range(counts[level]):
            buckets[1, level, i] = packed[after]
            after += 1
    return after


@compiled
def _unpack_counts(packed: Floats, at: int, head: Floats, h: int, counts: Counts, most: int) -> int:
    """Read what comes before the total; return the index after it, or -1."""
    if at < 0 or at >= packed.shape[0] or not _is_count(abs(packed[at]), _MOST_VALUES):
        return -1
    first = packed[at]
    if first >= 0.0:
        head[h + WIDTH] = first
        levels = fill(counts, int(first), most)
        head[h + LEVELS_USED] = levels
        return -1 if levels < 0 else at + 1
    head[h + DRIFT] = -first
    if at + 1 == packed.shape[0] or not _is_count(packed[at + 1], counts.shape[0]):
        return -1
    levels = int(packed[at + 1])
    if levels == 0 or packed.shape[0] - at - 2 < levels:
        return -1
    head[h + LEVELS_USED] = levels
    for level in range(levels):
        count = packed[at + 2 + level]
        if not _is_count(count, most):
            return -1
        counts[level] = int(count)
        head[h + WIDTH] += count * float(1 << level)
    return at + 2 + levels


@compiled
def _is_count(x: float, most: float) -> bool:
    return bool(x >= 0.0 and x <= most and x == np.floor(x))
