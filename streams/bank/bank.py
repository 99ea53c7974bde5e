"""The ordinary sensors of one partition as rows of arrays, worked on by compiled code."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from detectors.bank import adwin_layout, monitor
from learners.snapshot import dumps, loads
from schemas.columns import Readings
from schemas.errors import SnapshotError
from schemas.settings import Detectors, LearnerSettings, SensorSettings
from streams.bank import packing, records, signatures, step
from streams.bank.blocks import GROWTH, NOBODYS, SMALLEST, Blocks, give_back_all, take
from streams.bank.layout import (
    BLOCKS,
    CONTEST,
    CONTEST_BLOCK,
    ERROR,
    ERROR_BLOCK,
    EVENTS,
    GAPS_BLOCK,
    INTEGERS,
    LAST_OFFSET,
    LAST_TS,
    MISSING,
    MISSING_BLOCK,
    PREQUENTIAL,
    VALUE,
    VALUE_BEGAN,
    VALUE_BLOCK,
    Layout,
    detectors_print,
    layout_of,
    learner_print,
)
from streams.bank.names import Names
from streams.bank.transfer import (
    Row,
    add_beside,
    beside,
    freeze,
    new_row,
    thaw_counts,
    thaw_learner,
    thaw_monitors,
    version_beside,
)
from streams.changes import Changes
from streams.rows import PART_BYTES, split_parts
from streams.sensor import Fit, Sensor, fitted, new_sensor

MAGIC: Final = b"DLR3"
_SIGNATURE: Final = signatures.SIZE
_PRINT: Final = 8
_HEAD: Final = len(MAGIC) + _SIGNATURE + 2 * _PRINT
_SECTIONS: Final = 3
_GAPS: Final = monitor.SLOTS + monitor.POSITIONS
_MARGIN: Final = bytes(8)
"""What reading numbers looks at behind their end."""

_Three: TypeAlias = tuple[Any, Any, Any]


class Bank:
    """Rows of one partition.

    Parameters
    ----------
    layout
        What they have in common.
    settings
        Of the sensors that may have a row here: no others.
    key
        Signs what is stored.

    Attributes
    ----------
    names
        Sensor ids by row.
    elsewhere
        By row: whether the sensor is an object just now, so that its row is out of date.
    dirty
        By row: whether it has changed since it was last stored.
    blocks
        What the signals of rows have taken.
    """

    def __init__(self, layout: Layout, settings: SensorSettings, key: bytes) -> None:
        self.names = Names()
        self.layout = layout
        self.settings = settings
        self._key = key
        self._blank = new_row(layout)
        self._scratch = new_row(layout)
        self._beside: dict[int, bytes] = {}
        self._capacity = 0
        self.blocks = Blocks(max(layout.warmup, layout.contest_slots), layout.max_buckets)
        self._arrays: _Three = (
            np.zeros((0, layout.width)),
            np.zeros((0, INTEGERS), np.int64),
            np.zeros((0, BLOCKS), np.int32),
        )
        self.elsewhere = np.zeros(0, np.uint8)
        self.dirty = np.zeros(0, np.uint8)
        self._scalars = scalars(layout)
        self._spare: Any = self._new_spare()
        self._room_to_pack = packing.room_to_pack(layout, self.blocks.levels)
        blank = self._blank
        parts = (
            blank.floats,
            blank.integers,
            blank.buffers,
            blank.buckets,
            blank.counts,
            blank.gaps,
            blank.contest,
        )
        self._head = np.frombuffer(
            MAGIC + bytes(_SIGNATURE) + layout.learner_print + layout.detectors_print, np.uint8
        )
        self._signer = signatures.signer(key[: signatures.LONGEST_KEY])
        self._signed = tuple(np.zeros(records.AT_ONCE, np.int64) for _ in range(3))
        self._most_bytes = _HEAD + 64 + 9 * sum(part.size + 16 for part in parts)

    def __len__(self) -> int:
        """Return how many rows are in use, those elsewhere included."""
        return len(self.names)

    @property
    def held(self) -> int:
        """How many sensors rows hold now."""
        rows = len(self.names)
        return rows - int(np.count_nonzero(self.elsewhere[:rows]))

    def here(self, sensor_id: str) -> int:
        """Return the row that holds a sensor now, -1 if none does."""
        number = self.names.find(sensor_id.encode())
        return number if number >= 0 and not self.elsewhere[number] else -1

    def ids(self) -> Iterator[str]:
        """Yield the ids of the sensors that rows hold now."""
        for number in range(len(self.names)):
            if not self.elsewhere[number]:
                yield self.names[number].decode()

    def add(self, name: bytes) -> int:
        """Give a sensor that has sent nothing yet a row."""
        number = self.names.add(name)
        if number >= self._capacity:
            self._grow(number + 1)
        floats, integers, held = self._arrays
        floats[number] = self._blank.floats
        integers[number] = self._blank.integers
        held[number] = NOBODYS
        return number

    def run(
        self, start: int, stop: int, events: Readings, data: Any, offsets: Any, arrived: Any
    ) -> tuple[int, int]:
        """Take events in order; see `streams.bank.step.run`."""
        names = self.names
        while True:
            start, why = step.run(
                start,
                stop,
                data,
                events.plain,
                events.id_at,
                events.id_length,
                events.id_hash,
                events.ts,
                events.value,
                offsets,
                arrived,
                names.hashes,
                names.numbers,
                names.arena,
                names.arena_at,
                self.elsewhere,
                self.dirty,
                *self._arrays,
                self.blocks.arrays,
                self._spare,
                self.layout.parameters,
                self.layout.checks,
                self._scalars,
            )
            if why != step.FULL:
                return int(start), int(why)
            self.blocks.reserve(1)

    def put(self, sensor: Sensor) -> bool:
        """Hold a sensor in a row from now on, if that can be."""
        if not freeze(sensor, self.layout, self._scratch):
            return False
        name = sensor.sensor_id.encode()
        number = self.names.find(name)
        if number < 0:
            number = self.add(name)
        self._fill(number, self._scratch)
        values = beside(sensor)
        if values is None:
            self._beside.pop(number, None)
        else:
            self._beside[number] = dumps(values, self._key)
        self.elsewhere[number] = 0
        self.dirty[number] = 1
        return True

    def get(self, number: int) -> Sensor:
        """Return the sensor that a row holds, as an object of its own."""
        sensor_id = self.names[number].decode()
        sensor, row = new_sensor(sensor_id, self.settings), self._fetched(number)
        thaw_counts(sensor, row)
        thaw_learner(sensor, row)
        snapshot = self._beside.get(number)
        if snapshot is not None:
            add_beside(sensor, row, loads(snapshot, self._key))
        thaw_monitors(sensor, row, self.settings)
        return sensor

    def last_ts(self, number: int) -> int:
        """Return the time of the last event of the sensor that a row holds, in microseconds."""
        return int(self._arrays[1][number, LAST_TS])

    def active_since(self, ts: int) -> int:
        """Return how many of the sensors held here sent nothing older than `ts` last."""
        rows = len(self.names)
        sent = (self._arrays[1][:rows, LAST_TS] >= ts) & (self._arrays[0][:rows, EVENTS] > 0)
        return int(np.count_nonzero(sent & (self.elsewhere[:rows] == 0)))

    def version(self, number: int) -> int:
        """Return the version of the model of the sensor that a row holds."""
        snapshot = self._beside.get(number)
        return 1 if snapshot is None else version_beside(loads(snapshot, self._key))

    def silent_longest(self, count: int) -> list[tuple[int, str]]:
        """Return last offset and id of the sensors held here that have been silent for longest.

        Parameters
        ----------
        count
            How many; all of them if there are fewer.
        """
        rows = np.flatnonzero(self.elsewhere[: len(self.names)] == 0)
        offsets = self._arrays[1][rows, LAST_OFFSET]
        if count < len(rows):
            chosen = np.argpartition(offsets, count)[:count]
            rows, offsets = rows[chosen], offsets[chosen]
        return [
            (offset, self.names[number].decode())
            for number, offset in zip(rows.tolist(), offsets.tolist(), strict=True)
        ]

    def forget(self, sensor_ids: Sequence[str]) -> None:
        """Free the rows of sensors, those elsewhere too; the last rows move into their places."""
        found = (self.names.find(sensor_id.encode()) for sensor_id in sensor_ids)
        gone = np.unique(np.array([number for number in found if number >= 0], np.int64))
        if not len(gone):
            return
        rows = len(self.names)
        left = rows - len(gone)
        holes = gone[gone < left]
        moved = np.setdiff1d(np.arange(left, rows), gone)
        give_back_all(self.blocks.arrays, self._arrays[2][gone].ravel())
        for array in (*self._arrays, self.elsewhere, self.dirty):
            array[holes] = array[moved]
        self.elsewhere[left:rows] = 0
        self.dirty[left:rows] = 0
        for number in gone.tolist():
            self._beside.pop(number, None)
        for hole, number in zip(holes.tolist(), moved.tolist(), strict=True):
            if number in self._beside:
                self._beside[hole] = self._beside.pop(number)
        order = np.arange(left)
        order[holes] = moved
        self.names.keep(order)

    def stored(self, number: int) -> bytes:
        """Return a row as it is stored."""
        out = np.empty(self._most_bytes, np.uint8)
        floats, integers, held = self._arrays
        end = packing.pack(
            floats[number],
            integers[number],
            held[number],
            self.blocks.arrays,
            self._scalars,
            self._room_to_pack,
            out,
            0,
        )
        return self._sealed(number, out[:end].tobytes())

    def take(self, changes: Changes) -> None:
        """Write each sensor that changed since the last time."""
        rows = len(self.names)
        numbers = np.flatnonzero((self.dirty[:rows] == 1) & (self.elsewhere[:rows] == 0))
        self.dirty[:] = 0
        # Nearly nothing is as large as that; what is goes in parts.
        most = PART_BYTES - self._most_bytes
        large = [number for number, snapshot in self._beside.items() if len(snapshot) > most]
        if large or most < 0:
            alone = np.isin(numbers, large) | (most < 0)
            for number in numbers[alone].tolist():
                self._write_alone(number, changes)
            numbers = numbers[~alone]
        self._write(numbers, changes)

    def _write(self, numbers: Any, changes: Changes) -> None:
        """Write rows, none of which needs more than one record."""
        framing = self._most_bytes + records.KEY_FRAMING + records.FRAMING
        begins, ends, _ = self._signed
        beside_at = np.zeros(len(numbers) + 1, np.int64)
        snapshots = b""
        if self._beside:
            found = [self._beside.get(number, b"") for number in numbers.tolist()]
            np.cumsum(np.fromiter(map(len, found), np.int64, len(found)), out=beside_at[1:])
            snapshots = b"".join(found)
        beside = np.frombuffer(snapshots, np.uint8)
        first = 0
        while first < len(numbers):
            size = len(self.names[numbers[first]]) + int(beside_at[first + 1] - beside_at[first])
            batch = changes.room(size + framing)
            after, end = records.pack_many(
                numbers,
                first,
                *self._arrays,
                self.blocks.arrays,
                self._scalars,
                self._room_to_pack,
                self.names.arena,
                self.names.arena_at,
                beside,
                beside_at,
                self._head,
                self._most_bytes,
                batch.data,
                batch.end,
                len(batch.data),
                batch.records,
                self._signer,
                self._signed,
            )
            written = after - first
            if written:
                signed = int(ends[:written].sum() - begins[:written].sum())
                size = signed + written * (len(MAGIC) + _SIGNATURE)
                changes.wrote(batch, int(end), written, size)
            else:
                # Its id has to be escaped.
                self._write_alone(int(numbers[first]), changes)
            first += max(1, written)

    def _write_alone(self, number: int, changes: Changes) -> None:
        key = ["sensor", self.names[number].decode()]
        for name, part in split_parts(key, self.stored(number)):
            changes.append(name, part)

    def restore(
        self, names: Sequence[bytes], stored: Sequence[bytes], expected: int = 0
    ) -> list[tuple[bytes, bytes]]:
        """Take in rows from the state topic.

        Parameters
        ----------
        names, stored
            Ids of sensors that have no row yet, and their rows as stored.
        expected
            How many there will be, with those of later calls: memory is reserved for them.

        Returns
        -------
        list of (bytes, bytes)
            Ids and rows of those that are no rows of numbers, or were written under another
            configuration: see `read`. Their signatures were not looked at.

        Raises
        ------
        SnapshotError
            If a row was changed, or written with another key.
        """
        opening = len(MAGIC) + _SIGNATURE
        prints = self.layout.learner_print + self.layout.detectors_print
        foreign: list[tuple[bytes, bytes]] = []
        if not all(row.startswith(MAGIC) and row[opening:_HEAD] == prints for row in stored):
            fits = [row.startswith(MAGIC) and row[opening:_HEAD] == prints for row in stored]
            pairs = list(zip(names, stored, strict=True))
            foreign = [pair for pair, fit in zip(pairs, fits, strict=True) if not fit]
            names = [name for name, fit in zip(names, fits, strict=True) if fit]
            stored = [row for row, fit in zip(stored, fits, strict=True) if fit]
        if not stored:
            return foreign
        data = b"".join([*stored, _MARGIN])
        ends = np.cumsum(np.fromiter(map(len, stored), np.int64, len(stored)))
        self._verify(stored, np.frombuffer(data, np.uint8), ends)
        first = len(self.names)
        self.names.add_many(names)
        self._grow(max(first + expected - len(foreign), len(self.names)))
        begins = np.concatenate([[0], ends[:-1]]) + _HEAD
        after = np.empty(len(stored), np.int64)
        self.blocks.reserve(expected)
        self._unpack(np.frombuffer(data, np.uint8), begins, first, after)
        for place in np.flatnonzero(after < ends).tolist():
            self._beside[first + place] = data[after[place] : ends[place]]
        return foreign

    def _verify(self, stored: Sequence[bytes], data: Any, ends: Any) -> None:
        """Check the signatures of stored rows, which stand in `data` one after the other."""
        signed_at = np.concatenate([[0], ends[:-1]]) + len(MAGIC)
        count = len(stored)
        made = np.empty(count * _SIGNATURE, np.uint8)
        places = np.arange(count) * _SIGNATURE
        signatures.sign(data, signed_at + _SIGNATURE, ends, count, self._signer, made, places)
        held = data[signed_at[:, None] + np.arange(_SIGNATURE)]
        if not hmac.compare_digest(held.tobytes(), made.tobytes()):
            for row in stored:
                verified(row, self._key)

    def _unpack(self, data: Any, begins: Any, first: int, after: Any) -> None:
        """Read rows into those from `first` on; `after` is to say where each ends."""
        place = 0
        while True:
            room = self.blocks.arrays
            place, levels = packing.unpack_all(
                data, begins, first, place, *self._arrays, room, self._scalars, after
            )
            if place == len(begins):
                return
            if not levels:
                self.blocks.reserve(len(begins) - place)
            else:
                self._deepen(levels)

    def _fill(self, number: int, row: Row) -> None:
        """Take over what a row of its own holds."""
        floats, integers, held = self._arrays
        floats[number] = row.floats
        integers[number] = row.integers
        give_back_all(self.blocks.arrays, held[number])
        held[number] = NOBODYS
        for block, at, has_adwin in self._places():
            waiting = int(row.floats[at + monitor.BUFFERED])
            if waiting:
                self._take(number, block)
                self.blocks.values[held[number, block], :waiting] = row.buffers[block, :waiting]
            elif has_adwin and row.floats[at + monitor.REF_N] > 0.0:
                self._take_adwin(number, block, row)
        if row.floats[MISSING] < 0.0:
            self._take_adwin(number, MISSING_BLOCK, row)
            self._take(number, GAPS_BLOCK)
            gaps = held[number, GAPS_BLOCK]
            self.blocks.values[gaps, : monitor.SLOTS] = row.gaps
            self.blocks.integers[gaps, monitor.SLOTS : _GAPS] = row.gap_positions
        if row.floats[CONTEST] > 0.0:
            self._take(number, CONTEST_BLOCK)
            self.blocks.values[held[number, CONTEST_BLOCK], : len(row.contest)] = row.contest

    def _take(self, number: int, block: int) -> None:
        """Give a signal of a row a block."""
        self.blocks.reserve(1)
        self._arrays[2][number, block] = take(self.blocks.arrays)

    def _take_adwin(self, number: int, block: int, row: Row) -> None:
        """Give a signal of a row a block, and the ADWIN that another row holds."""
        levels = int(row.heads[block, adwin_layout.LEVELS_USED])
        if levels > self.blocks.levels:
            self._deepen(levels)
        self._take(number, block)
        blocks, taken = self.blocks, self._arrays[2][number, block]
        blocks.heads[taken] = row.heads[block]
        blocks.counts[taken] = row.counts[block, : blocks.levels]
        blocks.buckets[taken] = row.buckets[block, :, : blocks.levels]

    def _fetched(self, number: int) -> Row:
        """Return what a row holds as a row of its own, until the next call."""
        row, blocks = self._scratch, self.blocks
        row.floats[:], row.integers[:], held = (array[number] for array in self._arrays)
        for block, at, _ in self._places():
            waiting = int(row.floats[at + monitor.BUFFERED])
            row.buffers[block, :waiting] = blocks.values[held[block], :waiting]
            self._fetch_adwin(NOBODYS if waiting else held[block], block, row)
        if row.floats[MISSING] < 0.0:
            self._fetch_adwin(held[MISSING_BLOCK], MISSING_BLOCK, row)
            gaps = held[GAPS_BLOCK]
            row.gaps[:] = blocks.values[gaps, : monitor.SLOTS]
            row.gap_positions[:] = blocks.integers[gaps, monitor.SLOTS : _GAPS]
        if row.floats[CONTEST] > 0.0:
            row.contest[:] = blocks.values[held[CONTEST_BLOCK], : len(row.contest)]
        return row

    def _fetch_adwin(self, taken: int, block: int, row: Row) -> None:
        blocks = self.blocks
        if taken == NOBODYS:
            adwin_layout.reset(*row.adwin(block))
            return
        row.heads[block] = blocks.heads[taken]
        row.counts[block, : blocks.levels] = blocks.counts[taken]
        row.counts[block, blocks.levels :] = 0
        row.buckets[block, :, : blocks.levels] = blocks.buckets[taken]

    def _places(self) -> tuple[tuple[int, int, bool], ...]:
        """Return of each signal its block, its floats and whether an ADWIN watches it."""
        return (
            (VALUE_BLOCK, VALUE, self.layout.value_adwin),
            (ERROR_BLOCK, ERROR, self.layout.error_adwin),
        )

    def _deepen(self, levels: int) -> None:
        self.blocks.deepen(levels)
        self._spare = self._new_spare()
        self._room_to_pack = packing.room_to_pack(self.layout, self.blocks.levels)

    def _new_spare(self) -> Any:
        layout, blocks = self.layout, self.blocks
        return (
            np.zeros(layout.width),
            np.zeros(INTEGERS, np.int64),
            np.zeros((BLOCKS, adwin_layout.HEAD)),
            np.zeros((BLOCKS, *blocks.counts.shape[1:]), np.int32),
            np.zeros((BLOCKS, *blocks.buckets.shape[1:])),
            np.zeros((BLOCKS, layout.warmup)),
            np.zeros(_GAPS, np.int64),
            np.zeros(layout.contest_slots),
        )

    def _sealed(self, number: int, packed: bytes) -> bytes:
        layout = self.layout
        rest = (
            layout.learner_print + layout.detectors_print + packed + self._beside.get(number, b"")
        )
        return MAGIC + _signature(rest, self._key) + rest

    def _grow(self, wanted: int) -> None:
        if wanted <= self._capacity:
            return
        if self._capacity == 0:
            wanted = max(wanted, SMALLEST)
            # New pages are cleared when they are first written to, not before.
            floats, integers, held = (
                np.zeros((wanted, *array.shape[1:]), array.dtype) for array in self._arrays
            )
            self._arrays = floats, integers, held
            self.elsewhere, self.dirty = np.zeros(wanted, np.uint8), np.zeros(wanted, np.uint8)
            self._capacity = wanted
            return
        capacity = max(wanted, int(self._capacity * GROWTH) + SMALLEST)
        for array in (*self._arrays, self.elsewhere, self.dirty):
            # In place: a copy of a large bank would need its memory twice for a moment.
            array.resize((capacity, *array.shape[1:]), refcheck=False)
        self._capacity = capacity


def scalars(layout: Layout) -> Any:
    """Return what compiled code is told of a layout; see `streams.bank.step`."""
    numbers = np.zeros(step.SCALARS, np.int64)
    numbers[step.LAGS] = layout.lags
    numbers[step.GRACE] = layout.grace
    numbers[step.QUIET_EVENTS] = layout.quiet_events
    numbers[step.WARMUP] = layout.warmup
    numbers[step.CHALLENGER_EVENTS] = layout.challenger_events
    numbers[step.RETRAIN_MIN_EVENTS] = layout.retrain_min_events
    numbers[step.VALUE_ADWIN] = layout.value_adwin
    numbers[step.ERROR_ADWIN] = layout.error_adwin
    numbers[step.VALUE_DETECTORS] = layout.value_detectors
    numbers[step.ERROR_DETECTORS] = layout.error_detectors
    return numbers


def verified(row: bytes, key: bytes) -> bytes:
    """Return a stored row without its signature.

    Raises
    ------
    SnapshotError
        If it is none, was changed, or was written with another key.
    """
    rest = row[len(MAGIC) + _SIGNATURE :]
    if not row.startswith(MAGIC) or len(row) < _HEAD:
        raise SnapshotError("state: no row of a sensor")
    if not hmac.compare_digest(row[len(MAGIC) : len(MAGIC) + _SIGNATURE], _signature(rest, key)):
        raise SnapshotError(
            "state: the signature of a row does not fit: it was changed, or signed with another key"
            " (state.signing_key or state.signing_key_file must be the same on every worker)"
        )
    return rest


def last_offset(row: bytes) -> int:
    """Return the last offset of the sensor of a stored row."""
    return int(_integers(row)[LAST_OFFSET])


def last_ts(row: bytes) -> int:
    """Return the time of the last event of the sensor of a stored row, in microseconds."""
    return int(_integers(row)[LAST_TS])


def _integers(row: bytes) -> Any:
    data = np.frombuffer(row, np.uint8)
    integers = np.zeros(VALUE_BEGAN, np.int64)
    packing.unpack_sensor(data, _HEAD, np.zeros(PREQUENTIAL), integers)
    return integers


def split(row: bytes) -> tuple[bytes, bytes]:
    """Return the numbers of a stored row, and the snapshot beside them, empty if there is none."""
    data, at = np.frombuffer(row, np.uint8), _HEAD
    for _ in range(_SECTIONS):
        at = int(packing.section_end(data, at))
    return row[len(MAGIC) + _SIGNATURE : at], row[at:]


def prints_of(row: bytes) -> bytes:
    """Return what stands in a stored row for the settings that it was written under."""
    return row[len(MAGIC) + _SIGNATURE : _HEAD]


def fit_of(row: bytes, settings: SensorSettings) -> Fit:
    """Return what of the sensor of a stored row goes on under these settings."""
    prints = prints_of(row)
    return Fit(
        prints[:_PRINT] == learner_print(settings), prints[_PRINT:] == detectors_print(settings)
    )


def read(row: bytes, key: bytes, sensor_id: str, settings: SensorSettings) -> Sensor:
    """Return the sensor of a stored row, made to fit settings that may have changed since.

    Raises
    ------
    SnapshotError
        As `verified` does.
    """
    rest = verified(row, key)
    data = np.frombuffer(rest + _MARGIN, np.uint8)
    fit = fit_of(row, settings)
    # A section that does not fit is not read; any layout will do for what is left of it.
    fitting = settings.model_copy(
        update=({} if fit.learner else {"learner": LearnerSettings()})
        | ({} if fit.detectors else {"detectors": Detectors()})
    )
    layout = layout_of(fitting)
    assert layout is not None
    held = new_row(layout)
    floats, integers = held.floats, held.integers
    learner_at = packing.unpack_sensor(data, 2 * _PRINT, floats, integers)
    detectors_at = packing.section_end(data, learner_at)
    sensor = new_sensor(sensor_id, settings)
    thaw_counts(sensor, held)
    if fit.learner:
        packing.unpack_learner(data, learner_at, floats, held.contest)
        thaw_learner(sensor, held)
    beside_it = split(row)[1]
    if beside_it:
        add_beside(sensor, held, loads(beside_it, key))
    if fit.detectors:
        unpack_detectors(data, detectors_at, held, layout)
        thaw_monitors(sensor, held, settings)
    return fitted(sensor, settings, fit)


def unpack_detectors(data: Any, at: int, row: Row, layout: Layout) -> None:
    """Read the third section of a stored row."""
    at = packing.unpack_monitors(data, at, row.floats, row.integers)
    at = packing.unpack_warm_up(data, at, row.floats, VALUE, row.buffers[VALUE_BLOCK])
    at = packing.unpack_warm_up(data, at, row.floats, ERROR, row.buffers[ERROR_BLOCK])
    for block, has_adwin in (
        (VALUE_BLOCK, layout.value_adwin),
        (ERROR_BLOCK, layout.error_adwin),
    ):
        if has_adwin:
            head, _, counts, buckets = row.adwin(block)
            at = packing.unpack_adwin(data, at, head, counts, buckets, False)
    if row.floats[MISSING] < 0.0:
        at = packing.unpack_gaps(data, at, row.gaps, row.gap_positions)
        head, _, counts, buckets = row.adwin(MISSING_BLOCK)
        packing.unpack_adwin(data, at, head, counts, buckets, False)


def _signature(rest: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(rest, digest_size=_SIGNATURE, key=key[:64]).digest()
