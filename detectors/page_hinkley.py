"""Page-Hinkley: the sum of deviations from the mean leaves its extreme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from river.drift import PageHinkley as RiverPageHinkley

from detectors.base import MANY, Allowed, Domain, RiverDetector


class PageHinkley(RiverDetector):
    """Page-Hinkley test for a change of the mean, in one direction or both.

    Sums up how far each value lies from the running mean, less `delta`, and reports a drift
    when the sum is more than `threshold` away from its extreme. Both are in the unit of the
    values: on a raw signal of standard deviation 10 River's defaults alarm every 33 values, so
    give it a scaled signal or set both. It knows no warning zone.

    Parameters
    ----------
    min_instances
        Values before the first decision.
    delta
        Change of the mean to be tolerated, in the unit of the values.
    threshold
        Limit of the sum, in the unit of the values.
    alpha
        Forgetting factor of the sum; 1 forgets nothing.
    mode
        ``"up"``, ``"down"`` or ``"both"``.

    Examples
    --------
    >>> import random
    >>> from detectors.page_hinkley import PageHinkley
    >>> rng = random.Random(12345)
    >>> test = PageHinkley()
    >>> for i, x in enumerate(rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)):
    ...     test.update(x)
    ...     if test.drift_detected:
    ...         print(f"drift at index {i}, value {x}")
    drift at index 1006, value 5

    References
    ----------
    River: `river.drift.PageHinkley`. Page, "Continuous inspection schemes", Biometrika 41, 1954.
    """

    __slots__ = ("_threshold",)

    name: ClassVar[str] = "page-hinkley"
    calibrated: ClassVar[str | None] = "threshold"
    domain: ClassVar[Domain] = "real"
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "min_instances": Allowed(int, low=0, high=MANY),
        "delta": Allowed(float, low=0),
        "threshold": Allowed(float, above=0),
        "alpha": Allowed(float, above=0, high=1),
        "mode": Allowed(str, choices=("up", "down", "both")),
    }

    def __init__(
        self,
        min_instances: int = 30,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = 1 - 0.0001,
        mode: str = "both",
    ) -> None:
        self.check(
            min_instances=min_instances, delta=delta, threshold=threshold, alpha=alpha, mode=mode
        )
        self._threshold = threshold
        super().__init__(
            RiverPageHinkley(
                min_instances=min_instances,
                delta=delta,
                threshold=threshold,
                alpha=alpha,
                mode=mode,
            )
        )

    @property
    def score(self) -> float | None:
        """How far the sum lies from its extreme, on the side that `mode` watches."""
        river = self._river
        if river._x_mean.n < max(river.min_instances, 1):
            return None
        rise = float(river._sum_increase - river._min_increase)
        fall = float(river._max_decrease - river._sum_decrease)
        if river.mode == "up":
            return rise
        return fall if river.mode == "down" else max(rise, fall)

    @property
    def threshold(self) -> float | None:
        """The constructor's `threshold`, or what `calibrate` put in its place."""
        return float(self._river.threshold)

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor arguments of this detector."""
        return {**super().parameters, "threshold": self._threshold}

    def calibrate(self, threshold: float) -> None:
        """Use another `threshold` from now on, until `reset`."""
        self._river.threshold = threshold

    def go_on(self, threshold: float) -> None:
        """Take the drift just found back, and use another `threshold` from now on."""
        self._river.threshold = threshold
        self._river._drift_detected = False
