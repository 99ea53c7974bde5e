"""What one event or label does to a sensor: predict, compare, learn, judge.

Everything here is a function of the order of events alone, so that a replay after a
failure comes to the same state and the same drift events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detectors.diagnosis import Diagnosis, Severity
from detectors.episodes import EpisodeEvent
from detectors.signal import Finding, Position
from learners.base import VALUE, Feature, PredictionValue
from learners.labels import Pending
from schemas.codec import Reading
from schemas.events import MAX_FEATURES
from schemas.settings import SensorSettings
from streams.sensor.findings import report
from streams.sensor.labels import foresee, take_label
from streams.sensor.limits import limit
from streams.sensor.model import begin_anew, compare, judge, learn, see
from streams.sensor.monitors import feed
from streams.sensor.state import Sensor


@dataclass(slots=True, frozen=True)
class Scored:
    """What one event or label brought to light.

    Attributes
    ----------
    at
        The sensor event that it is about.
    prediction
        Made before the event was learned; None until the model has learned something.
    events
        Warnings, drifts and recoveries to report, each with its diagnosis and severity.
    withheld
        Why the event was kept from the model: ``maintenance``, ``missing`` or the check that found
        a fault; None if it was not.
    """

    at: Position
    prediction: PredictionValue | None
    events: list[tuple[EpisodeEvent, Diagnosis, Severity]]
    withheld: str | None = None


def score(
    sensor: Sensor,
    reading: Reading,
    at: Position,
    event_id: str,
    settings: SensorSettings,
    arrived: int = -1,
) -> Scored:
    """Score one event: predict, compare, learn, judge.

    Parameters
    ----------
    sensor
        Changed in place.
    reading
        The decoded event.
    at
        Its offset on the sensors topic, and its time.
    event_id
        Its own, or the one that stands for it.
    settings
        Those of this sensor.
    arrived
        The broker's time for it in milliseconds, below 0 if there is none.
    """
    if sensor.events == 0:
        sensor.first_ts = at.ts
    last_ts, sensor.last_ts = sensor.last_ts, at.ts
    sensor.events += 1
    sensor.last_offset = at.offset
    single = reading.features is None
    values = {VALUE: reading.value} if reading.features is None else reading.features
    checked = sensor.hygiene.observe(
        values,
        single,
        at,
        last_ts=last_ts,
        arrived=arrived,
        earlier=sensor.events - 1,
        patience=settings.detectors.warmup,
        rules=settings.hygiene,
        monitors=sensor.monitors,
    )
    findings = list(checked.findings)
    missing = any(value is None for value in values.values())
    feed(sensor, "missing", float(missing), at, settings, findings)
    if checked.renewed:
        begin_anew(sensor)
    prediction = None
    if not missing:
        x = _known(sensor, values)
        clipped = dict(x)
        for name, value in x.items():
            if isinstance(value, float):
                signal = VALUE if single else f"feature:{name}"
                if name in checked.unusable:
                    monitor = sensor.monitors.get(signal)
                    clipped[name] = value if monitor is None else monitor.clip(value)
                    continue
                # One reading of 1e308 would make a running variance infinite for good.
                clipped[name] = limit(sensor, signal, value, at, settings, findings)
        champion = sensor.champion
        prediction = champion.learner.predict(clipped)
        withheld = checked.withheld or ("unit" if sensor.hygiene.units else None)
        if withheld is not None:
            # A faulty reading says nothing: nothing is learned from it or judged by it.
            return Scored(at, prediction, report(sensor, at, findings), withheld)
        see(sensor, clipped, single, settings)
        if champion.learner.needs_label:
            foresee(sensor, prediction, clipped, at, settings, findings)
        elif isinstance(prediction, float) and settings.detectors.prediction:
            feed(sensor, "prediction", prediction, at, settings, findings)
        rival = None if champion.challenger is None else champion.challenger.predict(clipped)
        if champion.learner.needs_label:
            early = sensor.pending.add(
                event_id,
                clipped,
                prediction=prediction,
                challenger=rival,
                version=champion.version,
                ts=at.ts,
                offset=at.offset,
                now=sensor.hygiene.now(at.ts),
            )
            if early is not None:
                early = take_label(sensor, early, at, settings, findings)
                error = compare(sensor, prediction, rival, early, at, settings, findings)
                judge(sensor, at, clipped, error, early)
                learn(sensor, clipped, early, at)
        else:
            # Judged by the same limited value: one wild reading would stay in the error for days.
            truth = champion.learner.truth(clipped)
            error = compare(sensor, prediction, rival, truth, at, settings, findings)
            judge(sensor, at, clipped, error, None)
            learn(sensor, clipped, None, at)
    return Scored(at, prediction, report(sensor, at, findings), "missing" if missing else None)


def pass_by(sensor: Sensor, reading: Reading, at: Position) -> Scored:
    """Count an event that says nothing of the sensor: it is neither judged nor learned.

    Parameters
    ----------
    sensor
        Changed in place: only its counts.
    reading
        The decoded event.
    at
        Its offset on the sensors topic, and its time.
    """
    sensor.events += 1
    sensor.last_offset = at.offset
    sensor.last_ts = at.ts
    single = reading.features is None
    values = {VALUE: reading.value} if reading.features is None else reading.features
    if any(value is None for value in values.values()):
        return Scored(at, None, [], "maintenance")
    x = _known(sensor, values)
    for name, value in x.items():
        monitor = sensor.monitors.get(VALUE if single else f"feature:{name}")
        if monitor is not None and isinstance(value, float):
            x[name] = monitor.clip(value)
    return Scored(at, sensor.champion.learner.predict(x), [], "maintenance")


def learn_label(
    sensor: Sensor, waiting: Pending, label: PredictionValue, settings: SensorSettings
) -> Scored:
    """Learn the label of an event that was scored before.

    Drift that shows now is reported for that event: its offset and time.
    """
    at = Position(waiting.offset, waiting.ts)
    findings: list[tuple[str, Finding]] = []
    label = take_label(sensor, label, at, settings, findings)
    error = None
    if waiting.version == sensor.champion.version:
        # What an earlier model expected says nothing of the one in use.
        error = compare(
            sensor, waiting.prediction, waiting.challenger, label, at, settings, findings
        )
    judge(sensor, at, waiting.features, error, label)
    learn(sensor, waiting.features, label, at)
    # An episode's quiet time is counted in events, and a label is none.
    return Scored(at, waiting.prediction, report(sensor, at, findings) if findings else [])


def _known(sensor: Sensor, values: Mapping[str, float | str | None]) -> dict[str, Feature]:
    """Leave out names beyond a sensor's first 256: what is held for it stays bounded."""
    features = len(sensor.monitors)
    if features >= MAX_FEATURES:
        features = sum(name.startswith("feature:") for name in sensor.monitors)
    full = features >= MAX_FEATURES
    return {
        name: value
        for name, value in values.items()
        if value is not None and not (full and f"feature:{name}" not in sensor.monitors)
    }
