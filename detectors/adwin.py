"""ADWIN: two halves of an adaptive window differ in their means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from river.drift import ADWIN

from detectors.base import MANY, Allowed, Domain, RiverDetector


class Adwin(RiverDetector):
    """Adaptive windowing.

    Keeps a window of variable length in exponential buckets, and compares, every `clock`
    values, the means of all its older and newer parts. Finds abrupt and gradual changes of the
    mean, in either direction, and knows no warning zone. It compares against the window's own
    variance, so it needs no scaling; values that depend on one another (r > 0 at lag 1) make it
    alarm more often than `delta` says.

    Parameters
    ----------
    delta
        Significance of each comparison; smaller means fewer alarms.
    clock
        Compare every so many values.
    max_buckets
        Buckets of each size before two are merged.
    min_window_length
        Shortest part that is compared.
    grace_period
        Values before the first comparison.

    Examples
    --------
    >>> import random
    >>> from detectors.adwin import Adwin
    >>> rng = random.Random(12345)
    >>> adwin = Adwin()
    >>> for i, x in enumerate(rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)):
    ...     adwin.update(x)
    ...     if adwin.drift_detected:
    ...         print(f"drift at index {i}, value {x}")
    drift at index 1023, value 4

    References
    ----------
    River: `river.drift.ADWIN`. Bifet and Gavaldà, "Learning from time-changing data with
    adaptive windowing", SIAM International Conference on Data Mining, 2007.
    """

    __slots__ = ()

    name: ClassVar[str] = "adwin"
    domain: ClassVar[Domain] = "real"
    # River's compiled part divides by `clock` and merges buckets two by two, unchecked: with a
    # clock of 0 or fewer than 2 buckets it panics, which no `except Exception` catches, and with
    # billions of buckets, reserved at the start, it ends the process.
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "delta": Allowed(float, above=0, high=1),
        "clock": Allowed(int, low=1, high=MANY),
        "max_buckets": Allowed(int, low=2, high=100),
        "min_window_length": Allowed(int, low=1, high=MANY),
        "grace_period": Allowed(int, low=0, high=MANY),
    }

    def __init__(
        self,
        delta: float = 0.002,
        clock: int = 32,
        max_buckets: int = 5,
        min_window_length: int = 5,
        grace_period: int = 10,
    ) -> None:
        self.check(
            delta=delta,
            clock=clock,
            max_buckets=max_buckets,
            min_window_length=min_window_length,
            grace_period=grace_period,
        )
        super().__init__(
            ADWIN(
                delta=delta,
                clock=clock,
                max_buckets=max_buckets,
                min_window_length=min_window_length,
                grace_period=grace_period,
            )
        )

    @property
    def width(self) -> int:
        """Number of values in the window."""
        return int(self._river.width)

    @property
    def estimation(self) -> float:
        """Mean of the window."""
        return float(self._river.estimation)
