"""EDDM: errors come closer together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from river.drift.binary import EDDM

from detectors.base import MANY, Allowed, RiverBitDetector
from schemas.errors import ConfigurationError


class Eddm(RiverBitDetector):
    """Early drift detection method for a stream of errors (1) and right answers (0).

    Watches the distance between two errors: a drift is reported when mean plus two standard
    deviations of the distance fall below `beta` of their largest value so far. Sees gradual
    degradation sooner than DDM, at the price of many more false alarms: with River's defaults
    one every 500 values of a stationary stream with 20 % errors.

    Parameters
    ----------
    warm_start
        Errors before the first decision.
    alpha
        Share of the best distance below which the warning zone begins.
    beta
        Share of the best distance below which a drift is reported; not above `alpha`.

    Examples
    --------
    >>> import random
    >>> from detectors.eddm import Eddm
    >>> rng = random.Random(42)
    >>> eddm = Eddm(alpha=0.8, beta=0.75)
    >>> stream = rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
    >>> for i, x in enumerate(stream):
    ...     eddm.update(x)
    ...     if eddm.drift_detected:
    ...         print(f"drift at index {i}")
    drift at index 1278

    References
    ----------
    River: `river.drift.binary.EDDM`. Baena-García et al., "Early drift detection method",
    Fourth International Workshop on Knowledge Discovery from Data Streams, 2006.
    """

    __slots__ = ()

    name: ClassVar[str] = "eddm"
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "warm_start": Allowed(int, low=0, high=MANY),
        "alpha": Allowed(float, above=0, high=1),
        "beta": Allowed(float, above=0, high=1),
    }

    def __init__(self, warm_start: int = 30, alpha: float = 0.95, beta: float = 0.9) -> None:
        self.check(warm_start=warm_start, alpha=alpha, beta=beta)
        if alpha < beta:
            raise ConfigurationError(
                "eddm.beta", beta, f"a number not above eddm.alpha, which is {alpha:g}"
            )
        super().__init__(EDDM(warm_start=warm_start, alpha=alpha, beta=beta))

    @property
    def score(self) -> float | None:
        """Distance between errors as a share of its best; a drift lies *below* the threshold."""
        river = self._river
        if river._n_errors <= river.warm_start or river._p2s_prime_max <= 0:
            return None
        distances = river._error_distances
        return float((distances.mean.get() + 2 * distances.get() ** 0.5) / river._p2s_prime_max)

    @property
    def threshold(self) -> float | None:
        """The constructor's `beta`."""
        return float(self._river.beta)
