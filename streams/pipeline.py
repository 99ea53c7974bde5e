"""From records to drift events, for one partition: all that a worker and `backtest` share.

Knows no Kafka client. A caller hands in slices of records in order and takes effects and
changed rows at each checkpoint. Records below the position are skipped, so a replay after a
failure does nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import structlog

from schemas import columns
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
from streams import evictions
from streams.bank import step
from streams.bank.bank import Bank
from streams.changelog import FLEET, Restored, is_of_fleet
from streams.changes import Changes
from streams.fleet import Fleet
from streams.handlers import HANDLERS, NOTHING, Done
from streams.kept import Kept, Live
from streams.metrics import dead_letter_reason
from streams.records import INPUTS, Counts, Outgoing, Record
from streams.rows import join_parts, split_parts
from streams.sensor import Sensor
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
    kept
        What is known of each sensor.
    fleet
        The sensors of the partition, looked at together.
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
        self.kept = Kept(settings, partition, compiled_is_ready)
        self.fleet = Fleet(settings.fleet, self.kept.active_since)
        self._fleet_bytes = 0
        self._settings = settings
        self._partition = partition
        self._limit = settings.state.max_sensors
        self._inputs: Mapping[str, str] = {kind: settings.topic(kind) for kind in INPUTS}
        self._outputs = {kind: settings.topic(name) for kind, name in _TOPIC_OF.items()}
        self._dead_letters = settings.topic("dead-letters")
        self._readings = columns.Readings()
        self._effects: list[Outgoing] = []

    @property
    def sensors(self) -> int:
        """How many sensors are in state here, restored ones included."""
        return len(self.kept)

    @property
    def effects(self) -> int:
        """How many effects the next `take` returns."""
        return len(self._effects)

    def restore(self, restored: Restored) -> None:
        """Take over what the state topic holds. Rows are read when their sensor is next seen.

        Raises
        ------
        SnapshotError
            If a row was not signed with this deployment's key.
        """
        self.position = dict(restored.position.offsets)
        rows = restored.rows
        parts = {key: rows[key] for key in rows if is_of_fleet(key)}
        for stored in join_parts(parts).values():
            self._fleet_bytes = len(stored)
            try:
                self.fleet.load(stored)
            except msgspec.DecodeError:
                if self._settings.guarantee == "exactly_once" or len(parts) == 1:
                    raise
                log.warning(
                    "what a crash has left of a row that was being written counts as not written",
                    partition=self._partition,
                    row="fleet",
                    parts=len(parts),
                )
        self.kept.restore({k: rows[k] for k in rows if k not in parts} if parts else rows)

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
        self.kept.open_bank()
        topic = self._inputs[kind]
        position = self.position.get(topic, 0)
        bank = self.kept.bank
        if kind == "sensors" and bank is not None and isinstance(records, Slice):
            self._take_columns(bank, records, position, counts)
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
        if self.kept.begun_anew:
            counts.begun_anew = dict(self.kept.begun_anew)
            self.kept.begun_anew.clear()
        if kind == "sensors" and records:
            self.last_timestamp = records[-1].timestamp
        return counts

    def take(self) -> tuple[list[Outgoing], Changes]:
        """Return effects and changed rows since the last call; they are the caller's now."""
        effects, self._effects = self._effects, []
        changes = self.kept.take()
        if self.fleet.changed:
            row = self.fleet.dump()
            for key, part in split_parts(FLEET, row, self._fleet_bytes):
                changes.append(key, part)
            self._fleet_bytes = len(row)
        return effects, changes

    def drain(self) -> list[Outgoing]:
        """Return effects only; a caller that keeps no state still calls `take` now and then."""
        effects, self._effects = self._effects, []
        return effects

    def sensor(self, sensor_id: str) -> Sensor | None:
        """Return the state of a sensor, None if it is not known here."""
        return self.kept.look_up(sensor_id)

    def sensor_ids(self) -> Iterator[str]:
        """Return the ids of all sensors in state."""
        return self.kept.ids()

    def _take_columns(self, bank: Bank, events: Slice, position: int, counts: Counts) -> None:
        """Take sensor events in order: the usual ones compiled, each other one by `_take_in`."""
        readings, stop = self._readings, len(events)
        at = int(np.searchsorted(events.offsets, position))
        counts.skipped += at
        columns.read(events.data, events.value_at, events.value_length, readings, stop)
        self.kept.maintenance.leave_out(readings, events.data, stop)
        while at < stop:
            begins = at
            at, why = bank.run(at, stop, readings, events.data, events.offsets, events.timestamps)
            if at > begins:
                counts.scored += at - begins
                counts.last_event_ts = int(readings.ts[at - 1])
            if why == step.END:
                return
            if why == step.UNKNOWN:
                name_at = readings.id_at[at]
                name = events.data[name_at : name_at + readings.id_length[at]].tobytes()
                if self.kept.add_row(name):
                    if len(self.kept) > self._limit:
                        self._make_room(name.decode(), "sensors", events[at], counts)
                    continue
            live = self._take_in("sensors", events[at], counts)
            if live is not None:
                self.kept.put_away(live)
            at += 1

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
        live, new = self.kept.take_out(sensor_id)
        try:
            done = self._handle(kind, live, event, record)
            messages, absorbed = self._as_fleet(done, live, record, counts)
            effects = [self._outgoing(message) for message in messages]
        except InvalidMessage as error:
            # Handlers refuse a message before they change anything.
            self.kept.forget_if_blank(live)
            self._dead_letter(kind, record, "decode", error, counts)
        except Exception as error:
            log.error("defect while processing a record", sensor=sensor_id, exc_info=error)
            self.kept.undo(live, self._play)
            self._dead_letter(kind, record, "processing", error, counts)
        else:
            self._effects += effects
            _count(kind, event, done, messages, counts)
            if not self.kept.forget_if_blank(live):
                if new and len(self.kept) > self._limit:
                    self._make_room(sensor_id, kind, record, counts)
                self.kept.touch(live, kind, event, record)
                for drift in absorbed:
                    self.kept.touch(live, "alerts", drift, record)
                return live
        return None

    def _handle(self, kind: str, live: Live, event: Any, record: Record) -> Done:
        context = live.context
        context.kind, context.record = kind, record
        context.sensors = len(self.kept) * self._settings.topics.partitions
        return HANDLERS[kind](live.sensor, event, context)

    def _as_fleet(
        self, done: Done, live: Live, record: Record, counts: Counts
    ) -> tuple[Sequence[Message], Sequence[DriftEvent]]:
        """Return what is written, and what the policy was given at once.

        A drift that is not told does not come back on the alerts topic.
        """
        messages: list[Message] = []
        absorbed: list[DriftEvent] = []
        for message in done.messages:
            if not isinstance(message, DriftEvent):
                messages.append(message)
                continue
            taken = self.fleet.take(message, opens=done.opens)
            messages += taken.told
            if taken.absorbed:
                counts.absorbed.append(message)
            if taken.instead is not None:
                messages += self._handle("alerts", live, taken.instead, record).messages
                absorbed.append(taken.instead)
        for drift in done.silenced:
            if drift.kind == "recovered":
                messages += self.fleet.close(drift)
        return messages, absorbed

    def _play(self, live: Live, kind: str, event: Any, record: Record) -> None:
        """Take in once more what led to effects before."""
        self._handle(kind, live, event, record)

    def _outgoing(self, message: Message) -> Outgoing:
        sensor_id: str = message.sensor_id  # type: ignore[attr-defined]
        headers: Iterable[tuple[str, bytes]] = ()
        if isinstance(message, DriftEvent):
            headers = cloud_event_headers(message)
        return Outgoing(
            self._outputs[type(message)], sensor_id.encode(), encode(message), tuple(headers)
        )

    def _make_room(self, newcomer: str, kind: str, record: Record, counts: Counts) -> None:
        """Forget the sensors that have been silent for the longest, and say so of each."""
        count = evictions.at_once(len(self.kept), self._limit)
        context = self.kept.context(newcomer)
        context.kind, context.record = kind, record
        chosen = self.kept.silent_longest(count, newcomer)
        for last_offset, sensor_id in chosen:
            last_ts, version = self.kept.last_known(sensor_id)
            model = ModelRef(name=sensor_id, version=version)
            self._effects.append(
                self._outgoing(evictions.eviction(sensor_id, last_offset, last_ts, model, context))
            )
        forgotten = [sensor_id for _, sensor_id in chosen]
        self.kept.forget(forgotten)
        self.fleet.forget(forgotten)
        counts.adaptations["evict"] = counts.adaptations.get("evict", 0) + count
        log.warning(
            "the partition is full: sensors that were silent for the longest are forgotten",
            partition=self._partition,
            sensors=count,
            limit=self._limit,
            last_offset=chosen[-1][0],
        )

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


def _count(kind: str, event: Any, done: Done, messages: Sequence[Message], counts: Counts) -> None:
    """Add up what a record led to."""
    if kind == "sensors":
        counts.scored += 1
        counts.last_event_ts = event.ts
    if done is NOTHING:
        return
    for outcome, n in done.labels.items():
        counts.labels[outcome] = counts.labels.get(outcome, 0) + n
    if done.withheld is not None:
        counts.withheld[done.withheld] = counts.withheld.get(done.withheld, 0) + 1
    counts.muted += len(done.silenced)
    for message in messages:
        if isinstance(message, DriftEvent):
            key = (message.detector, message.kind, message.diagnosis)
            counts.drift_events[key] = counts.drift_events.get(key, 0) + 1
        elif isinstance(message, Adaptation):
            action = message.action
            counts.adaptations[action] = counts.adaptations.get(action, 0) + 1
