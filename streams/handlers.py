"""What each kind of input does to a sensor: one function per input topic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from detectors.signal import Position
from learners.labels import LabelOutcome
from schemas.codec import Label, Reading
from schemas.events import (
    ControlEvent,
    DriftEvent,
    Message,
    ModelRecord,
    ModelRef,
    Prediction,
    SourceRef,
)
from streams import adaptation
from streams.context import Context
from streams.drift_events import drift_event
from streams.maintenance import is_within
from streams.sensor import Scored, Sensor, calibrate, learn_label, pass_by, score


@dataclass(slots=True)
class Done:
    """What came of an input: messages to write, and what to count."""

    messages: list[Message] = field(default_factory=list)
    labels: Mapping[LabelOutcome, int] | Mapping[str, int] = field(default_factory=dict)
    opens: bool = False
    """Whether the drift event among the messages is the first of its episode."""
    silenced: list[DriftEvent] = field(default_factory=list)
    """Drift events that are not told, since somebody wants it so."""
    withheld: str | None = None
    """Why a sensor event was kept from the model, see `streams.sensor.Scored`."""


NOTHING = Done()
"""The usual case; never changed."""


def on_reading(sensor: Sensor, reading: Reading, context: Context) -> Done:
    """Score a sensor event; learn its label if that came first."""
    offset = context.record.offset
    event_id = reading.event_id or f"{context.partition}-{offset}"
    at = Position(offset, reading.ts)
    if is_within(context.maintenance, reading.ts):
        scored = pass_by(sensor, reading, at)
    else:
        arrived = context.record.timestamp
        scored = score(sensor, reading, at, event_id, context.sensor_settings, arrived)
        calibrate(sensor, context.sensor_settings, context.sensors)
    predictions = context.settings.predictions.enabled
    labels = sensor.champion.learner.needs_label
    told = scored.events or scored.withheld
    if not (told or predictions or labels or adaptation.is_due(sensor)):
        return NOTHING
    done = Done(withheld=scored.withheld)
    _report(sensor, scored, context, done)
    if predictions:
        done.messages.append(
            Prediction(
                sensor_id=sensor.sensor_id,
                event_id=event_id,
                ts=reading.ts,
                prediction=scored.prediction,
                model=_model(sensor),
                source=_source(context, offset),
            )
        )
    done.labels = sensor.pending.drain_counts()
    done.messages += adaptation.after_learning(sensor, context)
    return done


def on_label(sensor: Sensor, label: Label, context: Context) -> Done:
    """Learn a label if its event is waiting, else keep it for the event to come."""
    done = Done()
    learner = sensor.champion.learner
    if not learner.needs_label:
        done.labels = {"unused": 1}
        return done
    learner.check_label(label.label)
    arrival = sensor.pending.label(label.event_id, label.label, label.ts)
    done.labels = sensor.pending.drain_counts()
    if arrival.pending is not None:
        scored = learn_label(sensor, arrival.pending, label.label, context.sensor_settings)
        calibrate(sensor, context.sensor_settings, context.sensors)
        _report(sensor, scored, context, done)
        done.messages += adaptation.after_learning(sensor, context)
    return done


def on_control(sensor: Sensor, command: ControlEvent, context: Context) -> Done:
    """Carry out a command of the policy or of an operator."""
    return Done(adaptation.on_control(sensor, command, context))


def on_alert(sensor: Sensor, drift: DriftEvent, context: Context) -> Done:
    """Let the policy decide what a drift event leads to."""
    return Done(adaptation.on_alert(sensor, drift, context))


def on_model(sensor: Sensor, record: ModelRecord, context: Context) -> Done:
    """Take a retrained model into use if it is better than the one in use."""
    return Done(adaptation.on_model(sensor, record, context))


HANDLERS: Mapping[str, Callable[[Sensor, Any, Context], Done]] = {
    "sensors": on_reading,
    "labels": on_label,
    "control": on_control,
    "alerts": on_alert,
    "models": on_model,
}


def _report(sensor: Sensor, scored: Scored, context: Context, done: Done) -> None:
    """Turn what was found into drift events, unless the sensor is muted or the episode acked."""
    for event, diagnosis, severity in scored.events:
        message = drift_event(
            sensor.sensor_id,
            _model(sensor),
            _source(context, scored.at.offset),
            scored.at,
            event,
            diagnosis,
            severity,
        )
        muted = sensor.muted_until is not None and context.record.timestamp < sensor.muted_until
        acked = sensor.acked_episode == message.episode_id and event.kind != "recovered"
        if muted or acked:
            done.silenced.append(message)
        else:
            done.messages.append(message)
            done.opens = event.opens


def _model(sensor: Sensor) -> ModelRef:
    return ModelRef(name=sensor.champion.name, version=sensor.champion.version)


def _source(context: Context, offset: int) -> SourceRef:
    return SourceRef(
        topic=context.settings.topic("sensors"), partition=context.partition, offset=offset
    )
