"""The usual event of a sensor, compiled: scored, learned and judged, and nothing to tell.

The order is that of `streams.sensor.score`. Whatever is not usual (a finding, a model that has
diverged, the end of an episode, a message of another shape) is left to it: `run` stops there, and
the row is as it was before that event. Only the blocks that a row has taken stay its own.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.bank import adwin, adwin_layout, hygiene, monitor, season, unscaled
from detectors.budget import SMALLEST
from learners import bank as learner
from learners import contest
from learners.base import LARGEST
from schemas.compiled import compiled
from streams.bank import blocks
from streams.bank.layout import (
    CONTEST,
    CONTEST_BLOCK,
    DUE,
    DUE_FROM,
    ERROR,
    ERROR_BEGAN,
    ERROR_BLOCK,
    EVENTS,
    EXAMPLES,
    FIRST_TS,
    GAPS_BLOCK,
    HYGIENE,
    HYGIENE_AT,
    LAST_LABELLED,
    LAST_OFFSET,
    LAST_TS,
    LEARNER,
    MISSING,
    MISSING_BLOCK,
    OPEN,
    PREQUENTIAL,
    QUIET,
    RENEWED_AT,
    SEASON,
    SEASON_AT,
    VALUE,
    VALUE_BEGAN,
    VALUE_BLOCK,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Why `run` stopped.
END: Final = 0
PLAIN: Final = 1
"""The event is to be taken by the plain path."""
UNKNOWN: Final = 2
"""Its sensor has no row yet."""
FULL: Final = 3
"""More blocks are needed."""

# Scalars of a bank, as `run` takes them.
LAGS: Final = 0
GRACE: Final = 1
QUIET_EVENTS: Final = 2
WARMUP: Final = 3
VALUE_ADWIN: Final = 4
ERROR_ADWIN: Final = 5
"""Whether one watches that signal."""
VALUE_DETECTORS: Final = 6
ERROR_DETECTORS: Final = 7
CHALLENGER_EVENTS: Final = 8
RETRAIN_MIN_EVENTS: Final = 9
SCALARS: Final = 10


MOST_ZEROS: Final = 2**26
"""Values of a signal that are kept as a count alone: more do not fit into the arrays of ADWIN."""


@compiled
def find(
    data: npt.NDArray[np.uint8],
    at: int,
    length: int,
    hashed: np.uint64,
    hashes: npt.NDArray[np.uint64],
    numbers: npt.NDArray[np.int32],
    arena: npt.NDArray[np.uint8],
    arena_at: Integers,
) -> int:
    """Return the row of a sensor id, -1 if it has none.

    Parameters
    ----------
    data, at, length, hashed
        The id's bytes, and their hash, never 0.
    hashes, numbers
        Open addressing: hash and row by slot, 0 where there is none. A power of two of them.
    arena, arena_at
        The ids' bytes one after another; row n has those from ``arena_at[n]`` to
        ``arena_at[n + 1]``.
    """
    mask = np.uint64(hashes.shape[0] - 1)
    slot = hashed & mask
    while hashes[slot] != 0:
        if hashes[slot] == hashed:
            number = numbers[slot]
            begins = arena_at[number]
            if arena_at[number + 1] - begins == length:
                same = True
                for place in range(length):
                    if arena[begins + place] != data[at + place]:
                        same = False
                        break
                if same:
                    return int(number)
        slot = (slot + np.uint64(1)) & mask
    return -1


@compiled
def _watch_and_learn(
    row: Floats,
    integers: Integers,
    held: npt.NDArray[np.int32],
    room: Any,
    value_buffer: Floats,
    error_buffer: Floats,
    parameters: Floats,
    checks: Floats,
    scalars: Integers,
    value: float,
    offset: int,
    ts: int,
    arrived: int,
) -> int:
    """Take one event: 0 done, 1 the row is to be put back, 2 its ADWINs too."""
    lags = scalars[LAGS]
    of_value = parameters[int(row[VALUE + monitor.LEVEL]), 0]
    of_error = parameters[int(row[ERROR + monitor.LEVEL]), 1]
    heads, counts, buckets, values, _, _, rest = room
    first, second = held[VALUE_BLOCK], held[ERROR_BLOCK]
    if row[EVENTS] == 0.0:
        integers[FIRST_TS] = ts
    row[EVENTS] += 1.0
    has_gaps = row[MISSING] < 0.0
    if has_gaps:
        gaps = held[GAPS_BLOCK]
        unscaled.observe_zero(values[gaps], 0, rest[gaps], monitor.SLOTS, offset, ts)
    else:
        row[MISSING] += 1.0
        if row[MISSING] > MOST_ZEROS:
            return 1
    last_ts = integers[LAST_TS]
    integers[LAST_OFFSET] = offset
    integers[LAST_TS] = ts
    if hygiene.observe(
        row, HYGIENE, integers, HYGIENE_AT, checks, value, offset, ts, last_ts, arrived
    ):
        return 1
    usual = math.nan
    if row[SEASON + season.HOLDS] > 0.0 and row[VALUE + monitor.REF_N] > 0.0:
        usual = row[VALUE + monitor.REF_MEAN]
    of_the_hour = season.expected(row, SEASON, integers, SEASON_AT, ts)
    value_to_adwin = False
    value_fed = 0.0
    if of_the_hour == of_the_hour:
        left = value - of_the_hour
        limited = monitor.learnable(row, VALUE, left)
        clipped = limited + of_the_hour
        found, value_fed = monitor.observe(
            row,
            VALUE,
            integers,
            VALUE_BEGAN,
            value_buffer,
            heads[first],
            0,
            counts[first],
            buckets[first],
            of_value,
            0,
            left,
            offset,
            ts,
        )
        if found == monitor.TELL:
            return 2
        value_to_adwin = found == monitor.FED
    else:
        limited = monitor.clip(row, VALUE, value)
        clipped = limited
    if season.advance(row, SEASON, integers, SEASON_AT, ts, limited, usual):
        return 2
    error_to_adwin = False
    error_fed = 0.0
    error = learner.error(row, LEARNER, clipped)
    challenged = row[CONTEST] > 0.0
    rival = values[held[CONTEST_BLOCK]]
    if challenged:
        contest.observe(rival, error, clipped, scalars[CHALLENGER_EVENTS])
    if not math.isnan(error) and error < LARGEST:
        learner.observe(row, PREQUENTIAL, error)
        if row[LEARNER + learner.LEARNED] >= scalars[GRACE]:
            found, error_fed = monitor.observe(
                row,
                ERROR,
                integers,
                ERROR_BEGAN,
                error_buffer,
                heads[second],
                0,
                counts[second],
                buckets[second],
                of_error,
                0,
                error,
                offset,
                ts,
            )
            if found == monitor.TELL:
                return 2
            error_to_adwin = found == monitor.FED
    if learner.learn(row, LEARNER, lags, clipped) != 0:
        return 2
    if challenged:
        if contest.learn(rival, lags, clipped) != 0:
            return 2
        if contest.is_over(rival, scalars[CHALLENGER_EVENTS]):
            return 2
    row[EXAMPLES] += 1.0
    if offset > integers[LAST_LABELLED]:
        integers[LAST_LABELLED] = offset
    if row[DUE] > 0.0 and offset >= integers[DUE_FROM]:
        row[DUE] += 1.0
        if row[DUE] > scalars[RETRAIN_MIN_EVENTS]:
            return 2
    if row[OPEN] > 0.0:
        row[QUIET] += 1.0
        if row[QUIET] >= scalars[QUIET_EVENTS]:
            return 2
    if has_gaps:
        third = held[MISSING_BLOCK]
        found = adwin.step(
            heads[third],
            0,
            counts[third],
            buckets[third],
            0.0,
            parameters[int(values[gaps, monitor.LEVEL]), 2],
            monitor.ADWIN_P,
        )
        if found != 0:
            return 2
    watching = scalars[VALUE_DETECTORS]
    if row[ERROR + monitor.PRESENT] > 0.0:
        watching += scalars[ERROR_DETECTORS]
    rate = of_value[monitor.BUDGET]
    if rate > 0.0:
        rate = max(rate / max(watching, 1), SMALLEST)
    if monitor.calibrate(row, VALUE, of_value, 0, rate):
        return 2
    if monitor.calibrate(row, ERROR, of_error, 0, rate):
        return 2
    if value_to_adwin and scalars[VALUE_ADWIN] != 0:
        found = adwin.step(
            heads[first],
            0,
            counts[first],
            buckets[first],
            value_fed,
            of_value,
            monitor.ADWIN_P,
        )
        if found != 0:
            return 2
    if error_to_adwin and scalars[ERROR_ADWIN] != 0:
        found = adwin.step(
            heads[second],
            0,
            counts[second],
            buckets[second],
            error_fed,
            of_error,
            monitor.ADWIN_P,
        )
        if found != 0:
            return 2
    return 0


@compiled
def _has_room(row: Floats, held: npt.NDArray[np.int32], room: Any, scalars: Integers) -> bool:
    """Have blocks for what the next event may need; False if there are none left."""
    if held[VALUE_BLOCK] == blocks.NOBODYS and (
        scalars[VALUE_ADWIN] != 0 or row[VALUE + monitor.REF_N] == 0.0
    ):
        held[VALUE_BLOCK] = blocks.take(room)
        if held[VALUE_BLOCK] == blocks.NOBODYS:
            return False
    if (
        held[ERROR_BLOCK] == blocks.NOBODYS
        and (scalars[ERROR_ADWIN] != 0 or row[ERROR + monitor.REF_N] == 0.0)
        and row[LEARNER + learner.LEARNED] >= scalars[GRACE]
    ):
        held[ERROR_BLOCK] = blocks.take(room)
        if held[ERROR_BLOCK] == blocks.NOBODYS:
            return False
    return True


@compiled
def _give_back(row: Floats, held: npt.NDArray[np.int32], room: Any, scalars: Integers) -> None:
    """Free the blocks of warm-ups that are over."""
    if scalars[VALUE_ADWIN] == 0 and row[VALUE + monitor.REF_N] > 0.0:
        blocks.give_back(room, held[VALUE_BLOCK])
        held[VALUE_BLOCK] = blocks.NOBODYS
    if scalars[ERROR_ADWIN] == 0 and row[ERROR + monitor.REF_N] > 0.0:
        blocks.give_back(room, held[ERROR_BLOCK])
        held[ERROR_BLOCK] = blocks.NOBODYS


@compiled
def _ends_warm_up(row: Floats, at: int, scalars: Integers) -> bool:
    return bool(row[at + monitor.BUFFERED] >= scalars[WARMUP] - 1.0)


@compiled
def _may_leave_it(room: Any, block: int, parameters: Floats) -> bool:
    """Tell whether an ADWIN may leave the next event to the plain path."""
    heads, counts, buckets, _, _, _, _ = room
    return adwin.due(heads[block], 0, parameters, monitor.ADWIN_P) or adwin.is_full(
        counts[block], buckets[block]
    )


@compiled
def _copy(source: Any, target: Any) -> None:
    for slot in range(source.shape[0]):
        target[slot] = source[slot]


@compiled
def _copy_some(source: Any, target: Any) -> None:
    """Copy as much as there is room for."""
    for slot in range(min(source.shape[0], target.shape[0])):
        target[slot] = source[slot]


@compiled
def _copy_adwin(
    head: Any, counts: Any, buckets: Any, to_head: Any, to_counts: Any, to_buckets: Any
) -> None:
    _copy(head, to_head)
    _copy(counts, to_counts)
    for level in range(int(head[adwin_layout.LEVELS_USED])):
        for side in range(2):
            _copy(buckets[side, level], to_buckets[side, level])


@compiled
def _save_adwins(held: npt.NDArray[np.int32], room: Any, spare: Any) -> None:
    heads, counts, buckets, _, _, _, _ = room
    for signal in range(held.shape[0]):
        n = held[signal]
        if n != blocks.NOBODYS:
            _copy_adwin(
                heads[n],
                counts[n],
                buckets[n],
                spare[2][signal],
                spare[3][signal],
                spare[4][signal],
            )


@compiled
def _put_adwins_back(held: npt.NDArray[np.int32], room: Any, spare: Any) -> None:
    heads, counts, buckets, _, _, _, _ = room
    for signal in range(held.shape[0]):
        n = held[signal]
        if n != blocks.NOBODYS:
            _copy_adwin(
                spare[2][signal],
                spare[3][signal],
                spare[4][signal],
                heads[n],
                counts[n],
                buckets[n],
            )


@compiled
def run(
    start: int,
    stop: int,
    data: npt.NDArray[np.uint8],
    plain: npt.NDArray[np.uint8],
    id_at: Integers,
    id_length: Integers,
    id_hash: npt.NDArray[np.uint64],
    ts: Integers,
    value: Floats,
    offsets: Integers,
    arrived: Integers,
    hashes: npt.NDArray[np.uint64],
    numbers: npt.NDArray[np.int32],
    arena: npt.NDArray[np.uint8],
    arena_at: Integers,
    elsewhere: npt.NDArray[np.uint8],
    dirty: npt.NDArray[np.uint8],
    rows: Floats,
    integers: Integers,
    held: npt.NDArray[np.int32],
    room: Any,
    spare: Any,
    parameters: Floats,
    checks: Floats,
    scalars: Integers,
) -> tuple[int, int]:
    """Take events in order, until one that is not usual.

    Parameters
    ----------
    start, stop
        Which of them.
    data, plain, id_at, id_length, id_hash, ts, value
        See `schemas.columns`.
    offsets, arrived
        Shape (n,): of the records, and the broker's time for each in milliseconds.
    hashes, numbers, arena, arena_at
        See `find`.
    elsewhere
        By row: whether the sensor is an object of the plain path just now.
    dirty
        By row: set where an event was taken.
    rows, integers, held
        The bank, its first axis the row; the last says which block each signal has.
    room
        See `streams.bank.blocks.Blocks.arrays`.
    spare
        Room for one row of each of `rows` and `integers`, for heads, counts and buckets of the
        ADWIN of each signal, for the values of their warm-ups, for the monitor of ``missing``, and
        for a contest.
    parameters, checks, scalars
        What its rows have in common.

    Returns
    -------
    (int, int)
        How far it came, and `END`, `PLAIN`, `UNKNOWN` or `FULL`.
    """
    spare_row, spare_integers, _, _, _, spare_buffers, spare_gaps, spare_contest = spare
    values = room[3]
    rest = room[6]
    for n in range(start, stop):
        if plain[n] == 0:
            return n, PLAIN
        number = find(data, id_at[n], id_length[n], id_hash[n], hashes, numbers, arena, arena_at)
        if number < 0:
            return n, UNKNOWN
        if elsewhere[number] != 0 or offsets[n] <= integers[number, RENEWED_AT]:
            return n, PLAIN
        row = rows[number]
        own_integers = integers[number]
        own = held[number]
        if not _has_room(row, own, room, scalars):
            return n, FULL
        _copy(row, spare_row)
        _copy(own_integers, spare_integers)
        first, second = own[VALUE_BLOCK], own[ERROR_BLOCK]
        value_buffer, error_buffer = values[first], values[second]
        # Its ADWIN learns the whole warm-up at its end, and overwrites it.
        value_ends = _ends_warm_up(row, VALUE, scalars)
        if value_ends:
            _copy_some(value_buffer, spare_buffers[VALUE_BLOCK])
            value_buffer = spare_buffers[VALUE_BLOCK]
        error_ends = _ends_warm_up(row, ERROR, scalars)
        if error_ends:
            _copy_some(error_buffer, spare_buffers[ERROR_BLOCK])
            error_buffer = spare_buffers[ERROR_BLOCK]
        ends = value_ends or error_ends
        saved = (
            ends
            or (scalars[VALUE_ADWIN] != 0 and _may_leave_it(room, first, parameters[0, 0]))
            or (scalars[ERROR_ADWIN] != 0 and _may_leave_it(room, second, parameters[0, 1]))
        )
        contested = own[CONTEST_BLOCK]
        if contested != blocks.NOBODYS:
            _copy_some(values[contested], spare_contest)
        gaps = own[GAPS_BLOCK]
        if gaps != blocks.NOBODYS:
            _copy_some(rest[gaps], spare_gaps)
            saved = saved or _may_leave_it(room, own[MISSING_BLOCK], parameters[0, 2])
        if saved:
            _save_adwins(own, room, spare)
        done = _watch_and_learn(
            row,
            own_integers,
            own,
            room,
            value_buffer,
            error_buffer,
            parameters,
            checks,
            scalars,
            value[n],
            offsets[n],
            ts[n],
            arrived[n],
        )
        if done != 0:
            _copy(spare_row, row)
            _copy(spare_integers, own_integers)
            if saved:
                _put_adwins_back(own, room, spare)
            if contested != blocks.NOBODYS:
                _copy_some(spare_contest, values[contested])
            if gaps != blocks.NOBODYS:
                _copy_some(spare_gaps, rest[gaps])
            if value_ends:
                _copy_some(value_buffer, values[first])
            if error_ends:
                _copy_some(error_buffer, values[second])
            return n, PLAIN
        if ends:
            _give_back(row, own, room, scalars)
        dirty[number] = 1
    return stop, END
