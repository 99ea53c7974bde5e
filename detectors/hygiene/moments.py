"""Count, mean and spread of readings that are kept from the detectors."""

from __future__ import annotations

import math

from detectors.signal import Statistics


class Moments:
    """Count, mean and sum of squared deviations, value by value (Welford)."""

    __slots__ = ("m2", "mean", "n")

    def __init__(self) -> None:
        self.n = 0
        self.mean = 0.0
        self.m2 = 0.0

    def add(self, x: float) -> None:
        """Take the next value; beyond ±1e100 it counts as ±1e100."""
        x = min(max(x, -1e100), 1e100)
        self.n += 1
        delta = x - self.mean
        self.mean += delta / self.n
        self.m2 += delta * (x - self.mean)

    @property
    def statistics(self) -> Statistics:
        """What has come so far."""
        std = math.sqrt(self.m2 / (self.n - 1)) if self.n > 1 else 0.0
        return Statistics(self.n, self.mean, std)


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
