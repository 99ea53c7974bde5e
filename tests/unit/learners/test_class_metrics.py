"""Recall by class: how good a model is at the classes that are rare."""

from __future__ import annotations

import random

import pytest

from learners.metrics import MAX_CLASSES, ClassMetrics


def after(n: int, rare_recall: float, seed: int = 1) -> ClassMetrics:
    """Metrics after `n` labels, 2 % of them rare, of a model that knows the common class."""
    rng, metrics = random.Random(seed), ClassMetrics()
    for _ in range(n):
        rare = rng.random() < 0.02
        name = "rare" if rare else "common"
        metrics.label(name)
        metrics.judge(name, not rare or rng.random() < rare_recall)
    return metrics


def test_before_the_first_prediction_there_is_no_figure() -> None:
    metrics = ClassMetrics()
    metrics.label("good")
    assert metrics.balanced_accuracy is None
    assert metrics.geometric_mean is None
    assert metrics.recall("good") is None


def test_a_class_that_is_never_found_counts_as_much_as_a_common_one() -> None:
    metrics = after(5000, rare_recall=0.0)
    assert metrics.balanced_accuracy == 0.5
    assert metrics.geometric_mean == 0.0


def test_the_figures_are_those_of_the_recalls() -> None:
    metrics = after(20_000, rare_recall=0.64)
    assert metrics.recall("common") == 1.0
    assert metrics.recall("rare") == pytest.approx(0.64, abs=0.15)
    rare = metrics.recall("rare")
    assert rare is not None
    assert metrics.geometric_mean == pytest.approx(rare**0.5)
    assert metrics.share("rare") == pytest.approx(0.02, abs=0.015)


def test_what_a_model_did_long_ago_is_forgotten() -> None:
    metrics = after(20_000, rare_recall=1.0)
    for _ in range(400):
        metrics.label("rare")
        metrics.judge("rare", right=False)
    assert (metrics.recall("rare") or 0.0) < 0.05
    assert metrics.share("rare") > 0.3


def test_another_model_begins_anew_and_the_classes_stay() -> None:
    metrics = after(1000, rare_recall=0.5)
    metrics.forget_recalls()
    assert metrics.balanced_accuracy is None
    assert set(metrics.seen) == {"rare", "common"}


def test_only_so_many_classes_are_kept_apart() -> None:
    metrics = ClassMetrics()
    for n in range(500):
        metrics.label(f"class {n}")
        metrics.judge(f"class {n}", right=True)
    assert len(metrics.seen) == MAX_CLASSES
    assert metrics.share("class 499") == 1.0
