"""KSWIN: the newest values no longer come from the distribution of the older ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from river.drift import KSWIN

from detectors.base import Allowed, Domain, RiverDetector
from schemas.errors import ConfigurationError


class Kswin(RiverDetector):
    """Kolmogorov-Smirnov test between the newest values and a random sample of older ones.

    Sees any change of the distribution, not of the mean alone. It tests after every value, so
    `alpha` is the significance of one test, not of a stream: with the default expect a false
    alarm every few hundred values. Each test costs hundreds of microseconds. It knows no
    warning zone.

    Parameters
    ----------
    alpha
        Significance of one test.
    window_size
        Values kept.
    stat_size
        How many of them, the newest, are compared with as many of the others; at most half of
        `window_size`.
    seed
        Seed of the random sample. River's default is to draw one; here it is fixed, so that a
        run can be repeated.

    Examples
    --------
    >>> import random
    >>> from detectors.kswin import Kswin
    >>> rng = random.Random(12345)
    >>> kswin = Kswin(alpha=0.0001)
    >>> for i, x in enumerate(rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)):
    ...     kswin.update(x)
    ...     if kswin.drift_detected:
    ...         print(f"drift at index {i}, value {x}")
    drift at index 1016, value 6

    References
    ----------
    River: `river.drift.KSWIN`. Raab, Heusinger and Schleif, "Reactive soft prototype computing
    for concept drift streams", Neurocomputing, 2020.
    """

    __slots__ = ()

    name: ClassVar[str] = "kswin"
    domain: ClassVar[Domain] = "real"
    allowed: ClassVar[Mapping[str, Allowed]] = {
        "alpha": Allowed(float, above=0, high=1),
        "window_size": Allowed(int, low=2, high=10_000),
        "stat_size": Allowed(int, low=1, high=5_000),
        "seed": Allowed(int, low=0),
    }

    def __init__(
        self,
        alpha: float = 0.005,
        window_size: int = 100,
        stat_size: int = 30,
        seed: int = 42,
    ) -> None:
        self.check(alpha=alpha, window_size=window_size, stat_size=stat_size, seed=seed)
        # River accepts this and fails at the first test, when it cannot draw its sample.
        if 2 * stat_size > window_size:
            raise ConfigurationError(
                "kswin.stat_size",
                stat_size,
                f"an integer of at most half of kswin.window_size, which is {window_size}",
            )
        super().__init__(
            KSWIN(alpha=alpha, window_size=window_size, stat_size=stat_size, seed=seed)
        )

    @property
    def score(self) -> float | None:
        """The p-value of the last test; a drift lies *below* the threshold."""
        river = self._river
        return float(river.p_value) if river.n >= river.window_size else None

    @property
    def threshold(self) -> float | None:
        """The constructor's `alpha`."""
        return float(self._river.alpha)
