"""The signal ``missing`` of a sensor in numbers: what one more event with a value does to it.

Its state is that of any monitor, as `detectors.bank.monitor.freeze` writes it. Its only detector is
an ADWIN, which learns the same 0, last of all and by the caller.
"""

from __future__ import annotations

import math

from detectors.bank.monitor import DOWN, SEEN_N, UP, Floats, Integers, _add, _lean
from detectors.signal import ALLOWANCE, SMALLEST_UNSCALED_STD, UNSCALED_WARMUP, Z_LIMIT
from schemas.compiled import compiled


@compiled
def observe_zero(
    row: Floats, at: int, positions: Integers, where: int, offset: int, ts: int
) -> None:
    """Take a 0 as `SignalMonitor.update` does of an unscaled signal.

    Parameters
    ----------
    row, at, positions, where
        Those of `detectors.bank.monitor.observe`.
    offset, ts
        Where the value comes from.
    """
    seen = at + SEEN_N
    z = 0.0
    if row[seen] >= UNSCALED_WARMUP:
        std = max(math.sqrt(row[seen + 2] / row[seen]), SMALLEST_UNSCALED_STD)
        z = min(max((0.0 - row[seen + 1]) / std, -Z_LIMIT), Z_LIMIT)
    _lean(row, at + UP, seen, positions, where, z - ALLOWANCE, 0.0, offset, ts)
    _lean(row, at + DOWN, seen, positions, where + 2, -z - ALLOWANCE, 0.0, offset, ts)
    _add(row, seen, 0.0)
