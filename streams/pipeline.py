"""From records to drift events, for one partition: all that a worker and `backtest` share.

Knows no Kafka client. A caller hands in slices of records in order and takes effects and
changed rows at each checkpoint. Records below the position are skipped, so a replay after a
failure does nothing twice.
"""

from __future__ import annotations

import heapq
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import structlog

from learners.snapshot import dumps, loads, signing_key, verify
from schemas import columns, compiled
from schemas.codec import cloud_event_headers, decode, decode_label, decode_reading, encode
from schemas.dead_letter import DeadLetter
from schemas.errors import InvalidMessage
from schemas.events import (
    Adaptation,
    ControlEvent,
    DriftEvent,
    Message,
    ModelRecord,
    ModelRef,
    Prediction,
    RetrainRequest,
)
from schemas.settings import Settings, TopicName
from streams import evictions, stored
from streams.bank import bank as rows_of
from streams.bank import step
from streams.bank.layout import bank_layout
from streams.changelog import Restored
from streams.context import Context
from streams.handlers import HANDLERS, NOTHING
from streams.metrics import dead_letter_reason
from streams.records import INPUTS, Counts, Outgoing, Record
from streams.rows import PART_BYTES, join_parts, split_parts
from streams.sensor import Sensor, new_sensor
from streams.slices import Slice

log = structlog.get_logger("driftline.pipeline")

_DECODERS: Mapping[str, Callable[[bytes | None], Any]] = {
    "sensors": decode_reading,
    "labels": decode_label,
    "control": lambda raw: decode(raw, ControlEvent),
    "alerts": lambda raw: decode(raw, DriftEvent),
    "models": lambda raw: _model_of_a_sensor(decode(raw, ModelRecord)),
}
_TOPIC_OF: Mapping[type[Message], TopicName] = {
    DriftEvent: "alerts",
    Prediction: "predictions",
    Adaptation: "adaptations",
    ControlEvent: "control",
    RetrainRequest: "retrain",
    ModelRecord: "models",
}


def _model_of_a_sensor(record: ModelRecord) -> ModelRecord:
    if record.sensor_id is None:
        raise InvalidMessage("$.sensor_id", "the id of a sensor")
    return record


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


class Pipeline:
    """State of one partition, and what its records do to it.

    Parameters
    ----------
    settings
        Of the whole deployment.
    partition
        Number of the partition, for ids and sources.
    compiled_is_ready
        Whether banks may be used; asked again as long as the answer is no.

    Attributes
    ----------
    key
        Signs state.
    position
        Next offset by full topic name.
    last_timestamp
        Kafka timestamp in milliseconds of the last sensor event; None before the first.
    """

    def __init__(
        self,
        settings: Settings,
        partition: int,
        compiled_is_ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.position: dict[str, int] = {}
        self.last_timestamp: int | None = None
        self._settings = settings
        self._partition = partition
        self.key = signing_key(settings.state)
        self._inputs: Mapping[str, str] = {kind: settings.topic(kind) for kind in INPUTS}
        self._outputs = {kind: settings.topic(name) for kind, name in _TOPIC_OF.items()}
        self._dead_letters = settings.topic("dead-letters")
        self._layout = bank_layout(settings) if compiled.AVAILABLE else None
        self._ordinary = settings.variants()[0]
        self._compiled_is_ready = compiled_is_ready
        self._bank: rows_of.Bank | None = None
        self._open_bank()
        self._readings = columns.Readings()
        self._live: dict[str, Live] = {}
        self._stored: dict[str, bytes] = {}
        self._waiting: dict[str, dict[str, bytes]] = {}
        self._touched: dict[str, Live] = {}
        self._kept = 0
        self._limit = settings.state.max_sensors
        self._deleted: list[tuple[bytes, bytes | None]] = []
        self._effects: list[Outgoing] = []

    def _open_bank(self) -> None:
        if self._bank is None and self._layout is not None and self._compiled_is_ready():
            self._bank = rows_of.Bank(self._layout, self._ordinary, self.key)

    @property
    def sensors(self) -> int:
        """How many sensors are in state here, restored ones included."""
        return self._kept

    def restore(self, restored: Restored) -> None:
        """Take over what the state topic holds. Rows are read when their sensor is next seen.

        Raises
        ------
        SnapshotError
            If a row was not signed with this deployment's key.
        """
        self.position = dict(restored.position.offsets)
        banked: list[tuple[str, bytes]] = []
        for (kind, sensor_id, *rest), row in join_parts(restored.rows).items():
            if kind != "sensor":
                verify(row, self.key)
                self._waiting.setdefault(sensor_id, {})[rest[0]] = row
            elif (
                self._bank is not None
                and row.startswith(rows_of.MAGIC)
                and self._is_ordinary(sensor_id)
            ):
                banked.append((sensor_id, row))
            else:
                stored.verify(row, self.key)
                self._stored[sensor_id] = row
        self._kept = len(self._stored)
        if self._bank is not None:
            self._stored.update(self._bank.restore(banked))
            self._kept += len(banked)

    def process(self, kind: str, records: Sequence[Record]) -> Counts:
        """Take in a slice of one input topic.

        Parameters
        ----------
        kind
            Which: one of `streams.records.INPUTS`.
        records
            In the order of their offsets.
        """
        counts = Counts()
        self._open_bank()
        topic = self._inputs[kind]
        position = self.position.get(topic, 0)
        if kind == "sensors" and self._bank is not None and isinstance(records, Slice):
            self._take_columns(self._bank, records, position, counts)
            if len(records):
                position = max(position, records.last_offset + 1)
        else:
            for record in records:
                if record.offset < position:
                    counts.skipped += 1
                    continue
                self._take_in(kind, record, counts)
                position = record.offset + 1
        self.position[topic] = position
        if kind == "sensors" and records:
            self.last_timestamp = records[-1].timestamp
        return counts

    def take(self) -> tuple[list[Outgoing], list[tuple[bytes, bytes | None]]]:
        """Return effects and changed rows since the last call; they are the caller's now."""
        effects, self._effects = self._effects, []
        # A sensor that was forgotten may be back by now: its new rows come after the deleted ones.
        rows, self._deleted = self._deleted, []
        for sensor_id, live in self._touched.items():
            live.journal = []
            live.base = None
            waiting = self._waiting.setdefault(sensor_id, {})
            for event_id, entry in live.sensor.pending.changes():
                row = None if entry is None else dumps(entry, self.key)
                before = waiting.pop(event_id, b"")
                if row is not None:
                    waiting[event_id] = row
                rows += split_parts(["pending", sensor_id, event_id], row, len(before))
            if not waiting:
                del self._waiting[sensor_id]
            row = stored.write(live.sensor, live.context.sensor_settings, self.key)
            rows += split_parts(["sensor", sensor_id], row, len(self._stored.get(sensor_id, b"")))
            self._stored[sensor_id] = row
        self._touched = {}
        if self._bank is not None:
            for sensor_id, row in self._bank.take():
                rows += split_parts(["sensor", sensor_id], row)
        return effects, rows

    def drain(self) -> list[Outgoing]:
        """Return effects only; a caller that keeps no state still calls `take` now and then."""
        effects, self._effects = self._effects, []
        return effects

    def sensor(self, sensor_id: str) -> Sensor | None:
        """Return the state of a sensor, None if it is not known here."""
        live = self._live.get(sensor_id)
        if live is not None:
            return live.sensor
        number = -1 if self._bank is None else self._bank.here(sensor_id)
        if self._bank is not None and number >= 0:
            return self._bank.get(number)
        return self._load(sensor_id).sensor if sensor_id in self._stored else None

    def sensor_ids(self) -> Iterator[str]:
        """Yield the ids of all sensors in state."""
        yield from self._stored.keys() | self._live.keys()
        if self._bank is not None:
            yield from self._bank.ids()

    def _take_columns(
        self, bank: rows_of.Bank, events: Slice, position: int, counts: Counts
    ) -> None:
        """Take sensor events in order: the usual ones compiled, each other one by `_take_in`."""
        readings, stop = self._readings, len(events)
        at = int(np.searchsorted(events.offsets, position))
        counts.skipped += at
        columns.read(events.data, events.value_at, events.value_length, readings, stop)
        while at < stop:
            begins = at
            at, why = bank.run(at, stop, readings, events.data, events.offsets)
            if at > begins:
                counts.scored += at - begins
                counts.last_event_ts = int(readings.ts[at - 1])
            if why == step.END:
                return
            if why == step.UNKNOWN:
                name_at = readings.id_at[at]
                name = events.data[name_at : name_at + readings.id_length[at]].tobytes()
                sensor_id = name.decode()
                if not self._is_known(sensor_id) and self._is_ordinary(sensor_id):
                    bank.add(name)
                    self._kept += 1
                    if self._kept > self._limit:
                        self._make_room(sensor_id, "sensors", events[at], counts)
                    continue
            live = self._take_in("sensors", events[at], counts)
            if live is not None:
                self._put_away(bank, live)
            at += 1

    def _is_known(self, sensor_id: str) -> bool:
        return any(sensor_id in known for known in (self._live, self._stored, self._waiting))

    def _is_ordinary(self, sensor_id: str) -> bool:
        return self._settings.for_sensor(sensor_id) is self._ordinary

    def _put_away(self, bank: rows_of.Bank, live: Live) -> None:
        """Hold a sensor in a row again, if that can be."""
        sensor_id = live.sensor.sensor_id
        if (
            live.context.sensor_settings is self._ordinary
            and sensor_id not in self._waiting
            # Parts that a smaller row no longer has are deleted at the next checkpoint only.
            and len(self._stored.get(sensor_id, b"")) <= PART_BYTES
            and bank.put(live.sensor)
        ):
            self._stored.pop(sensor_id, None)
            self._touched.pop(sensor_id, None)
            del self._live[sensor_id]

    def _take_in(self, kind: str, record: Record, counts: Counts) -> Live | None:
        """Take one record; return what its sensor now is, None if that was not touched."""
        try:
            event = _DECODERS[kind](record.value)
        except InvalidMessage as error:
            self._dead_letter(kind, record, "decode", error, counts)
            return None
        except Exception as error:
            log.error("defect while decoding a record", topic=self._inputs[kind], exc_info=error)
            self._dead_letter(kind, record, "processing", error, counts)
            return None
        sensor_id = event.sensor_id
        live = self._live.get(sensor_id)
        new = False
        if live is None:
            live = self._take_out(sensor_id)
            if live is None:
                new = sensor_id not in self._stored
                self._kept += new
                live = self._load(sensor_id)
            self._live[sensor_id] = live
        try:
            effects = self._handle(kind, live, event, record, counts)
        except InvalidMessage as error:
            # Handlers refuse a message before they change anything.
            self._forget_if_blank(sensor_id, live)
            self._dead_letter(kind, record, "decode", error, counts)
        except Exception as error:
            log.error("defect while processing a record", sensor=sensor_id, exc_info=error)
            self._undo(sensor_id, live)
            self._dead_letter(kind, record, "processing", error, counts)
        else:
            self._effects += effects
            if not self._forget_if_blank(sensor_id, live):
                if new and self._kept > self._limit:
                    self._make_room(sensor_id, kind, record, counts)
                live.journal.append((kind, event, record))
                self._touched[sensor_id] = live
                return live
        return None

    def _handle(
        self, kind: str, live: Live, event: Any, record: Record, counts: Counts
    ) -> list[Outgoing]:
        context = live.context
        context.kind, context.record = kind, record
        done = HANDLERS[kind](live.sensor, event, context)
        effects = [self._outgoing(message) for message in done.messages]
        if kind == "sensors":
            counts.scored += 1
            counts.last_event_ts = event.ts
        if done is NOTHING:
            return effects
        for outcome, n in done.labels.items():
            counts.labels[outcome] = counts.labels.get(outcome, 0) + n
        counts.muted += done.muted
        for message in done.messages:
            if isinstance(message, DriftEvent):
                key = (message.detector, message.kind, message.diagnosis)
                counts.drift_events[key] = counts.drift_events.get(key, 0) + 1
            elif isinstance(message, Adaptation):
                action = message.action
                counts.adaptations[action] = counts.adaptations.get(action, 0) + 1
        return effects

    def _outgoing(self, message: Message) -> Outgoing:
        sensor_id: str = message.sensor_id  # type: ignore[attr-defined]
        headers: Iterable[tuple[str, bytes]] = ()
        if isinstance(message, DriftEvent):
            headers = cloud_event_headers(message)
        return Outgoing(
            self._outputs[type(message)], sensor_id.encode(), encode(message), tuple(headers)
        )

    def _take_out(self, sensor_id: str) -> Live | None:
        """Make an object of a sensor that is a row of the bank; None if it is none."""
        bank = self._bank
        number = -1 if bank is None else bank.here(sensor_id)
        if bank is None or number < 0:
            return None
        context = Context(self._settings, self._ordinary, self._partition, self.key)
        live = Live(bank.get(number), context)
        live.base = bank.stored(number)
        bank.elsewhere[number] = 1
        if bank.dirty[number]:
            self._touched[sensor_id] = live
        return live

    def _load(self, sensor_id: str) -> Live:
        """Read a sensor's row as it stood at the last checkpoint, or begin a new one."""
        settings = self._settings.for_sensor(sensor_id)
        row = self._stored.get(sensor_id)
        if row is None:
            sensor = new_sensor(sensor_id, settings)
        else:
            sensor = stored.read(row, self.key, sensor_id, settings)
        for event_id, waiting in self._waiting.get(sensor_id, {}).items():
            sensor.pending.restore(event_id, loads(waiting, self.key))
        return Live(sensor, Context(self._settings, settings, self._partition, self.key))

    def _undo(self, sensor_id: str, broken: Live) -> None:
        """Bring a sensor back to where it was before a record that could not be processed."""
        base, context = broken.base, broken.context
        if base is None:
            live = self._load(sensor_id)
        elif base.startswith(rows_of.MAGIC):
            settings = context.sensor_settings
            live = Live(rows_of.read(base, self.key, sensor_id, settings), context)
        else:
            live = Live(pickle.loads(base), context)  # noqa: S301 - made below
        for kind, event, record in broken.journal:
            self._handle(kind, live, event, record, Counts())
        self._live[sensor_id] = live
        if sensor_id in self._touched:
            live.base = pickle.dumps(live.sensor)
            self._touched[sensor_id] = live
        else:
            live.base = base
            self._forget_if_blank(sensor_id, live)

    def _forget_if_blank(self, sensor_id: str, live: Live) -> bool:
        """Forget a sensor of which nothing is known that is worth keeping."""
        blank = live.sensor.blank
        if blank:
            self._forget([sensor_id])
        return blank

    def _make_room(self, newcomer: str, kind: str, record: Record, counts: Counts) -> None:
        """Forget the sensors that have been silent for the longest, and say so of each."""
        count = evictions.at_once(self._kept, self._limit)
        context = Context(self._settings, self._ordinary, self._partition, self.key, kind, record)
        chosen = heapq.nsmallest(count, self._last_offsets(newcomer, count))
        for last_offset, sensor_id in chosen:
            last_ts, version = self._last_known(sensor_id)
            model = ModelRef(name=sensor_id, version=version)
            self._effects.append(
                self._outgoing(evictions.eviction(sensor_id, last_offset, last_ts, model, context))
            )
        self._forget([sensor_id for _, sensor_id in chosen])
        counts.adaptations["evict"] = counts.adaptations.get("evict", 0) + count
        log.warning(
            "the partition is full: sensors that were silent for the longest are forgotten",
            partition=self._partition,
            sensors=count,
            limit=self._limit,
            last_offset=chosen[-1][0],
        )

    def _last_offsets(self, newcomer: str, count: int) -> Iterator[tuple[int, str]]:
        """Yield last offset and id of all that may be forgotten; of rows the first `count`."""
        for sensor_id, live in self._live.items():
            if sensor_id != newcomer:
                yield live.sensor.last_offset, sensor_id
        for sensor_id, row in self._stored.items():
            if sensor_id not in self._live:
                yield stored.last_offset(row), sensor_id
        if self._bank is not None:
            # The newcomer's row is blank, and would be the first of them.
            for last_offset, sensor_id in self._bank.silent_longest(count + 1):
                if sensor_id != newcomer:
                    yield last_offset, sensor_id

    def _last_known(self, sensor_id: str) -> tuple[int, int]:
        """Return the time of a sensor's last event and the version of its model."""
        live = self._live.get(sensor_id)
        number = -1 if self._bank is None else self._bank.here(sensor_id)
        if live is None and self._bank is not None and number >= 0:
            return self._bank.last_ts(number), self._bank.version(number)
        if live is not None:
            sensor = live.sensor
        else:
            settings = self._settings.for_sensor(sensor_id)
            sensor = stored.read(self._stored[sensor_id], self.key, sensor_id, settings)
        return sensor.last_ts, sensor.champion.version

    def _forget(self, sensor_ids: Sequence[str]) -> None:
        """Keep nothing of sensors, neither here nor, from the next checkpoint on, in the state."""
        bank = self._bank
        for sensor_id in sensor_ids:
            row = self._stored.pop(sensor_id, None)
            if row is not None or (bank is not None and bank.names.find(sensor_id.encode()) >= 0):
                self._deleted += split_parts(["sensor", sensor_id], None, len(row or b""))
            for event_id, entry in self._waiting.pop(sensor_id, {}).items():
                self._deleted += split_parts(["pending", sensor_id, event_id], None, len(entry))
            self._live.pop(sensor_id, None)
            self._touched.pop(sensor_id, None)
        if bank is not None:
            bank.forget(sensor_ids)
        self._kept -= len(sensor_ids)

    def _dead_letter(
        self, kind: str, record: Record, stage: str, error: Exception, counts: Counts
    ) -> None:
        letter = DeadLetter(
            key=record.key,
            value=record.value,
            timestamp_ms=record.timestamp,
            headers=tuple(record.headers),
            topic=self._inputs[kind],
            partition=self._partition,
            offset=record.offset,
            stage=stage,
            exception_class=f"{type(error).__module__}.{type(error).__qualname__}",
            message=str(error),
        )
        reason = dead_letter_reason(stage, str(error), record.value).value
        counts.dead_letters[reason] = counts.dead_letters.get(reason, 0) + 1
        self._effects.append(
            Outgoing(
                self._dead_letters,
                record.key,
                record.value,
                tuple(letter.to_headers()),
                record.timestamp,
            )
        )
