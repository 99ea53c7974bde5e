"""A row as bytes, and back: three sections, so that one may be dropped if its settings change.

======================  ===================================================
section                 holds
======================  ===================================================
sensor                  counts of events, last offset and time, open episode
learner                 model, prequential error, and a challenger if there is one
detectors               monitors, their warm-ups and their ADWINs
======================  ===================================================

Each begins with its length in four bytes, the low one first. What follows from other numbers (the
inverse of the scale), and what is never looked at again (a sum at 0 and what came with it), is left
out.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from detectors.bank import adwin_packing, monitor
from detectors.signal import Z_LIMIT, Z_LIMIT_OF_A_CONSTANT
from learners import contest
from schemas.compiled import allocating, compiled
from streams.bank import blocks
from streams.bank.layout import (
    CONTEST,
    CONTEST_BLOCK,
    ERROR,
    ERROR_BEGAN,
    ERROR_BLOCK,
    GAPS_BLOCK,
    INTEGERS,
    LEARNER,
    MISSING,
    MISSING_BLOCK,
    PREQUENTIAL,
    VALUE,
    VALUE_BEGAN,
    VALUE_BLOCK,
    Layout,
)
from streams.bank.numbers import put_floats, put_integers, take_floats, take_integers
from streams.bank.step import ERROR_ADWIN, VALUE_ADWIN

_ROOM: Final = 64
"""Numbers of a packed ADWIN beside its buckets: more than there are."""
_GAPS: Final = monitor.SLOTS + monitor.POSITIONS
_NEW_ADWIN: Final = 3
"""Numbers of one that has seen nothing, all 0."""
_OPENING: Final = PREQUENTIAL
_OF_THE_LEARNER: Final = VALUE - PREQUENTIAL


@compiled
def _close(out: Any, begins: int, at: int) -> None:
    length = at - begins - 4
    for place in range(4):
        out[begins + place] = np.uint8((length >> (8 * place)) & 255)


@compiled
def section_end(data: Any, at: int) -> int:
    """Return where the section that begins at `at` ends, and the next one begins."""
    length = 0
    for place in range(4):
        length |= int(data[at + place]) << (8 * place)
    return at + 4 + length


@compiled
def _canonical(row: Any, at: int, integers: Any, where: int) -> None:
    row[at + monitor.PER_SCALE] = 0.0
    row[at + monitor.REACH] = 0.0
    row[at + monitor.DUE] = 0.0
    for side in range(2):
        begins = at + (monitor.UP if side == 0 else monitor.DOWN)
        if row[begins] == 0.0:
            for slot in range(monitor.SIDE):
                row[begins + slot] = 0.0
            integers[where + 2 * side] = 0
            integers[where + 2 * side + 1] = 0


@compiled
def _complete(row: Any, at: int) -> None:
    row[at + monitor.DUE] = monitor.next_due_of(row[at + monitor.SEEN_N])
    if row[at + monitor.REF_N] > 0.0:
        row[at + monitor.PER_SCALE] = 1.0 / row[at + monitor.REF_SCALE]
        constant = not row[at + monitor.REF_STD] > 0.0
        row[at + monitor.REACH] = Z_LIMIT_OF_A_CONSTANT if constant else Z_LIMIT


@compiled
def _pack_adwin(room: Any, block: int, numbers: Any, out: Any, at: int) -> int:
    heads, counts, buckets, _, _, _, _ = room
    if block == blocks.NOBODYS:
        for n in range(_NEW_ADWIN):
            numbers[n] = 0.0
        used = _NEW_ADWIN
    else:
        used = adwin_packing.pack(heads[block], 0, counts[block], buckets[block], numbers, 0)
    out[at] = np.uint8(used & 255)
    out[at + 1] = np.uint8(used >> 8)
    return int(put_floats(numbers, 0, used, out, at + 2))


def room_to_pack(layout: Layout, levels: int) -> tuple[Any, ...]:
    """Return what `pack` works in.

    Parameters
    ----------
    layout
        Of the rows.
    levels
        Of their ADWINs.
    """
    longest = _ROOM + 2 * levels * (layout.max_buckets + 1)
    return (
        np.zeros(layout.width),
        np.zeros(INTEGERS, np.int64),
        np.zeros(max(longest, monitor.SLOTS)),
        np.zeros(monitor.POSITIONS, np.int64),
    )


@compiled
def pack(
    row: Any, integers: Any, held: Any, room: Any, scalars: Any, spare: Any, out: Any, at: int
) -> int:
    """Write a row to `out` from `at` on; return where it ends.

    Parameters
    ----------
    row, integers, held, room, scalars
        See `streams.bank.step.run`.
    spare
        Of `room_to_pack`.
    out, at
        Where to write; 8 bytes behind the end are written over.
    """
    width = row.shape[0]
    spare_row, spare_integers, numbers, positions = spare
    for n in range(width):
        spare_row[n] = row[n]
    for n in range(integers.shape[0]):
        spare_integers[n] = integers[n]
    _canonical(spare_row, VALUE, spare_integers, VALUE_BEGAN)
    _canonical(spare_row, ERROR, spare_integers, ERROR_BEGAN)

    begins = at
    at = put_floats(spare_row, 0, _OPENING, out, at + 4)
    at = put_integers(spare_integers, 0, VALUE_BEGAN, out, at)
    _close(out, begins, at)

    begins = at
    at = put_floats(spare_row, PREQUENTIAL, _OF_THE_LEARNER, out, at + 4)
    at = put_floats(spare_row, LEARNER, width - LEARNER, out, at)
    values = room[3]
    if row[CONTEST] > 0.0:
        at = put_floats(values[held[CONTEST_BLOCK]], 0, contest.LEARNER + width - LEARNER, out, at)
    _close(out, begins, at)

    begins = at
    at = put_floats(spare_row, VALUE, LEARNER - VALUE, out, at + 4)
    at = put_integers(spare_integers, VALUE_BEGAN, spare_integers.shape[0] - VALUE_BEGAN, out, at)
    at = put_floats(values[held[VALUE_BLOCK]], 0, int(row[VALUE + monitor.BUFFERED]), out, at)
    at = put_floats(values[held[ERROR_BLOCK]], 0, int(row[ERROR + monitor.BUFFERED]), out, at)
    if scalars[VALUE_ADWIN] != 0:
        at = _pack_adwin(room, held[VALUE_BLOCK], numbers, out, at)
    if scalars[ERROR_ADWIN] != 0:
        at = _pack_adwin(room, held[ERROR_BLOCK], numbers, out, at)
    if row[MISSING] < 0.0:
        gaps = held[GAPS_BLOCK]
        for n in range(monitor.SLOTS):
            numbers[n] = values[gaps, n]
        for n in range(monitor.POSITIONS):
            positions[n] = room[6][gaps, monitor.SLOTS + n]
        _canonical(numbers, 0, positions, 0)
        at = put_floats(numbers, 0, monitor.SLOTS, out, at)
        at = put_integers(positions, 0, monitor.POSITIONS, out, at)
        at = _pack_adwin(room, held[MISSING_BLOCK], numbers, out, at)
    _close(out, begins, at)
    return at


@compiled
def unpack_sensor(data: Any, at: int, row: Any, integers: Any) -> int:
    """Read the first section; return where the next one begins."""
    after = section_end(data, at)
    at = take_floats(data, at + 4, _OPENING, row, 0)
    take_integers(data, at, VALUE_BEGAN, integers, 0)
    return after


@compiled
def unpack_learner(data: Any, at: int, row: Any, beside: Any) -> int:
    """Read the second section; return where the next one begins.

    Parameters
    ----------
    data, at
        The bytes, and where the section begins.
    row
        Of which the first section was read.
    beside
        For its contest, if it has one.
    """
    after = section_end(data, at)
    width = row.shape[0] - LEARNER
    at = take_floats(data, at + 4, _OF_THE_LEARNER, row, PREQUENTIAL)
    at = take_floats(data, at, width, row, LEARNER)
    if row[CONTEST] > 0.0:
        take_floats(data, at, contest.LEARNER + width, beside, 0)
    return after


@compiled
def unpack_monitors(data: Any, at: int, row: Any, integers: Any) -> int:
    """Read what the third section begins with; return where the warm-ups begin."""
    at = take_floats(data, at + 4, LEARNER - VALUE, row, VALUE)
    at = take_integers(data, at, integers.shape[0] - VALUE_BEGAN, integers, VALUE_BEGAN)
    _complete(row, VALUE)
    _complete(row, ERROR)
    return int(at)


@compiled
def unpack_warm_up(data: Any, at: int, row: Any, monitor_at: int, buffer: Any) -> int:
    """Read the values of a warm-up; return where they end."""
    return int(take_floats(data, at, int(row[monitor_at + monitor.BUFFERED]), buffer, 0))


@allocating
def unpack_adwin(data: Any, at: int, head: Any, counts: Any, buckets: Any, check_only: bool) -> int:
    """Read an ADWIN; return where it ends, or minus the levels that it needs if there are fewer.

    With `check_only` nothing is written.
    """
    used = int(data[at]) + 256 * int(data[at + 1])
    numbers = np.empty(used)
    at = take_floats(data, at + 2, used, numbers, 0)
    levels = adwin_packing.levels_in(numbers, 0, buckets.shape[2] - 1)
    if levels > counts.shape[0]:
        return -levels
    if not check_only:
        adwin_packing.unpack(numbers, 0, head, 0, counts, buckets)
    return int(at)


@compiled
def _needs(row: Any, signal: int, scalars: Any) -> bool:
    """Tell whether a signal of a row that was read has use for its block."""
    if signal >= MISSING_BLOCK:
        return bool(row[MISSING] < 0.0)
    at = VALUE if signal == VALUE_BLOCK else ERROR
    if row[at + monitor.BUFFERED] > 0.0:
        return True
    has_adwin = scalars[VALUE_ADWIN if signal == VALUE_BLOCK else ERROR_ADWIN] != 0
    return bool(has_adwin and row[at + monitor.REF_N] > 0.0)


@compiled
def unpack_gaps(data: Any, at: int, gaps: Any, positions: Any) -> int:
    """Read the monitor of ``missing``; return where its ADWIN begins."""
    at = take_floats(data, at, monitor.SLOTS, gaps, 0)
    return int(take_integers(data, at, monitor.POSITIONS, positions, 0))


@allocating
def unpack_all(
    data: Any,
    begins: Any,
    first: int,
    place: int,
    rows: Any,
    integers: Any,
    held: Any,
    room: Any,
    scalars: Any,
    after: Any,
) -> tuple[int, int]:
    """Read many rows, as far as there are blocks, with levels enough.

    Parameters
    ----------
    data, begins
        The rows, and where each begins.
    first
        Row of the bank that takes the first of them.
    place
        Where to go on.
    rows, integers, held, room, scalars
        See `streams.bank.step.run`.
    after
        To be filled: where each ends.

    Returns
    -------
    (int, int)
        Where it stopped, and how many levels the next one needs, 0 if it needs a block.
    """
    heads, counts, buckets, values, _, _, rest = room
    for n in range(place, begins.shape[0]):
        row, own = rows[first + n], held[first + n]
        at = unpack_sensor(data, begins[n], row, integers[first + n])
        if own[CONTEST_BLOCK] == blocks.NOBODYS and row[CONTEST] > 0.0:
            own[CONTEST_BLOCK] = blocks.take(room)
            if own[CONTEST_BLOCK] == blocks.NOBODYS:
                return n, 0
        at = unpack_learner(data, at, row, values[own[CONTEST_BLOCK]])
        end = section_end(data, at)
        at = unpack_monitors(data, at, row, integers[first + n])
        for signal in range(CONTEST_BLOCK):
            if own[signal] == blocks.NOBODYS and _needs(row, signal, scalars):
                own[signal] = blocks.take(room)
                if own[signal] == blocks.NOBODYS:
                    return n, 0
        at = unpack_warm_up(data, at, row, VALUE, values[own[VALUE_BLOCK]])
        at = unpack_warm_up(data, at, row, ERROR, values[own[ERROR_BLOCK]])
        for signal in (VALUE_BLOCK, ERROR_BLOCK, MISSING_BLOCK):
            block = own[signal]
            if signal == MISSING_BLOCK:
                if row[MISSING] >= 0.0:
                    continue
                gaps = own[GAPS_BLOCK]
                positions = rest[gaps, monitor.SLOTS : _GAPS]
                at = unpack_gaps(data, at, values[gaps, : monitor.SLOTS], positions)
            elif scalars[VALUE_ADWIN if signal == VALUE_BLOCK else ERROR_ADWIN] == 0:
                continue
            at = unpack_adwin(
                data, at, heads[block], counts[block], buckets[block], block == blocks.NOBODYS
            )
            if at < 0:
                return n, -at
        after[n] = end
    return int(begins.shape[0]), 0
