"""The state of one sensor's ADWIN in numbers.

``head``
    float64, `HEAD` numbers from ``h`` on: total, variance and width of the window, the number of
    levels, and 0 or, if the last step found a drift, the number of values since the beginning.
``counts``
    int32, shape (levels,): buckets in use on each level; 0 above the top level.
``buckets``
    float64, shape (2, levels, max_buckets + 1): total and variance of each bucket, the oldest
    first. A bucket of level k is 2**k values. What lies beyond the count means nothing.

There is room for as many levels as the arrays have, at most `LEVELS`.

A window loses values only to a drift, and the next step then begins anew. So in a window without
a drift the width is also the number of values since the beginning, on which ADWIN's clock and
the count of every level depend: neither has to be kept.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.compiled import compiled

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int32]

HEAD: Final = 5
"""Numbers in a row that one detector takes beside its arrays."""

LEVELS: Final = 24
"""Levels that arrays have at most: 84 million values with 5 buckets on each."""

TOTAL: Final = 0
VARIANCE: Final = 1
WIDTH: Final = 2
LEVELS_USED: Final = 3
DRIFT: Final = 4


@compiled
def reset(head: Floats, h: int, counts: Counts, buckets: Floats) -> None:
    """Make it a detector that has seen nothing; the arguments are those of `step`."""
    for slot in range(HEAD):
        head[h + slot] = 0.0
    head[h + LEVELS_USED] = 1.0
    for level in range(counts.shape[0]):
        counts[level] = 0


@compiled
def levels_of(n: int, most: int) -> int:
    """Return how many levels a window of `n` values since the beginning takes."""
    levels = 1
    while n > most:
        n = (n - most + 1) // 2
        levels += 1
    return levels


@compiled
def fill(counts: Counts, n: int, most: int) -> int:
    """Write the counts of a window of `n` values since the beginning.

    A level passes two buckets on whenever it has one too many, for the first time when it gets
    its bucket number ``most + 1`` and then each time it got two more.

    Returns
    -------
    int
        The levels in use, or -1 if there is no room for as many values.
    """
    for level in range(counts.shape[0]):
        counts[level] = 0
    level = 0
    arrived = n
    while arrived > 0:
        if level == counts.shape[0]:
            return -1
        carried = 0
        if arrived > most:
            carried = (arrived - most + 1) // 2
        counts[level] = arrived - 2 * carried
        arrived = carried
        level += 1
    return max(level, 1)


@compiled
def zeros(head: Floats, h: int, counts: Counts, buckets: Floats, n: int) -> bool:
    """Make it a detector that has seen `n` zeros and nothing else.

    Parameters
    ----------
    head, h, counts, buckets
        Those of `step`.
    n
        At least 0.

    Returns
    -------
    bool
        False if there is no room for as many values; it has then seen nothing.
    """
    reset(head, h, counts, buckets)
    levels = fill(counts, n, buckets.shape[2] - 1)
    if levels < 0:
        reset(head, h, counts, buckets)
        return False
    head[h + WIDTH] = n
    head[h + LEVELS_USED] = levels
    for level in range(levels):
        for i in range(counts[level]):
            buckets[0, level, i] = 0.0
            buckets[1, level, i] = 0.0
    return True
