"""HDDM-W: the weighted mean of a bounded stream exceeds its best level by McDiarmid's bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from river.drift.binary import HDDMW

from detectors.base import Allowed
from detectors.hddm import Hddm


class HddmW(Hddm):
    """Drift detection by McDiarmid's bound on an exponentially weighted mean of errors.

    Best suited to gradual changes of the error rate. By default it sees a rising rate only.

    Parameters
    ----------
    drift_confidence
        Significance of a drift.
    warning_confidence
        Significance of the warning zone.
    lambda_val
        Weight of the newest value.
    two_sided_test
        Watch for a falling rate too.

    Examples
    --------
    >>> import random
    >>> from detectors.hddm_w import HddmW
    >>> rng = random.Random(42)
    >>> hddm = HddmW()
    >>> stream = rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
    >>> for i, x in enumerate(stream):
    ...     hddm.update(x)
    ...     if hddm.drift_detected:
    ...         print(f"drift at index {i}")
    drift at index 1077

    References
    ----------
    River: `river.drift.binary.HDDMW`. Frías-Blanco et al., "Online and non-parametric drift
    detection methods based on Hoeffding's bounds", IEEE Transactions on Knowledge and Data
    Engineering 27(3), 2014.
    """

    __slots__ = ()

    name: ClassVar[str] = "hddm-w"
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "drift_confidence": Allowed(float, above=0, high=1),
        "warning_confidence": Allowed(float, above=0, high=1),
        "lambda_val": Allowed(float, above=0, high=1),
        "two_sided_test": Allowed(bool),
    }

    def __init__(
        self,
        drift_confidence: float = 0.001,
        warning_confidence: float = 0.005,
        lambda_val: float = 0.05,
        two_sided_test: bool = False,
    ) -> None:
        self.check(
            drift_confidence=drift_confidence,
            warning_confidence=warning_confidence,
            lambda_val=lambda_val,
            two_sided_test=two_sided_test,
        )
        super().__init__(
            HDDMW(
                drift_confidence=drift_confidence,
                warning_confidence=warning_confidence,
                lambda_val=lambda_val,
                two_sided_test=two_sided_test,
            )
        )

    def _comparisons(self) -> list[tuple[float, float]]:
        """Distance of the newer weighted mean from the older one, and McDiarmid's bound of it."""
        river = self._river
        pairs = [(river._s1_incr, river._s2_incr)]
        if river.two_sided_test:
            pairs.append((river._s2_decr, river._s1_decr))
        compared = []
        for low, high in pairs:
            if low.is_init and high.is_init:
                spread = (low.ibc + high.ibc) * math.log(1 / river.drift_confidence)
                compared.append((float(high.ewma - low.ewma), math.sqrt(spread / 2)))
        return compared
