"""Readings outside what is physically possible, as the configuration has it."""

from __future__ import annotations

from typing import Final

from detectors.base import LARGEST
from detectors.moments import Moments, Statistics
from detectors.signal import Finding, Position

DRIFT: Final = 3.0
"""So many impossible readings, close to each other, are a fault; fewer are a warning."""

FORGIVEN: Final = 0.1
"""How much of one impossible reading a possible one outweighs."""

MOST: Final = 10.0
"""What is counted up to, so that a long fault is forgiven as a short one is."""


class Doubt:
    """Impossible readings of one signal, lately.

    Attributes
    ----------
    count
        How many, each possible one since subtracting a tenth; the doubt is over at 0.
    began
        The first of them.
    outside
        Their count, mean and spread.
    """

    __slots__ = ("began", "count", "outside")

    def __init__(self, began: Position) -> None:
        self.count = 0.0
        self.began = began
        self.outside = Moments()

    def possible(self) -> bool:
        """Take a possible reading; tell whether the doubt is over."""
        self.count -= FORGIVEN
        return self.count <= FORGIVEN / 2

    def impossible(self, x: float, low: float, high: float, usual: Statistics | None) -> Finding:
        """Take an impossible reading."""
        self.count = min(self.count + 1.0, MOST)
        self.outside.add(min(max(x, -LARGEST), LARGEST))
        return Finding(
            detector="range",
            kind="drift" if self.count >= DRIFT else "warning",
            direction="down" if x < low else "up",
            score=x,
            threshold=low if x < low else high,
            change_point=self.began,
            before=usual,
            after=self.outside.statistics,
        )
