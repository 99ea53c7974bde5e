"""What the two HDDM have in common: a mean is held against its best level by a bound."""

from __future__ import annotations

from abc import abstractmethod

from detectors.base import RiverBitDetector


class Hddm(RiverBitDetector):
    """A detector that compares means of a bounded stream, of one side or of both.

    References
    ----------
    Frías-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's
    bounds", IEEE Transactions on Knowledge and Data Engineering 27(3), 2014.
    """

    __slots__ = ()

    @abstractmethod
    def _comparisons(self) -> list[tuple[float, float]]:
        """Distance of the mean from its best level, and the bound of it, of each side."""

    @property
    def score(self) -> float | None:
        """Distance of the mean from its best level; none while the mean is at its best."""
        nearest = self._nearest()
        return None if nearest is None else nearest[0]

    @property
    def threshold(self) -> float | None:
        """The bound of that distance; none while the mean is at its best."""
        nearest = self._nearest()
        return None if nearest is None else nearest[1]

    def _nearest(self) -> tuple[float, float] | None:
        """Return distance and bound of the side that is nearest to a drift."""
        return max(self._comparisons(), key=lambda pair: pair[0] - pair[1], default=None)
