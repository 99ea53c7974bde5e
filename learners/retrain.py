"""Batch retraining: fit an untrained model on recorded events, and compare it with the one in use.

The last 30 % of the events are held out. On these, candidate and running model are judged side by
side, test-then-learn, on the same events. The running model may have learned some of them already:
the comparison is, if anything, in its favour. The candidate has then learned all events.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from learners.base import Feature, Learner, PredictionValue
from learners.champion import better
from learners.features import inputs
from schemas.codec import Label, Reading
from schemas.settings import Policy

__all__ = ["HELD_OUT", "RetrainResult", "fit_and_evaluate"]

HELD_OUT: Final = 0.3

_Sample = tuple[dict[str, Feature], PredictionValue | None]


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """What came of fitting a model.

    Attributes
    ----------
    candidate
        The model that was fitted.
    candidate_error, champion_error
        Mean error on the held-out events: absolute, or the share of wrong classes; None if there
        was nothing to judge by.
    n_train, n_test
        Events before, and in, the held-out part; those that can't be learned are not counted.
    better
        Whether the candidate should take over.
    reason
        Why, or why not, in a few words.
    """

    candidate: Learner
    candidate_error: float | None
    champion_error: float | None
    n_train: int
    n_test: int
    better: bool
    reason: str


def fit_and_evaluate(
    readings: Iterable[Reading], labels: Iterable[Label], champion: Learner, settings: Policy
) -> RetrainResult:
    """Fit an untrained model on events of one sensor, and compare it with the one in use.

    Parameters
    ----------
    readings
        Sensor events in the order of their offsets, each with its ``event_id``, if labels count.
    labels
        Label events of the sensor, in any order; of several for one event the first counts.
    champion
        The model in use. It is not changed.
    settings
        Section ``policy``: ``retrain_min_events`` and ``margin``.
    """
    samples = _samples(readings, labels, champion)
    n_train = len(samples) - int(HELD_OUT * len(samples))
    train, test = samples[:n_train], samples[n_train:]
    candidate, running = champion.fresh(), copy.deepcopy(champion)
    for x, y in train:
        candidate.learn(x, y)
    total = running_total = 0.0
    judged = 0
    for x, y in test:
        error = candidate.error(candidate.predict(x), y)
        running_error = running.error(running.predict(x), y)
        if error is not None and running_error is not None:
            total += error
            running_total += running_error
            judged += 1
        for learner in (candidate, running):
            learner.learn(x, y if learner.needs_label else None)
    candidate_error = total / judged if judged else None
    champion_error = running_total / judged if judged else None
    wins, reason = _judge(candidate_error, champion_error, len(samples), settings)
    return RetrainResult(
        candidate, candidate_error, champion_error, len(train), len(test), wins, reason
    )


def _judge(
    candidate: float | None, champion: float | None, n: int, settings: Policy
) -> tuple[bool, str]:
    if n < settings.retrain_min_events:
        return False, f"{n} events are fewer than policy.retrain_min_events"
    if candidate is None or champion is None:
        return False, "no held-out event was predicted by both models"
    comparison = f"error {candidate:.6g}, that of the model in use {champion:.6g}"
    if better(candidate, champion, settings.margin):
        return True, comparison
    return False, f"{comparison}: not better by policy.margin {settings.margin:g}"


def _samples(
    readings: Iterable[Reading], labels: Iterable[Label], learner: Learner
) -> list[_Sample]:
    """Return inputs and truth of the readings whose truth is known."""
    if not learner.needs_label:
        return [(x, learner.truth(x)) for reading in readings if (x := inputs(reading))]
    truth: dict[str, PredictionValue] = {}
    for label in labels:
        truth.setdefault(label.event_id, label.label)
    samples: list[_Sample] = []
    for reading in readings:
        x = inputs(reading)
        # an event id that comes twice has one label, that of the first
        y = truth.pop(reading.event_id, None) if reading.event_id is not None else None
        if x and y is not None:
            samples.append((x, y))
    return samples
