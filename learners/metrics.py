"""Prequential metrics: how good a model is now, from its errors before it learned of each event.

Each error counts a little less with every later one (fading factors; Gama, Sebastião & Rodrigues,
"On evaluating stream learning algorithms", Machine Learning 90, 2013, section 3.3), so the figure
forgets how the model began, in constant memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Final

__all__ = ["FADING", "MAX_CLASSES", "ClassMetrics", "Prequential"]

FADING: Final = 0.999
"""What an error weighs after one more event: the last thousand or so count."""

RECALL_FADING: Final = 0.99
"""The same for the recall of a class, counted in events of that class: the last hundred or so."""

MAX_CLASSES: Final = 20
"""Classes whose figures are kept apart: the first ones that come."""


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


@dataclass(slots=True)
class ClassMetrics:
    """Prequential recall of each class, and what follows from it for all classes alike.

    A model that never finds a class of 2 % is right in 98 of 100 cases; its balanced accuracy is a
    half, and its geometric mean 0. The time-decayed recall is that of Wang, Minku, Ghezzi,
    Caltabiano, Tino and Yao, "Concept drift detection for online class imbalance learning", IJCNN
    2013, section III.

    Attributes
    ----------
    seen
        Labels by class, in the order in which classes came; at most `MAX_CLASSES` classes.
    labels
        Labels in all.

    Examples
    --------
    >>> metrics = ClassMetrics()
    >>> for truth, right in (("good", True), ("good", True), ("bad", False)):
    ...     metrics.label(truth)
    ...     metrics.judge(truth, right)
    >>> metrics.recall("good"), metrics.balanced_accuracy, metrics.geometric_mean
    (1.0, 0.5, 0.0)
    """

    seen: dict[str, int] = field(default_factory=dict)
    labels: int = 0
    _shares: dict[str, float] = field(default_factory=dict)
    _recalls: dict[str, Prequential] = field(default_factory=dict)

    def label(self, name: str) -> None:
        """Count a label."""
        if name not in self.seen:
            if len(self.seen) >= MAX_CLASSES:
                return
            self.seen[name] = 0
            self._shares[name] = 0.0
        self.labels += 1
        self.seen[name] += 1
        # The plain share at first, one that forgets later.
        weight = max(1.0 / self.labels, 1.0 - FADING)
        for other, share in self._shares.items():
            self._shares[other] = share + weight * (float(other == name) - share)

    def judge(self, name: str, right: bool) -> None:
        """Count a prediction for an event of that class."""
        if name in self.seen:
            recall = self._recalls.get(name)
            if recall is None:
                recall = self._recalls[name] = Prequential(RECALL_FADING)
            recall.update(float(right))

    def forget_recalls(self) -> None:
        """Begin anew what is known of the model; the classes stay."""
        self._recalls = {}

    def share(self, name: str) -> float:
        """Part of the labels lately; 1 for a class that is not kept apart."""
        return self._shares.get(name, 1.0)

    def recall(self, name: str) -> float | None:
        """Part of the class that is found; None before its first prediction."""
        found = self._recalls.get(name)
        return None if found is None else found.value

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean recall over the classes; None before the first prediction."""
        known = self._known()
        return sum(known) / len(known) if known else None

    @property
    def geometric_mean(self) -> float | None:
        """Geometric mean of the recalls (Kubat, Holte and Matwin, ECML 1997)."""
        known = self._known()
        return prod(known) ** (1.0 / len(known)) if known else None

    def _known(self) -> list[float]:
        values = (found.value for found in self._recalls.values())
        return [value for value in values if value is not None]
