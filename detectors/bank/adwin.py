"""ADWIN over rows of numbers.

`detectors.bank.adwin_layout` says what the arrays hold. All functions but `parameters`, `freeze`,
`thaw` and `longest` are compiled.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from detectors.adwin import Adwin
from detectors.bank.adwin_layout import (
    DRIFT,
    HEAD,
    LEVELS,
    LEVELS_USED,
    TOTAL,
    VARIANCE,
    WIDTH,
    Counts,
    Floats,
    reset,
    zeros,
)
from detectors.bank.adwin_packing import longest, pack, unpack
from detectors.bank.adwin_river import freeze, thaw
from schemas.compiled import compiled, inlined

__all__ = [
    "HEAD",
    "LEVELS",
    "PARAMETERS",
    "due",
    "freeze",
    "is_full",
    "longest",
    "pack",
    "parameters",
    "reset",
    "step",
    "thaw",
    "unpack",
    "zeros",
]

PARAMETERS: Final = 4
"""Numbers that `parameters` gives."""

_DELTA: Final = 0
_CLOCK: Final = 1
_MIN_WINDOW: Final = 2
_GRACE: Final = 3


def parameters(detector: Adwin) -> Floats:
    """Constructor arguments of a detector, without `max_buckets`: the arrays' shape says it.

    Returns
    -------
    ndarray
        Shape (`PARAMETERS`,).
    """
    known = detector.parameters
    order = ("delta", "clock", "min_window_length", "grace_period")
    return np.array([known[name] for name in order], dtype=np.float64)


@inlined
def due(head: Floats, h: int, params: Floats, p: int) -> bool:
    """Tell whether the next step will look for a change: no other can find one.

    Parameters
    ----------
    head, h, params, p
        Those of `step`.
    """
    width = 1.0
    if head[h + DRIFT] == 0.0:
        width += head[h + WIDTH]
    # Exact, as both are integers below 2**31: a quotient that is none does not round to one.
    looks = width / params[p + _CLOCK]
    return bool(looks == np.floor(looks) and width > params[p + _GRACE])


@compiled
def is_full(counts: Counts, buckets: Floats) -> bool:
    """Tell whether there is no room for the next value: it would be carried beyond the last level.

    Parameters
    ----------
    counts, buckets
        Those of `step`.
    """
    for level in range(counts.shape[0] - 1, -1, -1):
        if counts[level] != buckets.shape[2] - 1:
            return False
    return True


@inlined
def step(
    head: Floats, h: int, counts: Counts, buckets: Floats, x: float, params: Floats, p: int
) -> int:
    """Take the next value, as `river.drift.ADWIN.update` does.

    Parameters
    ----------
    head, h
        The sensor's row, and the detector's first number in it.
    counts, buckets
        The sensor's arrays.
    x
        Finite, at most 1e100 in magnitude, unchecked.
    params, p
        What `parameters` gave, from index `p` on.

    Returns
    -------
    int
        0 nothing, 1 a drift, -1 if there is no room for one more level: nothing was changed, and
        the value was not taken. The step after a drift starts from nothing.
    """
    if is_full(counts, buckets):
        return -1
    most = buckets.shape[2] - 1
    looks = due(head, h, params, p)
    if head[h + DRIFT] != 0.0:
        reset(head, h, counts, buckets)
    before = head[h + WIDTH]
    width = before + 1.0
    if before > 0.0:
        delta = x - head[h + TOTAL] / before
        head[h + VARIANCE] += before * delta * delta / width
    head[h + TOTAL] += x
    head[h + WIDTH] = width
    newest = counts[0]
    buckets[0, 0, newest] = x
    buckets[1, 0, newest] = 0.0
    counts[0] = newest + 1
    if newest == most:
        _merge(head, h, counts, buckets)
    if not looks:
        return 0
    found = False
    while _older_part_differs(head, h, counts, buckets, params, p):
        found = True
        _drop_oldest(head, h, counts, buckets)
    if found:
        head[h + DRIFT] = width
        return 1
    return 0


@inlined
def _merge(head: Floats, h: int, counts: Counts, buckets: Floats) -> None:
    """Merge the two oldest buckets of each level that has too many into one of the next."""
    most = buckets.shape[2] - 1
    level = 0
    size = 1.0
    while counts[level] > most:
        first = buckets[0, level, 0]
        second = buckets[0, level, 1]
        mean = first / size
        other = second / size
        between = size * 0.5 * (mean - other) * (mean - other)
        variance = buckets[1, level, 0] + buckets[1, level, 1] + between
        above = level + 1
        newest = counts[above]
        buckets[0, above, newest] = first + second
        buckets[1, above, newest] = variance
        counts[above] = newest + 1
        for i in range(2, most + 1):
            buckets[0, level, i - 2] = buckets[0, level, i]
            buckets[1, level, i - 2] = buckets[1, level, i]
        counts[level] = most - 1
        level = above
        size *= 2.0
    if level >= head[h + LEVELS_USED]:
        head[h + LEVELS_USED] = level + 1.0


@compiled
def _older_part_differs(
    head: Floats, h: int, counts: Counts, buckets: Floats, params: Floats, p: int
) -> bool:
    """Tell whether at any border between buckets both sides differ in their means."""
    width = head[h + WIDTH]
    shortest = params[p + _MIN_WINDOW]
    confidence = math.log(2.0 * math.log(width) / params[p + _DELTA])
    linear = 2.0 / 3.0 * confidence
    variance = head[h + VARIANCE] / width
    n0 = 0.0
    n1 = width
    sum0 = 0.0
    sum1 = head[h + TOTAL]
    top = int(head[h + LEVELS_USED]) - 1
    size = float(1 << top)
    for level in range(top, -1, -1):
        for i in range(counts[level]):
            total = buckets[0, level, i]
            n0 += size
            n1 -= size
            sum0 += total
            sum1 -= total
            if n1 < shortest:
                return False
            if n0 < shortest:
                continue
            reciprocal = 1.0 / (n0 - shortest + 1.0) + 1.0 / (n1 - shortest + 1.0)
            bound = math.sqrt(2.0 * reciprocal * variance * confidence) + linear * reciprocal
            if abs(sum0 / n0 - sum1 / n1) > bound:
                return True
        size *= 0.5
    return False


@compiled
def _drop_oldest(head: Floats, h: int, counts: Counts, buckets: Floats) -> None:
    top = int(head[h + LEVELS_USED]) - 1
    n = float(1 << top)
    total = buckets[0, top, 0]
    width = head[h + WIDTH] - n
    head[h + WIDTH] = width
    head[h + TOTAL] -= total
    apart = total / n - head[h + TOTAL] / width
    head[h + VARIANCE] -= buckets[1, top, 0] + n * width * apart * apart / (n + width)
    for i in range(1, counts[top]):
        buckets[0, top, i - 1] = buckets[0, top, i]
        buckets[1, top, i - 1] = buckets[1, top, i]
    counts[top] -= 1
    if counts[top] == 0:
        head[h + LEVELS_USED] = top
