"""CUSUM: evidence for a shifted mean adds up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from detectors.base import LARGEST, MANY, Allowed, Detector, Domain
from schemas.errors import OutOfDomain


class Cusum(Detector):
    """Two-sided tabular CUSUM on values standardised by the first `warm_start` of them.

    Let z be the distance of a value from the mean of the first `warm_start` values, in their
    standard deviations. Then ``up = max(0, up + z - k)`` and ``down = max(0, down - z - k)``; a
    drift is reported when either exceeds `h`, and the next value begins a new warm-up. `k` is
    half the shift to be found. It knows no warning zone.

    Parameters
    ----------
    warm_start
        Values that the reference is taken from.
    k
        Allowance (slack), in standard deviations.
    h
        Decision interval, in standard deviations.

    Examples
    --------
    >>> import random
    >>> from detectors.cusum import Cusum
    >>> rng = random.Random(12345)
    >>> cusum = Cusum()
    >>> for i, x in enumerate(rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)):
    ...     cusum.update(x)
    ...     if cusum.drift_detected:
    ...         print(f"drift at index {i}, value {x}")
    drift at index 1001, value 6

    References
    ----------
    Page, "Continuous inspection schemes", Biometrika 41, 1954. Montgomery, "Introduction to
    Statistical Quality Control", chapter 9.
    """

    __slots__ = ("_down", "_drift", "_limit", "_m2", "_mean", "_n", "_up", "h", "k", "warm_start")

    name: ClassVar[str] = "cusum"
    domain: ClassVar[Domain] = "real"
    calibrated: ClassVar[str | None] = "h"
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "warm_start": Allowed(int, low=2, high=MANY),
        "k": Allowed(float, low=0),
        "h": Allowed(float, above=0),
    }

    def __init__(self, warm_start: int = 100, k: float = 0.5, h: float = 10.0) -> None:
        self.check(warm_start=warm_start, k=k, h=h)
        self.warm_start = warm_start
        self.k = k
        self.h = h
        self.reset()

    def reset(self) -> None:
        """Forget everything but the parameters."""
        self._limit = self.h
        self._begin()

    def _begin(self) -> None:
        self._n = 0
        self._mean = 0.0
        self._m2 = 0.0
        self._up = 0.0
        self._down = 0.0
        self._drift = False

    def update(self, x: float) -> None:
        """Take the next value of the stream; see `Detector.update`."""
        if not -LARGEST <= x <= LARGEST:
            raise OutOfDomain(f"{self.name}: expected a finite number up to 1e100, got {x!r}")
        if self._drift:
            self._begin()
        if self._n < self.warm_start:
            self._n += 1
            delta = x - self._mean
            self._mean += delta / self._n
            self._m2 += delta * (x - self._mean)
            return
        z = (x - self._mean) / self._deviation()
        self._up = max(0.0, self._up + z - self.k)
        self._down = max(0.0, self._down - z - self.k)
        self._drift = self._up > self._limit or self._down > self._limit

    def _deviation(self) -> float:
        """Standard deviation of the reference; a constant has a tiny one instead of none."""
        return max(math.sqrt(self._m2 / (self._n - 1)), 1e-9 * abs(self._mean), 1e-12)

    @property
    def drift_detected(self) -> bool:
        """Whether the last update found a drift."""
        return self._drift

    @property
    def warning_detected(self) -> bool:
        """Always false: this detector has no warning zone."""
        return False

    @property
    def score(self) -> float | None:
        """The larger of the two sums; none during the warm-up."""
        return max(self._up, self._down) if self._n >= self.warm_start else None

    @property
    def threshold(self) -> float | None:
        """The constructor's `h`, or what `calibrate` put in its place."""
        return self._limit

    def calibrate(self, threshold: float) -> None:
        """Use another `h` from now on, until `reset`."""
        self._limit = threshold

    def go_on(self, threshold: float) -> None:
        """Take the drift just found back, and use another `h` from now on."""
        self._limit = threshold
        self._drift = False

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor arguments of this detector."""
        return {"warm_start": self.warm_start, "k": self.k, "h": self.h}
