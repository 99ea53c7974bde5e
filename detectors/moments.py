"""Count, mean and spread of a stretch of values."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Moments", "Statistics", "together"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Count, mean and sample standard deviation, in the signal's own unit."""

    n: int
    mean: float
    std: float


class Moments:
    """Count, mean and sum of squared deviations, value by value (Welford, 1962)."""

    __slots__ = ("m2", "mean", "n")

    def __init__(self, n: int = 0, mean: float = 0.0, m2: float = 0.0) -> None:
        self.n = n
        self.mean = mean
        self.m2 = m2

    def add(self, x: float) -> None:
        """Take the next value, at most 1e100 in magnitude."""
        self.n = n = self.n + 1
        delta = x - self.mean
        self.mean = mean = self.mean + delta / n
        self.m2 += delta * (x - mean)

    @property
    def statistics(self) -> Statistics:
        """What has come so far; all 0 before the first value."""
        std = math.sqrt(self.m2 / (self.n - 1)) if self.n > 1 else 0.0
        return Statistics(self.n, self.mean, std)

    @property
    def known(self) -> Statistics | None:
        """What has come so far; None before the first value."""
        return self.statistics if self.n else None


def together(first: Statistics, then: Statistics) -> Statistics:
    """Return the statistics of two stretches taken as one (Chan, Golub and LeVeque, 1983)."""
    n = first.n + then.n
    if n == 0 or then.n == 0:
        return first
    delta = then.mean - first.mean
    squares = first.std**2 * max(first.n - 1, 0) + then.std**2 * max(then.n - 1, 0)
    squares += delta * delta * first.n * then.n / n
    std = math.sqrt(squares / (n - 1)) if n > 1 else 0.0
    return Statistics(n, first.mean + delta * then.n / n, std)
