"""Signals of classes: one series of numbers for each class, under the name of one signal.

What is watched of labels and predictions of a classification is the share of each class, never the
number that a label may happen to be. With two classes one series says all; with more there is one
for each but the first. In a sensor's monitors they stand as ``label`` (the share of all classes but
the first) and ``label:<class>``; a subscriber is told the signal, and the class as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from learners.base import PredictionValue

__all__ = ["HISTORY", "RARE", "TRACKED", "class_name", "series", "signal_of"]

TRACKED: Final = 8
"""Classes with a series of their own."""

HISTORY: Final = 300
"""Labels for which a class that comes late is taken to have been known, and absent."""

RARE: Final = 0.2
"""Share below which the errors of a class are watched by themselves: in the overall error they
hardly show."""

_OF_CLASSES: Final = ("label", "error", "prediction")


def class_name(label: PredictionValue) -> str:
    """Return a class in words: 1, 1.0 and true are one."""
    return label if isinstance(label, str) else f"{float(label):.17g}"


def signal_of(series: str) -> str:
    """Return the signal that a series belongs to.

    Examples
    --------
    >>> signal_of("label:good"), signal_of("feature:a")
    ('label', 'feature:a')
    """
    signal = series.partition(":")[0]
    return signal if signal in _OF_CLASSES else series


def series(
    signal: str, classes: Sequence[str], share: Callable[[str], float]
) -> Iterator[tuple[str, float]]:
    """Yield the name and the next value of each series of a signal.

    Parameters
    ----------
    signal
        ``label`` or ``prediction``.
    classes
        In the order in which they came.
    share
        Of a class in what has come: 0 or 1, or a probability.
    """
    if not classes:
        return
    yield signal, min(max(1.0 - share(classes[0]), 0.0), 1.0)
    if len(classes) > 2:
        for name in classes[1 : TRACKED + 1]:
            yield f"{signal}:{name}", min(max(share(name), 0.0), 1.0)
