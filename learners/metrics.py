"""Prequential metrics: how good a model is now, from its errors before it learned of each event.

Each error counts a little less with every later one (fading factors; Gama, Sebastião & Rodrigues,
"On evaluating stream learning algorithms", Machine Learning 90, 2013, section 3.3), so the figure
forgets how the model began, in constant memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

__all__ = ["FADING", "Prequential"]

FADING: Final = 0.999
"""What an error weighs after one more event: the last thousand or so count."""


@dataclass(slots=True)
class Prequential:
    """Fading mean of a model's errors.

    Of absolute errors this is the MAE, of 0 and 1 the share of wrong classes: 1 - accuracy.

    Attributes
    ----------
    fading
        Factor from 0 (excluded) to 1; 1 is the plain mean.
    n
        Errors observed.

    Examples
    --------
    >>> metric = Prequential()
    >>> for error in (1.0, 0.0, 0.0):
    ...     metric.update(error)
    >>> round(metric.value, 3)
    0.333
    """

    fading: float = FADING
    n: int = 0
    _sum: float = 0.0
    _weight: float = 0.0

    def update(self, error: float | None) -> None:
        """Count one error; None and what is not finite are no errors."""
        if error is None or not isfinite(error):
            return
        self.n += 1
        self._sum = error + self.fading * self._sum
        self._weight = 1.0 + self.fading * self._weight

    @property
    def value(self) -> float | None:
        """The fading mean; None before the first error."""
        return self._sum / self._weight if self.n else None
