"""A sensor's model at one event: judged by the truth, then taught it."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.observed import Labels, Observed
from detectors.signal import Caution, Finding, Position
from learners.base import LARGEST, Feature, PredictionValue
from learners.metrics import Prequential
from schemas.settings import SensorSettings
from streams.class_signals import RARE, class_name
from streams.sensor.caution import caution_of_errors
from streams.sensor.monitors import drop, feed
from streams.sensor.state import Sensor


def see(sensor: Sensor, x: Mapping[str, Feature], single: bool, settings: SensorSettings) -> None:
    """Keep what evidence needs of the inputs of an event."""
    if sensor.observed is None:
        learner = sensor.champion.learner
        if single and not learner.needs_label:
            return
        kinds: dict[str, Labels] = {"classification": "classes", "regression": "numbers"}
        labels = kinds.get(learner.task, "none")
        sensor.observed = Observed(labels, settings.detectors.warmup)
    sensor.observed.event(x)


def compare(
    sensor: Sensor,
    prediction: PredictionValue | None,
    rival: PredictionValue | None,
    truth: PredictionValue | None,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> float | None:
    """Judge a prediction by the truth, and that of the challenger on the same event.

    Returns
    -------
    float or None
        The error, if the model has learned enough for it to count.
    """
    if at.offset <= sensor.renewed_at:
        return None
    champion, learner = sensor.champion, sensor.champion.learner
    error = learner.error(prediction, truth)
    if champion.challenger is not None:
        champion.observe(error, champion.challenger.error(rival, truth))
    if error is None or error >= LARGEST:
        return None
    sensor.prequential.update(error)
    rare = None
    if sensor.classes is not None and truth is not None:
        name = class_name(truth)
        sensor.classes.judge(name, error == 0.0)
        rare = name if sensor.classes.share(name) < RARE else None
    if learner.learned < settings.learner.grace:
        return None
    caution = Caution.NONE if learner.needs_label else caution_of_errors(sensor, at)
    feed(sensor, "error", error, at, settings, findings, caution)
    if rare is not None:
        found: list[tuple[str, Finding]] = []
        feed(sensor, f"error:{rare}", error, at, settings, found)
        findings.extend(pair for pair in found if pair[1].kind == "drift")
    return error


def judge(
    sensor: Sensor,
    at: Position,
    x: Mapping[str, Feature],
    error: float | None,
    label: PredictionValue | None,
) -> None:
    """Keep what evidence needs of an event whose truth is known."""
    if sensor.observed is None:
        return
    if label is not None:
        label = float(label) if sensor.champion.learner.task == "regression" else class_name(label)
    sensor.observed.judge(at.offset, x, error, label)


def learn(
    sensor: Sensor, x: Mapping[str, Feature], label: PredictionValue | None, at: Position
) -> None:
    """Teach the model and its challenger an event whose truth is known."""
    champion = sensor.champion
    champion.learner.learn(x, label)
    if champion.challenger is not None:
        champion.challenger.learn(x, label)
    sensor.examples += 1
    sensor.last_labelled = max(sensor.last_labelled, at.offset)
    due = sensor.retrain_due
    if due is not None and at.offset >= due.from_offset:
        due.examples += 1


def begin_anew(sensor: Sensor) -> None:
    """Take an untrained model: what the present one knows is of no use."""
    sensor.champion.learner = sensor.champion.learner.fresh()
    sensor.renewed_at = sensor.last_offset
    forget_error(sensor)


def forget_error(sensor: Sensor) -> None:
    """Begin the error signal anew: another model's errors are another signal."""
    drop(sensor, "error")
    if sensor.champion.learner.needs_label:
        drop(sensor, "prediction")
        sensor.foreseen = None
    sensor.prequential = Prequential()
    if sensor.classes is not None:
        sensor.classes.forget_recalls()
    if sensor.observed is not None:
        sensor.observed.forget_errors()
