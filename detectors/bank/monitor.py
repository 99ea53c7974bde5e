"""A scaled signal of one sensor, watched by compiled detectors: the usual event, nothing to tell.

The same steps in the same order as `detectors.signal.SignalMonitor.update`, to the last bit. What
is rare is not repeated here: `observe` returns `TELL` where the monitor would have a finding, would
begin anew or would meet a number beyond 1e100; the caller then puts the row back as it was, and
lets a `SignalMonitor` made by `thaw` take the value.

The state of a monitor is `SLOTS` numbers of a sensor's row, then the slots of DDM and of
Page-Hinkley; where its two sums began is kept as integers (offset and microseconds); ADWIN has
arrays of its own. ADWIN learns a value last of all, by the caller, since only it can't be put
back cheaply.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.adwin import Adwin
from detectors.bank import adwin, adwin_layout, adwin_river, ddm, page_hinkley
from detectors.bank.reference import reference_of
from detectors.base import LARGEST
from detectors.calibration import Reference
from detectors.ddm import Ddm
from detectors.excursions import FIRST, HIGH, OVER, limit_of, next_due, under_way
from detectors.excursions import REACH as REACH_OF_A_SUM
from detectors.page_hinkley import PageHinkley
from detectors.signal import (
    ALLOWANCE,
    CLIP,
    FEWEST_ONES,
    LEARNABLE,
    OUTWEIGHS,
    PATIENCE,
    STALE,
    Z_LIMIT,
    Z_LIMIT_OF_A_CONSTANT,
    Position,
    SignalMonitor,
)
from schemas.compiled import compiled

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]

# What `observe` returns first.
FED: Final = 0
"""The second number is what ADWIN is to learn."""
KEPT: Final = 1
"""The value went into the warm-up."""
CALIBRATED: Final = 2
"""It was the last one of the warm-up: ADWIN has learned all of it."""
TELL: Final = 3
"""The plain monitor has to take the value; the row is to be put back."""

PRESENT: Final = 0
BUFFERED: Final = 1
BEYOND: Final = 2
WILD: Final = 3
REF_N: Final = 4
REF_MEAN: Final = 5
REF_STD: Final = 6
REF_SCALE: Final = 7
REF_LIMIT: Final = 8
REF_OUTLIERS: Final = 9
PER_SCALE: Final = 10
REACH: Final = 11
SEEN_N: Final = 12
SEEN_MEAN: Final = 13
SEEN_M2: Final = 14
UP: Final = 15
DOWN: Final = 23
ONES: Final = 31
BIT_PATIENCE: Final = 32
CALM: Final = 33
TOP: Final = 34
LARGEST_TOP: Final = 35
EXCURSIONS: Final = 36
EXCESS: Final = 37
DUE: Final = 38
LEVEL: Final = 39
"""Which of `detectors.strictness.FACTORS` the limits are multiplied by."""
DDM: Final = 40
PH: Final = DDM + ddm.SLOTS
SLOTS: Final = PH + page_hinkley.SLOTS
"""Numbers in a row that one monitor takes."""

# Of a side, from `UP` or `DOWN` on.
SUM: Final = 0
BEFORE: Final = 1
SINCE: Final = 4
TILT: Final = 7
SIDE: Final = 8
"""Slots of a side."""

POSITIONS: Final = 4
"""Integers that one monitor takes: offset and time of where each side began."""

# Parameters of a monitor.
WARMUP: Final = 0
HAS_ADWIN: Final = 1
HAS_DDM: Final = 2
HAS_PH: Final = 3
CALIBRATES: Final = 4
BUDGET: Final = 5
"""False alarms per event of a sensor; 0 if that depends on more than the configuration."""
FACTOR: Final = 6
"""By what a limit that is taken from the signal is multiplied."""
ADWIN_P: Final = 7
DDM_P: Final = ADWIN_P + adwin.PARAMETERS
PH_P: Final = DDM_P + ddm.PARAMETERS
PARAMETERS: Final = PH_P + page_hinkley.PARAMETERS

NAMES: Final = ("adwin", "ddm", "page-hinkley")
"""The detectors that there are banks of."""


_limit_of = compiled(limit_of)
next_due_of = compiled(next_due)
_under_way = compiled(under_way)


@compiled
def _add(row: Floats, at: int, x: float) -> None:
    n = row[at] + 1.0
    row[at] = n
    delta = x - row[at + 1]
    mean = row[at + 1] + delta / n
    row[at + 1] = mean
    row[at + 2] += delta * (x - mean)


@compiled
def _lean(
    row: Floats,
    side: int,
    seen: int,
    positions: Integers,
    where: int,
    evidence: float,
    x: float,
    offset: int,
    ts: int,
) -> None:
    """Add a value to one side of the CUSUM, as `SignalMonitor.update` does."""
    total = row[side] + evidence
    if total > 0.0:
        if row[side] == 0.0 or evidence > row[side] + OUTWEIGHS:
            positions[where] = offset
            positions[where + 1] = ts
            row[side + 1] = row[seen]
            row[side + 2] = row[seen + 1]
            row[side + 3] = row[seen + 2]
            row[side + 4] = 0.0
            row[side + 5] = 0.0
            row[side + 6] = 0.0
            row[side + TILT] = 0.0
        row[side] = total
        _add(row, side + SINCE, x)
        row[side + TILT] += row[side + SINCE] * x
    else:
        row[side] = 0.0


@compiled
def _step_ddm(row: Floats, at: int, bit: float, params: Floats, p: int) -> int:
    """Take a bit as `_Attached.step` does: 0 nothing, 1 drift, 2 a warning begins."""
    row[at + ONES] += bit
    if row[at + BIT_PATIENCE] > 0.0:
        row[at + BIT_PATIENCE] -= 1.0
    else:
        found = ddm.step(row, at + DDM, bit, params, p + DDM_P)
        if found != 1:
            if found != 2 or row[at + ONES] < FEWEST_ONES:
                if row[at + CALM] < PATIENCE:
                    row[at + CALM] += 1.0
                return 0
            begins = row[at + CALM] >= PATIENCE
            row[at + CALM] = 0.0
            return 2 if begins else 0
        if row[at + ONES] < FEWEST_ONES:
            row[at + BIT_PATIENCE] = PATIENCE
    if row[at + ONES] >= FEWEST_ONES:
        return 1
    if row[at + BIT_PATIENCE] == 0.0:
        row[at + ONES] = 0.0
    return 0


@compiled
def _restart_ddm(row: Floats, at: int) -> None:
    ddm.reset(row, at + DDM)
    row[at + ONES] = 0.0
    row[at + BIT_PATIENCE] = 0.0
    row[at + CALM] = PATIENCE


@compiled
def _step_page_hinkley(row: Floats, at: int, z: float, params: Floats, p: int) -> bool:
    """Take a value as `_Attached.step` does, and tell whether it is a drift."""
    calibrates = params[p + CALIBRATES] > 0.0
    if calibrates:
        z = max(min(z, REACH_OF_A_SUM), -REACH_OF_A_SUM)
    if page_hinkley.step(row, at + PH, z, params, p + PH_P) == 1:
        return True
    if calibrates:
        score = page_hinkley.score(row, at + PH, params, p + PH_P)
        if score >= OVER:
            if score > row[at + TOP]:
                row[at + TOP] = score
        elif score >= 0.0:
            if row[at + TOP] > HIGH:
                row[at + EXCURSIONS] += 1.0
                row[at + EXCESS] += row[at + TOP] - HIGH
                if row[at + TOP] > row[at + LARGEST_TOP]:
                    row[at + LARGEST_TOP] = row[at + TOP]
            row[at + TOP] = 0.0
    return False


@compiled
def _restart_page_hinkley(row: Floats, at: int) -> None:
    page_hinkley.reset(row, at + PH)
    row[at + TOP] = 0.0
    row[at + LARGEST_TOP] = 0.0
    row[at + EXCURSIONS] = 0.0
    row[at + EXCESS] = 0.0


@compiled
def _clip(row: Floats, at: int, x: float, scales: float) -> float:
    """Limit `x` to so many scales from the reference."""
    reach = scales * row[at + REF_SCALE]
    low = row[at + REF_MEAN] - reach
    high = row[at + REF_MEAN] + reach
    limited = x
    if low > limited:
        limited = low
    if high < limited:
        limited = high
    return limited


@compiled
def clip(row: Floats, at: int, x: float) -> float:
    """Limit `x` as `SignalMonitor.clip` does; as it is during the warm-up."""
    if row[at + REF_N] == 0.0:
        return x
    return _clip(row, at, x, CLIP)


@compiled
def learnable(row: Floats, at: int, x: float) -> float:
    """Limit `x` as `SignalMonitor.learnable` does; as it is during the warm-up."""
    if row[at + REF_N] == 0.0:
        return x
    return _clip(row, at, x, LEARNABLE)


@compiled
def _calibrate(
    row: Floats,
    at: int,
    buffer: Floats,
    head: Floats,
    head_at: int,
    counts: Counts,
    buckets: Floats,
    params: Floats,
    p: int,
) -> int:
    """Take the reference from the warm-up, and show that to the detectors, as the monitor does."""
    values = buffer[: int(params[p + WARMUP])]
    reference_of(values, row[at + REF_N : at + REF_N + 6])
    scale = row[at + REF_SCALE]
    mean = row[at + REF_MEAN]
    limit = row[at + REF_LIMIT]
    per_scale = 1.0 / scale
    row[at + PER_SCALE] = per_scale
    reach = Z_LIMIT if row[at + REF_STD] > 0.0 else Z_LIMIT_OF_A_CONSTANT
    row[at + REACH] = reach
    row[at + BUFFERED] = 0.0
    wild = False
    for x in values:
        if _clip(row, at, x, CLIP) != x:
            wild = True
            break
    row[at + WILD] = 1.0 if wild else 0.0
    for x in values:
        z = (x - mean) * per_scale
        if z < -reach:
            z = -reach
        if z > reach:
            z = reach
        _add(row, at + SEEN_N, mean + z * scale)
        if params[p + HAS_DDM] > 0.0 and (
            _step_ddm(row, at, 1.0 if x > limit else 0.0, params, p) == 1
        ):
            _restart_ddm(row, at)
        if params[p + HAS_PH] > 0.0 and _step_page_hinkley(row, at, z, params, p):
            _restart_page_hinkley(row, at)
        if params[p + HAS_ADWIN] > 0.0:
            found = adwin.step(head, head_at, counts, buckets, z, params, p + ADWIN_P)
            if found < 0:
                return TELL
            if found == 1:
                adwin_layout.reset(head, head_at, counts, buckets)
    return TELL if wild else CALIBRATED


@compiled
def observe(
    row: Floats,
    at: int,
    positions: Integers,
    where: int,
    buffer: Floats,
    head: Floats,
    head_at: int,
    counts: Counts,
    buckets: Floats,
    params: Floats,
    p: int,
    x: float,
    offset: int,
    ts: int,
) -> tuple[int, float]:
    """Take the signal's next value.

    Parameters
    ----------
    row, at
        The sensor's row, and the monitor's first slot in it.
    positions, where
        The sensor's integers, and the monitor's first one.
    buffer
        Shape (warmup,): the values of the warm-up.
    head, head_at, counts, buckets
        Of its ADWIN; see `detectors.bank.adwin`.
    params, p
        See `parameters`; from `p` on.
    x, offset, ts
        The value and where it comes from.

    Returns
    -------
    (int, float)
        `FED` and what ADWIN is to learn, `KEPT`, `CALIBRATED` or `TELL`.
    """
    if not (x >= -LARGEST and x <= LARGEST):
        return TELL, 0.0
    row[at + PRESENT] = 1.0
    if row[at + REF_N] == 0.0:
        n = int(row[at + BUFFERED])
        buffer[n] = x
        row[at + BUFFERED] = n + 1.0
        if n + 1.0 < params[p + WARMUP]:
            return KEPT, 0.0
        if params[p + CALIBRATES] > 0.0 and n + 1.0 >= row[at + DUE]:
            return TELL, 0.0
        return _calibrate(row, at, buffer, head, head_at, counts, buckets, params, p), 0.0
    mean = row[at + REF_MEAN]
    z = (x - mean) * row[at + PER_SCALE]
    reach = row[at + REACH]
    if z >= -reach and z <= reach:
        row[at + BEYOND] = 0.0
    else:
        if not (z >= -CLIP and z <= CLIP):
            row[at + BEYOND] += 1.0
            if row[at + BEYOND] >= max(float(STALE), params[p + WARMUP]):
                return TELL, 0.0
        z = math.copysign(reach, z)
    usual = mean + z * row[at + REF_SCALE]
    seen = at + SEEN_N
    _lean(row, at + UP, seen, positions, where, z - ALLOWANCE, x, offset, ts)
    _lean(row, at + DOWN, seen, positions, where + 2, -z - ALLOWANCE, x, offset, ts)
    _add(row, seen, usual)
    if params[p + HAS_DDM] > 0.0:
        bit = 1.0 if x > row[at + REF_LIMIT] else 0.0
        if _step_ddm(row, at, bit, params, p) != 0:
            return TELL, 0.0
    if params[p + HAS_PH] > 0.0 and _step_page_hinkley(row, at, z, params, p):
        return TELL, 0.0
    return FED, z


@compiled
def calibrate(row: Floats, at: int, params: Floats, p: int, rate: float) -> bool:
    """Take the limit of the sum anew if that is due, as `SignalMonitor.calibrate` does.

    Parameters
    ----------
    row, at, params, p
        As of `observe`.
    rate
        False alarms per value that each detector may have; 0 if it is not known here.

    Returns
    -------
    bool
        Whether it is due, and has to be done elsewhere.
    """
    n = row[at + SEEN_N]
    if not (params[p + CALIBRATES] > 0.0 and row[at + REF_N] > 0.0 and n >= row[at + DUE]):
        return False
    if rate == 0.0:
        return True
    row[at + DUE] = next_due_of(n)
    if _under_way(row[at + TOP], page_hinkley.threshold_of(row, at + PH, params, p + PH_P), n):
        return False
    largest = max(row[at + LARGEST_TOP], row[at + TOP])
    limit = _limit_of(row[at + EXCURSIONS], row[at + EXCESS], largest, n, rate)
    page_hinkley.calibrate(row, at + PH, params[p + FACTOR] * limit)
    return False


@compiled
def reset(row: Floats, at: int) -> None:
    """Make it the monitor of a signal of which nothing was seen; its ADWIN stays as it is."""
    for slot in range(SLOTS):
        row[at + slot] = 0.0
    _restart_ddm(row, at)
    _restart_page_hinkley(row, at)
    row[at + DUE] = FIRST


def parameters(
    detectors: tuple[tuple[str, dict[str, Any]], ...],
    warmup: int,
    calibrated: Collection[str],
    budget: float,
    factor: float = 1.0,
) -> Floats:
    """Numbers that `observe` needs to know of a monitor's configuration.

    Parameters
    ----------
    detectors
        Names, all of them among `NAMES`, and parameters, as for a `SignalMonitor`.
    warmup
        Values the reference is taken from.
    calibrated
        As of `SignalMonitor`.
    budget, factor
        See `BUDGET` and `FACTOR`.
    """
    numbers = np.zeros(PARAMETERS)
    numbers[BUDGET] = budget
    numbers[FACTOR] = factor
    numbers[WARMUP] = warmup
    for name, given in detectors:
        if name == "adwin":
            numbers[HAS_ADWIN] = 1.0
            numbers[ADWIN_P:DDM_P] = adwin.parameters(Adwin(**given))
        elif name == "ddm":
            numbers[HAS_DDM] = 1.0
            numbers[DDM_P:PH_P] = ddm.parameters(Ddm(**given))
        else:
            numbers[HAS_PH] = 1.0
            numbers[CALIBRATES] = name in calibrated
            numbers[PH_P:PARAMETERS] = page_hinkley.parameters(PageHinkley(**given))
    return numbers


def freeze(
    monitor: SignalMonitor,
    row: Floats,
    at: int,
    positions: Integers,
    where: int,
    buffer: Floats,
    head: Floats,
    head_at: int,
    counts: Counts,
    buckets: Floats,
) -> bool:
    """Write a monitor's state into a row.

    Returns
    -------
    bool
        False if its ADWIN has grown too large for the arrays; they are then of no use.
    """
    reset(row, at)
    row[at + PRESENT] = 1.0
    row[at + BUFFERED] = len(monitor._buffer)
    buffer[: len(monitor._buffer)] = monitor._buffer
    row[at + BEYOND] = monitor._beyond
    row[at + WILD] = monitor._wild
    reference = monitor._reference
    if reference is not None:
        row[at + REF_N : at + REF_N + 6] = (
            reference.n,
            reference.mean,
            reference.std,
            reference.scale,
            reference.limit,
            reference.outliers,
        )
        row[at + PER_SCALE] = monitor._per_scale
        row[at + REACH] = monitor._reach
    seen = monitor._seen
    row[at + SEEN_N : at + SEEN_N + 3] = seen.n, seen.mean, seen.m2
    row[at + DUE] = monitor._due if math.isfinite(monitor._due) else FIRST
    for side, slot, place in ((monitor._up, UP, where), (monitor._down, DOWN, where + 2)):
        began = side.began
        if side.sum == 0.0 or began is None:
            # What a sum of 0 began with is never looked at again.
            positions[place : place + 2] = 0
            continue
        positions[place], positions[place + 1] = began.offset, began.ts
        row[at + slot] = side.sum
        row[at + slot + 1 : at + slot + 4] = side.before.n, side.before.mean, side.before.m2
        row[at + slot + 4 : at + slot + 7] = side.since.n, side.since.mean, side.since.m2
        row[at + slot + TILT] = side.tilt
    for attached in monitor._attached:
        detector = attached.detector
        if isinstance(detector, Ddm):
            ddm.freeze(detector, row, at + DDM)
            row[at + ONES] = attached.ones
            row[at + BIT_PATIENCE] = attached.patience
            row[at + CALM] = min(attached.calm, PATIENCE)
        elif isinstance(detector, PageHinkley):
            page_hinkley.freeze(detector, row, at + PH)
            past = attached.excursions
            if past is not None:
                row[at + TOP : at + EXCESS + 1] = (
                    past.top,
                    past.largest,
                    past.count,
                    past.excess,
                )
        elif isinstance(detector, Adwin) and not adwin_river.freeze(
            detector, head, head_at, counts, buckets
        ):
            return False
    return True


def thaw(
    monitor: SignalMonitor,
    row: Floats,
    at: int,
    positions: Integers,
    where: int,
    buffer: Floats,
    head: Floats,
    head_at: int,
    counts: Counts,
    buckets: Floats,
) -> None:
    """Bring a monitor of the same configuration to the state that a row holds."""
    monitor.reset()
    monitor._buffer = [float(x) for x in buffer[: int(row[at + BUFFERED])]]
    monitor._beyond = int(row[at + BEYOND])
    monitor._wild = bool(row[at + WILD])
    if row[at + REF_N] > 0.0:
        n, mean, std, scale, limit, outliers = row[at + REF_N : at + REF_N + 6].tolist()
        monitor._reference = Reference(int(n), mean, std, scale, limit, int(outliers))
        monitor._per_scale = float(row[at + PER_SCALE])
        monitor._reach = float(row[at + REACH])
    _thaw_moments(monitor._seen, row, at + SEEN_N)
    for side, slot, place in ((monitor._up, UP, where), (monitor._down, DOWN, where + 2)):
        side.sum = float(row[at + slot])
        if side.sum == 0.0:
            continue
        side.began = Position(int(positions[place]), int(positions[place + 1]))
        _thaw_moments(side.before, row, at + slot + BEFORE)
        _thaw_moments(side.since, row, at + slot + SINCE)
        side.tilt = float(row[at + slot + TILT])
    for attached in monitor._attached:
        detector = attached.detector
        if isinstance(detector, Ddm):
            ddm.thaw(row, at + DDM, detector)
            attached.ones = int(row[at + ONES])
            attached.patience = int(row[at + BIT_PATIENCE])
            attached.calm = int(row[at + CALM])
        elif isinstance(detector, PageHinkley):
            page_hinkley.thaw(row, at + PH, detector)
            if attached.excursions is not None:
                attached.excursions.top = float(row[at + TOP])
                attached.excursions.largest = float(row[at + LARGEST_TOP])
                attached.excursions.count = int(row[at + EXCURSIONS])
                attached.excursions.excess = float(row[at + EXCESS])
                monitor._due = int(row[at + DUE])
        elif isinstance(detector, Adwin):
            adwin_river.thaw(head, head_at, counts, buckets, detector)


def _thaw_moments(moments: Any, row: Floats, at: int) -> None:
    moments.n = int(row[at])
    moments.mean = float(row[at + 1])
    moments.m2 = float(row[at + 2])


def saw_only_zeros(monitor: SignalMonitor) -> bool:
    """Tell whether an unscaled signal was 0 at all times, so that its count says everything."""
    return monitor._seen.mean == 0.0 and monitor._seen.m2 == 0.0


def zeros_seen(monitor: SignalMonitor) -> int:
    """Return how many values a signal had since its monitor began."""
    return monitor._seen.n


def show_zeros(monitor: SignalMonitor, count: int) -> None:
    """Bring a new monitor of an unscaled signal to where `count` zeros would have brought it.

    Its only detector is an ADWIN.
    """
    monitor._seen.n = count
    for attached in monitor._attached:
        detector = attached.detector
        assert isinstance(detector, Adwin)
        head = np.zeros(adwin_layout.HEAD)
        counts = np.zeros(adwin_layout.LEVELS, np.int32)
        buckets = np.zeros((2, adwin_layout.LEVELS, detector.parameters["max_buckets"] + 1))
        adwin_layout.zeros(head, 0, counts, buckets, count)
        adwin_river.thaw(head, 0, counts, buckets, detector)
