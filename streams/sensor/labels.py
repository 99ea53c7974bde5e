"""Labels of a sensor, and the predictions of those that have not come yet, as signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from detectors.signal import Finding, Position
from learners.base import Feature, PredictionValue
from learners.classification import Classification
from learners.metrics import ClassMetrics
from schemas.settings import SensorSettings
from streams.class_signals import HISTORY, class_name, series
from streams.sensor.limits import limit
from streams.sensor.monitors import feed, monitor_of, strictness
from streams.sensor.state import Sensor

MOVES_WITHIN = 100
"""Events within which inputs must be seen to move for predictions that moved to be told."""


def take_label(
    sensor: Sensor,
    label: PredictionValue,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> PredictionValue:
    """Watch a label, and return it as it is to be learned: a number is limited as values are."""
    if settings.learner.task == "regression" and not isinstance(label, str):
        return limit(sensor, "label", float(label), at, settings, findings)
    if settings.learner.task == "classification":
        _count_class(sensor, class_name(label), at, settings, findings)
    return label


def _count_class(
    sensor: Sensor,
    name: str,
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> None:
    """Watch which class a label is."""
    if sensor.classes is None:
        sensor.classes = ClassMetrics()
    classes = sensor.classes
    absent = 0 if name in classes.seen else min(classes.labels, HISTORY)
    classes.label(name)
    for watched, x in series("label", tuple(classes.seen), lambda each: float(each == name)):
        if absent and watched == f"label:{name}":
            monitor = sensor.monitors[watched] = monitor_of(
                watched, settings, strictness(sensor, watched)
            )
            for _ in range(absent):
                monitor.update(0.0, at)
        feed(sensor, watched, x, at, settings, findings)


def foresee(
    sensor: Sensor,
    prediction: PredictionValue | None,
    x: Mapping[str, Feature],
    at: Position,
    settings: SensorSettings,
    findings: list[tuple[str, Finding]],
) -> None:
    """Watch predictions whose labels may come late: a first sign, before there are errors.

    Predictions that move while no input does are the model's own learning, and are passed over.
    What is left is a warning, never a drift: that waits for labels.
    """
    learner = sensor.champion.learner
    if prediction is None or learner.learned < settings.learner.grace:
        return
    if settings.detectors.prediction is not None and not settings.detectors.prediction:
        return
    found: list[tuple[str, Finding]] = []
    if isinstance(learner, Classification):
        if sensor.classes is None:
            return
        told = learner.probabilities(x) or {prediction: 1.0}
        by_name = {class_name(label): p for label, p in told.items()}
        classes = tuple(sensor.classes.seen)
        for watched, share in series("prediction", classes, lambda each: by_name.get(each, 0.0)):
            feed(sensor, watched, share, at, settings, found)
    elif isinstance(prediction, float):
        feed(sensor, "prediction", prediction, at, settings, found)
    if found and sensor.foreseen is None:
        watched, one = found[0]
        sensor.foreseen = (sensor.events, watched, replace(one, kind="warning"))
    if sensor.foreseen is not None and sensor.observed is not None:
        since, watched, one = sensor.foreseen
        if sensor.observed.inputs_moved():
            findings.append((watched, one))
            sensor.foreseen = None
        elif sensor.events - since >= MOVES_WITHIN:
            sensor.foreseen = None
