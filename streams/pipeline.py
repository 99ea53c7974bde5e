"""From records to drift events, for one partition: all that a worker and `backtest` share.

Knows no Kafka client. A caller hands in slices of records in order and takes effects and
changed rows at each checkpoint. Records below the position are skipped, so a replay after a
failure does nothing twice.
"""

from __future__ import annotations

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
    Prediction,
    RetrainRequest,
)
from schemas.settings import Settings, TopicName
from streams.bank import bank as rows_of
from streams.bank import step
from streams.bank.layout import bank_layout
from streams.changelog import Restored
from streams.context import Context
from streams.handlers import HANDLERS, NOTHING
from streams.metrics import dead_letter_reason
from streams.records import INPUTS, Counts, Outgoing, Record
from streams.rows import PART_BYTES, join_parts, split_parts
from streams.sensor import Sensor, Stored, new_sensor, refit
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
        self._effects: list[Outgoing] = []

    def _open_bank(self) -> None:
        if self._bank is None and self._layout is not None and self._compiled_is_ready():
            self._bank = rows_of.Bank(self._layout, self._ordinary, self.key)

    @property
    def sensors(self) -> int:
        """How many sensors are in state here, restored ones included."""
        banked = 0 if self._bank is None else self._bank.held
        return len(self._stored.keys() | self._live.keys()) + banked

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
            elif not row.startswith(rows_of.MAGIC):
                verify(row, self.key)
                self._stored[sensor_id] = row
            elif self._bank is not None and self._is_ordinary(sensor_id):
                banked.append((sensor_id, row))
            else:
                rows_of.verified(row, self.key)
                self._stored[sensor_id] = row
        if self._bank is not None:
            self._stored.update(self._bank.restore(banked))

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
        rows: list[tuple[bytes, bytes | None]] = []
        for sensor_id, live in self._touched.items():
            live.journal = []
            live.base = None
            if live.sensor.blank:
                stored = self._stored.pop(sensor_id, None)
                if stored is not None:
                    rows += split_parts(["sensor", sensor_id], None, len(stored))
                del self._live[sensor_id]
                continue
            waiting = self._waiting.setdefault(sensor_id, {})
            for event_id, entry in live.sensor.pending.changes():
                row = None if entry is None else dumps(entry, self.key)
                before = waiting.pop(event_id, b"")
                if row is not None:
                    waiting[event_id] = row
                rows += split_parts(["pending", sensor_id, event_id], row, len(before))
            if not waiting:
                del self._waiting[sensor_id]
            row = dumps(live.sensor.stored(live.context.sensor_settings), self.key)
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
        if live is None:
            live = self._live[sensor_id] = self._take_out(sensor_id) or self._load(sensor_id)
        try:
            effects = self._handle(kind, live, event, record, counts)
        except InvalidMessage as error:
            # Handlers refuse a message before they change anything.
            self._drop_if_unknown(sensor_id, live)
            self._dead_letter(kind, record, "decode", error, counts)
        except Exception as error:
            log.error("defect while processing a record", sensor=sensor_id, exc_info=error)
            self._undo(sensor_id, live)
            self._dead_letter(kind, record, "processing", error, counts)
        else:
            self._effects += effects
            if not self._drop_if_unknown(sensor_id, live):
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
        elif row.startswith(rows_of.MAGIC):
            sensor = rows_of.read(row, self.key, sensor_id, settings)
        else:
            stored = loads(row, self.key)
            assert isinstance(stored, Stored)
            sensor = refit(stored, sensor_id, settings)
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
            self._drop_if_unknown(sensor_id, live)

    def _drop_if_unknown(self, sensor_id: str, live: Live) -> bool:
        """Forget a sensor of which nothing is known, here or in its row."""
        unknown = (
            live.sensor.blank and sensor_id not in self._touched and sensor_id not in self._stored
        )
        if unknown:
            del self._live[sensor_id]
        return unknown

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
