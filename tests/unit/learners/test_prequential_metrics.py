"""Prequential metrics."""

from __future__ import annotations

import math

import pytest

from learners.metrics import Prequential


def test_before_the_first_error_there_is_no_figure() -> None:
    assert Prequential().value is None


def test_without_fading_it_is_the_mean() -> None:
    metric = Prequential(fading=1.0)
    for error in (1.0, 2.0, 6.0):
        metric.update(error)
    assert metric.value == 3.0
    assert metric.n == 3


def test_old_errors_are_forgotten() -> None:
    metric = Prequential(fading=0.99)
    for _ in range(1000):
        metric.update(10.0)
    for _ in range(1000):
        metric.update(1.0)
    assert metric.value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("error", [None, math.nan, math.inf])
def test_what_is_no_error_does_not_count(error: float | None) -> None:
    metric = Prequential()
    metric.update(2.0)
    metric.update(error)
    assert metric.n == 1
    assert metric.value == 2.0
