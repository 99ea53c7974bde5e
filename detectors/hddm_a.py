"""HDDM-A: the mean of a bounded stream exceeds its best level by Hoeffding's bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from river.drift.binary import HDDMA

from detectors.base import Allowed
from detectors.hddm import Hddm


class HddmA(Hddm):
    """Drift detection by Hoeffding's bound on the average of errors (1) and right answers (0).

    Best suited to abrupt changes of the error rate. By default it sees a rising rate only.

    Parameters
    ----------
    drift_confidence
        Significance of a drift.
    warning_confidence
        Significance of the warning zone.
    two_sided_test
        Watch for a falling rate too.

    Examples
    --------
    >>> import random
    >>> from detectors.hddm_a import HddmA
    >>> rng = random.Random(42)
    >>> hddm = HddmA()
    >>> stream = rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
    >>> for i, x in enumerate(stream):
    ...     hddm.update(x)
    ...     if hddm.drift_detected:
    ...         print(f"drift at index {i}")
    drift at index 1206

    References
    ----------
    River: `river.drift.binary.HDDMA`. Frías-Blanco et al., "Online and non-parametric drift
    detection methods based on Hoeffding's bounds", IEEE Transactions on Knowledge and Data
    Engineering 27(3), 2014.
    """

    __slots__ = ()

    name: ClassVar[str] = "hddm-a"
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "drift_confidence": Allowed(float, above=0, high=1),
        "warning_confidence": Allowed(float, above=0, high=1),
        "two_sided_test": Allowed(bool),
    }

    def __init__(
        self,
        drift_confidence: float = 0.001,
        warning_confidence: float = 0.005,
        two_sided_test: bool = False,
    ) -> None:
        self.check(
            drift_confidence=drift_confidence,
            warning_confidence=warning_confidence,
            two_sided_test=two_sided_test,
        )
        super().__init__(
            HDDMA(
                drift_confidence=drift_confidence,
                warning_confidence=warning_confidence,
                two_sided_test=two_sided_test,
            )
        )

    def _comparisons(self) -> list[tuple[float, float]]:
        """Distance of the mean from its cut point, and Hoeffding's bound of it."""
        river = self._river
        mean = river._z
        cuts = [(river._x_min, 1.0)]
        if river.two_sided_test:
            cuts.append((river._x_max, -1.0))
        compared = []
        for cut, sign in cuts:
            if 0 < cut.n < mean.n:
                m = (mean.n - cut.n) / cut.n * (1.0 / mean.n)
                bound = math.sqrt(m / 2 * math.log(2.0 / river.drift_confidence))
                compared.append((sign * float(mean.get() - cut.get()), bound))
        return compared
