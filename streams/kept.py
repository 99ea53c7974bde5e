"""The sensors of one partition, in whatever form each is kept just now.

==========  ==============================================================================
object      touched since the last checkpoint by something that is not usual (`Live`)
row         an ordinary sensor at rest, or at work in compiled code (`streams.bank`)
stored      as it stood on the state topic, not yet read
==========  ==============================================================================

Labels and predictions that wait are kept as stored, by sensor and event, whatever its form.
"""

from __future__ import annotations

import heapq
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import structlog

from learners.snapshot import dumps, loads, signing_key, verify
from schemas import compiled
from schemas.errors import SnapshotError
from schemas.settings import Settings
from streams import stored
from streams.bank import bank as rows_of
from streams.bank.layout import bank_layout
from streams.changes import Changes
from streams.context import Context
from streams.maintenance import Maintenance
from streams.records import Record
from streams.rows import (
    PART_BYTES,
    joined,
    parts_by_name,
    split_parts,
    whole_rows,
)
from streams.sensor import Fit, Sensor, new_sensor

log = structlog.get_logger("driftline.kept")

_AT_ONCE = 4096
"""Rows that are restored together: what they take meanwhile is little."""


class Live:
    """A sensor that has been touched since the process started.

    Attributes
    ----------
    sensor
        Its state.
    context
        What its handlers are told.
    journal
        What it took in since the last checkpoint: played again over the last stored state
        if a record brings out a defect.
    base
        Its state where the journal begins, if that is not what was stored last: as it was in its
        row, or, pickled, after a defect (a second one is not to play all of it once more).
    """

    __slots__ = ("base", "context", "journal", "sensor")

    def __init__(self, sensor: Sensor, context: Context) -> None:
        self.sensor = sensor
        self.context = context
        self.journal: list[tuple[str, Any, Record]] = []
        self.base: bytes | None = None


class Kept:
    """What is known of each sensor of a partition.

    Parameters
    ----------
    settings
        Of the whole deployment.
    partition
        Number of the partition.
    compiled_is_ready
        Whether a bank may be used; asked again as long as the answer is no.

    Attributes
    ----------
    key
        Signs state.
    bank
        Rows of ordinary sensors; None where there can't be one, or not yet.
    live, stored, waiting
        The other forms, by sensor id.
    maintenance
        When sensors are being worked on.
    begun_anew
        Learners and detectors that began anew, since their stored sensor was configured otherwise;
        a caller takes them away.
    to_begin_anew
        Those that are known to do so when their sensor is next seen.
    """

    def __init__(
        self, settings: Settings, partition: int, compiled_is_ready: Callable[[], bool]
    ) -> None:
        self.key = signing_key(settings.state)
        self.bank: rows_of.Bank | None = None
        self.live: dict[str, Live] = {}
        self.stored: dict[str, bytes] = {}
        self.waiting: dict[str, dict[str, bytes]] = {}
        self.maintenance = Maintenance(settings)
        self.begun_anew = Counter[str]()
        self.to_begin_anew = Counter[str]()
        self._fits: dict[tuple[int, bytes], Fit] = {}
        self._settings = settings
        self._partition = partition
        self._compiled_is_ready = compiled_is_ready
        self._layout = bank_layout(settings) if compiled.AVAILABLE else None
        self._ordinary = settings.variants()[0]
        self._all_are_ordinary = not settings.sensors
        self._touched: dict[str, Live] = {}
        self._count = 0
        self._deleted: list[tuple[bytes, bytes | None]] = []
        self.open_bank()

    def __len__(self) -> int:
        """Return how many sensors there are, in any form."""
        return self._count

    def open_bank(self) -> None:
        """Have a bank from now on, if there can be one."""
        if self.bank is None and self._layout is not None and self._compiled_is_ready():
            self.bank = rows_of.Bank(self._layout, self._ordinary, self.key)

    def restore(self, rows: Mapping[bytes, bytes]) -> None:
        """Take over the rows of the state topic.

        Raises
        ------
        SnapshotError
            If a row was not signed with this deployment's key.
        """
        ids, values, others = whole_rows(rows)
        for name, parts in parts_by_name(others).items():
            row = self._put_together(name, parts)
            if row is None:
                continue
            kind, sensor_id, *rest = name
            if kind == "sensor":
                ids.append(sensor_id.encode())
                values.append(row)
            else:
                verify(row, self.key)
                self.waiting.setdefault(sensor_id, {})[rest[0]] = row
        self._count = len(ids)
        for first in range(0, len(ids), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            self._restore_sensors(ids[some], values[some], len(ids) - first)

    def _put_together(
        self, name: tuple[str, ...], parts: Mapping[int, tuple[bytes, bytes]]
    ) -> bytes | None:
        """Return a row, None for what a crash has left of one.

        A transaction writes all parts of a row or none. Without one, parts that two checkpoints
        wrote may stand side by side: they are taken for not written.
        """
        whole = joined(parts)
        if self._settings.guarantee == "exactly_once" or parts.keys() == {0}:
            return whole
        if self._is_genuine(name, whole):
            return whole
        # A row that has become smaller, and what its larger one has left behind it.
        head = parts.get(0, (b"", b""))[1]
        left = [number for number in parts if number or not self._is_genuine(name, head)]
        self._deleted += [(parts[number][0], None) for number in left]
        log.warning(
            "what a crash has left of a row that was being written counts as not written",
            partition=self._partition,
            sensor=name[1],
            row=name[0],
            parts=left,
        )
        return None if 0 in left or 0 not in parts else head

    def _is_genuine(self, name: tuple[str, ...], row: bytes) -> bool:
        check = stored.verify if name[0] == "sensor" else verify
        try:
            check(row, self.key)
        except SnapshotError:
            return False
        return True

    def _restore_sensors(self, ids: list[bytes], rows: list[bytes], expected: int) -> None:
        """Take over rows of sensors: into the bank if that is where they belong."""
        banked: tuple[list[bytes], list[bytes]] = ids, rows
        if self.bank is None or not self._all_are_ordinary:
            banked = [], []
            for name, row in zip(ids, rows, strict=True):
                sensor_id = name.decode()
                if self.bank is not None and self._is_ordinary(sensor_id):
                    banked[0].append(name)
                    banked[1].append(row)
                else:
                    self._restore_stored(sensor_id, row)
        if self.bank is not None:
            for name, row in self.bank.restore(*banked, expected):
                self._restore_stored(name.decode(), row)

    def _restore_stored(self, sensor_id: str, row: bytes) -> None:
        stored.verify(row, self.key)
        self.stored[sensor_id] = row
        if row.startswith(rows_of.MAGIC):
            settings = self._settings.for_sensor(sensor_id)
            known = id(settings), rows_of.prints_of(row)
            fit = self._fits.get(known)
            if fit is None:
                fit = self._fits[known] = rows_of.fit_of(row, settings)
            self.to_begin_anew.update(fit.begun_anew)

    def take(self) -> Changes:
        """Return the rows that changed since the last call, deletions first."""
        # A sensor that was forgotten may be back by now: its new rows come after the deleted ones.
        rows, self._deleted = self._deleted, []
        for sensor_id, live in self._touched.items():
            live.journal = []
            live.base = None
            waiting = self.waiting.setdefault(sensor_id, {})
            for event_id, entry in live.sensor.pending.changes():
                row = None if entry is None else dumps(entry, self.key)
                before = waiting.pop(event_id, b"")
                if row is not None:
                    waiting[event_id] = row
                rows += split_parts(["pending", sensor_id, event_id], row, len(before))
            if not waiting:
                del self.waiting[sensor_id]
            row = stored.write(live.sensor, live.context.sensor_settings, self.key)
            rows += split_parts(["sensor", sensor_id], row, len(self.stored.get(sensor_id, b"")))
            self.stored[sensor_id] = row
        self._touched = {}
        changes = Changes()
        for key, row in rows:
            changes.append(key, row)
        if self.bank is not None:
            self.bank.take(changes)
        return changes

    def look_up(self, sensor_id: str) -> Sensor | None:
        """Return the state of a sensor, to be looked at only; None if it is not known."""
        live = self.live.get(sensor_id)
        if live is not None:
            return live.sensor
        number = self._row_of(sensor_id)
        if self.bank is not None and number >= 0:
            return self.bank.get(number)
        return self._load(sensor_id)[0].sensor if sensor_id in self.stored else None

    def ids(self) -> Iterator[str]:
        """Yield the ids of all sensors."""
        yield from self.stored.keys() | self.live.keys()
        if self.bank is not None:
            yield from self.bank.ids()

    def context(self, sensor_id: str) -> Context:
        """Return what the handlers of a sensor are told, the record left out."""
        settings = self._settings.for_sensor(sensor_id)
        maintenance = self.maintenance.of(sensor_id)
        return Context(self._settings, settings, self._partition, self.key, maintenance)

    def add_row(self, name: bytes) -> bool:
        """Give a sensor a row, if it is an ordinary one of which nothing is known."""
        sensor_id = name.decode()
        known = any(sensor_id in form for form in (self.live, self.stored, self.waiting))
        if self.bank is None or known or not self._is_ordinary(sensor_id):
            return False
        self.bank.add(name)
        self._count += 1
        return True

    def take_out(self, sensor_id: str) -> tuple[Live, bool]:
        """Return a sensor as an object, and whether nothing was known of it before."""
        live = self.live.get(sensor_id)
        if live is not None:
            return live, False
        number = self._row_of(sensor_id)
        new = number < 0 and sensor_id not in self.stored
        if self.bank is None or number < 0:
            live, fit = self._load(sensor_id)
            self.begun_anew.update(fit.begun_anew)
            self._count += new
        else:
            live = Live(self.bank.get(number), self.context(sensor_id))
            live.base = self.bank.stored(number)
            self.bank.elsewhere[number] = 1
            if self.bank.dirty[number]:
                self._touched[sensor_id] = live
        self.live[sensor_id] = live
        return live, new

    def touch(self, live: Live, kind: str, event: Any, record: Record) -> None:
        """Note what an object has taken in, so that it is stored, and can be played again."""
        live.journal.append((kind, event, record))
        self._touched[live.sensor.sensor_id] = live

    def put_away(self, live: Live) -> None:
        """Hold a sensor in a row again, if that can be."""
        sensor_id = live.sensor.sensor_id
        if (
            self.bank is not None
            and live.context.sensor_settings is self._ordinary
            and sensor_id not in self.waiting
            # Parts that a smaller row no longer has are deleted at the next checkpoint only.
            and len(self.stored.get(sensor_id, b"")) <= PART_BYTES
            and self.bank.put(live.sensor)
        ):
            self.stored.pop(sensor_id, None)
            self._touched.pop(sensor_id, None)
            del self.live[sensor_id]

    def undo(self, broken: Live, play: Callable[[Live, str, Any, Record], object]) -> None:
        """Bring a sensor back to where it was before a record that could not be processed.

        Parameters
        ----------
        broken
            As that record left it.
        play
            Takes in once more what its journal holds.
        """
        sensor_id, base = broken.sensor.sensor_id, broken.base
        if base is None:
            live, _ = self._load(sensor_id)
        elif base.startswith(rows_of.MAGIC):
            settings = broken.context.sensor_settings
            live = Live(rows_of.read(base, self.key, sensor_id, settings), broken.context)
        else:
            live = Live(pickle.loads(base), broken.context)  # noqa: S301 - made below
        for kind, event, record in broken.journal:
            play(live, kind, event, record)
        self.live[sensor_id] = live
        if sensor_id in self._touched:
            live.base = pickle.dumps(live.sensor)
            self._touched[sensor_id] = live
        else:
            live.base = base
            self.forget_if_blank(live)

    def forget_if_blank(self, live: Live) -> bool:
        """Forget a sensor of which nothing is known that is worth keeping."""
        blank = live.sensor.blank
        if blank:
            self.forget([live.sensor.sensor_id])
        return blank

    def forget(self, sensor_ids: Sequence[str]) -> None:
        """Keep nothing of sensors, neither here nor, from the next checkpoint on, in the state."""
        bank = self.bank
        for sensor_id in sensor_ids:
            row = self.stored.pop(sensor_id, None)
            if row is not None or (bank is not None and bank.names.find(sensor_id.encode()) >= 0):
                self._deleted += split_parts(["sensor", sensor_id], None, len(row or b""))
            for event_id, entry in self.waiting.pop(sensor_id, {}).items():
                self._deleted += split_parts(["pending", sensor_id, event_id], None, len(entry))
            self.live.pop(sensor_id, None)
            self._touched.pop(sensor_id, None)
        if bank is not None:
            bank.forget(sensor_ids)
        self._count -= len(sensor_ids)

    def silent_longest(self, count: int, newcomer: str) -> list[tuple[int, str]]:
        """Return last offset and id of sensors, the one silent for the longest first.

        Parameters
        ----------
        count
            How many.
        newcomer
            One that is left out.
        """
        return heapq.nsmallest(count, self._last_offsets(newcomer, count))

    def active_since(self, ts: int) -> int:
        """Return how many sensors sent nothing older than `ts` (microseconds) last."""
        found = sum(live.sensor.last_ts >= ts for live in self.live.values() if live.sensor.events)
        for sensor_id, row in self.stored.items():
            if sensor_id not in self.live:
                found += stored.last_offset(row) >= 0 and stored.last_ts(row) >= ts
        return found + (0 if self.bank is None else self.bank.active_since(ts))

    def last_known(self, sensor_id: str) -> tuple[int, int]:
        """Return the time of a sensor's last event and the version of its model."""
        number = self._row_of(sensor_id)
        if sensor_id not in self.live and self.bank is not None and number >= 0:
            return self.bank.last_ts(number), self.bank.version(number)
        sensor = self.look_up(sensor_id)
        assert sensor is not None
        return sensor.last_ts, sensor.champion.version

    def _last_offsets(self, newcomer: str, count: int) -> Iterator[tuple[int, str]]:
        """Yield last offset and id of all that may be forgotten; of rows the first `count`."""
        for sensor_id, live in self.live.items():
            if sensor_id != newcomer:
                yield live.sensor.last_offset, sensor_id
        for sensor_id, row in self.stored.items():
            if sensor_id not in self.live:
                yield stored.last_offset(row), sensor_id
        if self.bank is not None:
            # The newcomer's row is blank, and would be the first of them.
            for last_offset, sensor_id in self.bank.silent_longest(count + 1):
                if sensor_id != newcomer:
                    yield last_offset, sensor_id

    def _row_of(self, sensor_id: str) -> int:
        return -1 if self.bank is None else self.bank.here(sensor_id)

    def _is_ordinary(self, sensor_id: str) -> bool:
        return self._all_are_ordinary or self._settings.for_sensor(sensor_id) is self._ordinary

    def _load(self, sensor_id: str) -> tuple[Live, Fit]:
        """Read a sensor's row as it stood at the last checkpoint, or begin a new one."""
        context = self.context(sensor_id)
        row = self.stored.get(sensor_id)
        if row is None:
            sensor, fit = new_sensor(sensor_id, context.sensor_settings), Fit()
        else:
            sensor, fit = stored.read(row, self.key, sensor_id, context.sensor_settings)
        for event_id, waiting in self.waiting.get(sensor_id, {}).items():
            sensor.pending.restore(event_id, loads(waiting, self.key))
        return Live(sensor, context), fit
