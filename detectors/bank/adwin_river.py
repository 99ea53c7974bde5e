"""ADWIN's state between a row and River's object.

River's ADWIN is compiled and shows its state only as the bytes of its pickle, little-endian and
without gaps:

=========  =====================================================================
delta      f64, then clock i32, max_buckets u64, min_window_length and grace_period f64
window     total, variance, width, and the sum of the widths after all updates: f64
counters   i32: buckets ever made, less those deleted; the most there were by the
           same count; updates; changes found
levels     u64, then for each level max_buckets and buckets in use u64, and twice,
           for totals and for variances, max_buckets + 1 u64 and as many f64,
           which are 0 beyond those in use
arguments  delta f64, clock i32, max_buckets u64, min_window_length, grace_period i32
=========  =====================================================================

By that count a merger makes one bucket and deletes none. What the row does not hold follows from
the number of updates.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from detectors.adwin import Adwin
from detectors.bank.adwin_layout import (
    DRIFT,
    HEAD,
    LEVELS_USED,
    TOTAL,
    VARIANCE,
    WIDTH,
    Counts,
    Floats,
)

__all__ = ["freeze", "thaw"]

_START: Final = struct.Struct("<diQdd dddd iiii Q")
_ARGUMENTS: Final = struct.Struct("<diQii")


def _level(max_buckets: int) -> np.dtype[np.void]:
    room = max_buckets + 1
    return np.dtype(
        [
            ("max_buckets", "<u8"),
            ("used", "<u8"),
            ("n_totals", "<u8"),
            ("totals", "<f8", room),
            ("n_variances", "<u8"),
            ("variances", "<f8", room),
        ]
    )


def _merged(n: int, max_buckets: int) -> int:
    """Count the mergers that `n` values lead to."""
    merged = 0
    while n > max_buckets:
        n = (n - max_buckets + 1) // 2
        merged += n
    return merged


def freeze(detector: Adwin, head: Floats, h: int, counts: Counts, buckets: Floats) -> bool:
    """Write a detector's state into a row.

    Parameters
    ----------
    detector
        Left as it is.
    head, h, counts, buckets
        Those of `detectors.bank.adwin.step`, of as many buckets a level as the detector has.

    Returns
    -------
    bool
        False if its window has more levels than the arrays; nothing was then written.
    """
    state = detector._river._helper.__getstate__()
    numbers = _START.unpack_from(state)
    total, variance, width = numbers[5:8]
    updates, levels = numbers[11], numbers[13]
    if levels > len(counts):
        return False
    known = np.frombuffer(state, _level(buckets.shape[2] - 1), levels, _START.size)
    counts[:] = 0
    counts[:levels] = known["used"]
    buckets[:] = 0.0
    buckets[0, :levels] = known["totals"]
    buckets[1, :levels] = known["variances"]
    drift = updates if detector.drift_detected else 0
    head[h : h + HEAD] = total, variance, width, levels, drift
    return True


def thaw(head: Floats, h: int, counts: Counts, buckets: Floats, detector: Adwin) -> None:
    """Give a detector of the same parameters the state that a row holds.

    Parameters
    ----------
    head, h, counts, buckets
        Those of `detectors.bank.adwin.step`.
    detector
        Whatever it has seen is forgotten.
    """
    delta, clock, most, shortest, grace = detector.parameters.values()
    numbers = head[h : h + HEAD].tolist()
    width, levels, age = (int(numbers[slot]) for slot in (WIDTH, LEVELS_USED, DRIFT))
    drift = age != 0
    updates = age if drift else width
    merged = _merged(updates, most)
    # The counter's peak is looked for between a value and the mergers that it leads to.
    peak = updates + _merged(updates - 1, most)
    deleted = updates - merged - int(counts.sum())
    start = _START.pack(
        *(delta, clock, most, float(shortest), float(grace)),
        *(numbers[TOTAL], numbers[VARIANCE], float(width)),
        float(updates * (updates - 1) // 2 + width),
        *(updates + merged - deleted, peak, updates, int(drift), levels),
    )
    known = np.zeros(levels, _level(most))
    used = counts[:levels]
    known["max_buckets"] = most
    known["used"] = used
    known["n_totals"] = known["n_variances"] = most + 1
    in_use = np.arange(most + 1) < used[:, np.newaxis]
    known["totals"] = np.where(in_use, buckets[0, :levels], 0.0)
    known["variances"] = np.where(in_use, buckets[1, :levels], 0.0)
    arguments = _ARGUMENTS.pack(delta, clock, most, shortest, grace)
    river = detector._river
    river._helper.__setstate__(start + known.tobytes() + arguments)
    river._drift_detected = drift
