"""DDM: the error rate rises above its best level so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from river.drift.binary import DDM

from detectors.base import MANY, Allowed, RiverBitDetector


class Ddm(RiverBitDetector):
    """Drift detection method for a stream of errors (1) and right answers (0).

    Remembers the error rate p and its standard deviation s where p + s was lowest, and reports a
    drift when p + s exceeds that p by `drift_threshold` times that s. It sees a rising rate
    only. After a long run without any error that s is 0, and a single error is a drift.

    Parameters
    ----------
    warm_start
        Values before the first decision.
    warning_threshold
        Standard deviations to the warning zone.
    drift_threshold
        Standard deviations to a drift.

    Examples
    --------
    >>> import random
    >>> from detectors.ddm import Ddm
    >>> rng = random.Random(42)
    >>> ddm = Ddm()
    >>> stream = rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
    >>> for i, x in enumerate(stream):
    ...     ddm.update(x)
    ...     if ddm.drift_detected:
    ...         print(f"drift at index {i}")
    drift at index 1334

    References
    ----------
    River: `river.drift.binary.DDM`. Gama, Medas, Castillo and Rodrigues, "Learning with drift
    detection", SBIA 2004.
    """

    __slots__ = ()

    name: ClassVar[str] = "ddm"
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "warm_start": Allowed(int, low=0, high=MANY),
        "warning_threshold": Allowed(float, above=0),
        "drift_threshold": Allowed(float, above=0),
    }

    def __init__(
        self,
        warm_start: int = 30,
        warning_threshold: float = 2.0,
        drift_threshold: float = 3.0,
    ) -> None:
        self.check(
            warm_start=warm_start,
            warning_threshold=warning_threshold,
            drift_threshold=drift_threshold,
        )
        super().__init__(
            DDM(
                warm_start=warm_start,
                warning_threshold=warning_threshold,
                drift_threshold=drift_threshold,
            )
        )

    @property
    def score(self) -> float | None:
        """Error rate plus its standard deviation; none before the first decision."""
        river = self._river
        if river._p_min is None:
            return None
        p = float(river._p.get())
        return p + math.sqrt(p * (1 - p) / river._p.n)

    @property
    def threshold(self) -> float | None:
        """Lowest error rate plus `drift_threshold` of its standard deviations."""
        river = self._river
        if river._p_min is None:
            return None
        return float(river._p_min + river.drift_threshold * river._s_min)
