"""A variable as it was and as it is lately: two distributions in a few hundred bytes.

The first values of a variable give the edges of its bins. What comes is counted in blocks that the
owner begins, of `BLOCK` events each: the last two blocks are what is recent, all before them are
the reference. So a change is not yet part of the reference by the time it is found, and both counts
are exact.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from detectors.base import LARGEST
from detectors.calibration import reference_of
from detectors.distances import Distances, of_bins, of_categories

__all__ = ["BLOCK", "FEWEST", "Categories", "Histogram"]

BLOCK: Final = 50
"""Events of a block: what is recent are the last 50 to 99 events."""

FEWEST: Final = 20
"""Recent values, and values of the reference, below which nothing is said."""

MOST: Final = 10_000.0
"""Values of the reference at which its counts are halved: it follows what changes over months."""

INNER: Final = 8
"""Bins between the smallest and the largest value of the warm-up; one more lies on each side."""

SIGNIFICANT: Final = 1.95
"""Of Kolmogorov and Smirnov: the limit of a test at the level of 0.001."""

UNLIKELY: Final = 40.0
"""Limit of PSI over the variance of a share, which is chi-square distributed, about, with a degree
of freedom for each bin but one (Yurdakul and Naranjo, 2020). Wide, since rare bins add to it."""

CATEGORIES: Final = 16
"""Categories told apart; all that come later are counted as one more."""

_FAR: Final = 1e6
"""Standard deviations beyond which a value counts as that far away."""


class Histogram:
    """A number.

    Bins are eighths of the warm-up, or one per value where there are eight values at most. One more
    on each side is for what lies beyond all of the warm-up.

    Parameters
    ----------
    warmup
        Values that the edges are taken from, at least 10.

    Attributes
    ----------
    bins
        How many there are; 0 before there are edges.
    centre, spread
        Mean and standard deviation of the warm-up.
    dependence
        By how much a mean of neighbouring values is less certain than if they were independent.
    """

    __slots__ = ("_constant", "_held", "_kept", "_warmup", "bins", "centre", "dependence", "spread")

    def __init__(self, warmup: int) -> None:
        self._warmup = warmup
        # At first the values of the warm-up. Then the edges, and three blocks (the reference, the
        # last but one, the last) of: counts by bin, sum, how far below and above all edges.
        self._kept = array("d")
        self._held = False
        self._constant = False
        self.bins = 0
        self.centre = 0.0
        self.spread = 1.0
        self.dependence = 1.0

    def __getstate__(self) -> tuple[Any, ...]:
        """Return what is stored: the attributes in their order, without their names."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take back what was stored."""
        for name, value in zip(self.__slots__, state, strict=True):
            setattr(self, name, value)

    @property
    def ready(self) -> bool:
        """Whether there are edges."""
        return self.bins > 0

    @property
    def counted(self) -> tuple[int, int]:
        """Values of the reference, and recent ones."""
        if not self.bins:
            return 0, 0
        reference, before, last = (sum(self._block(i)[: self.bins]) for i in range(3))
        return int(reference), int(before + last)

    def hold(self) -> None:
        """Keep the reference as it is from now on: what comes belongs to a change."""
        self._held = True

    def scaled(self, x: float) -> float:
        """Return a value in standard deviations from the mean of the warm-up."""
        return min(max((x - self.centre) / self.spread, -_FAR), _FAR)

    def bin_at(self, z: float) -> int:
        """Return the bin of a value that is scaled."""
        return bisect_right(self._kept, z, 0, self.bins - 1)

    def add(self, x: float) -> None:
        """Count a finite value; beyond ±1e100 it counts as ±1e100."""
        kept, bins = self._kept, self.bins
        if not bins:
            # Its square has to be a number too.
            kept.append(min(max(x, -LARGEST), LARGEST))
            if len(kept) >= self._warmup:
                self._begin()
            return
        z = (x - self.centre) / self.spread
        if not -_FAR <= z <= _FAR:
            z = math.copysign(_FAR, z)
        at = bisect_right(kept, z, 0, bins - 1)
        kept[3 * bins + 5 + at] += 1.0
        kept[-3] += z
        if at == 0:
            kept[-2] += kept[0] - z
        elif at == bins - 1:
            kept[-1] += z - kept[bins - 2]

    def turn(self) -> None:
        """Begin a block; the one before the last becomes part of the reference."""
        bins, kept = self.bins, self._kept
        if not bins:
            return
        size, first = bins + 3, bins - 1
        if not self._held:
            for i in range(first, first + size):
                kept[i] += kept[i + size]
            if sum(self._block(0)[:bins]) >= MOST:
                for i in range(first, first + size):
                    kept[i] /= 2.0
        kept[first + size : first + 2 * size] = kept[first + 2 * size :]
        kept[first + 2 * size :] = array("f", bytes(4 * size))

    def shift(self) -> float:
        """Return how far the mean has moved, in standard deviations of the warm-up."""
        n, m = self.counted
        if not n or not m:
            return 0.0
        sums = [self._block(i)[self.bins] for i in range(3)]
        return (sums[1] + sums[2]) / m - sums[0] / n

    def distances(self) -> Distances | None:
        """Compare what is recent with the reference; None where there is too little of either."""
        n, m = self.counted
        if n < FEWEST or m < FEWEST:
            return None
        bins = self.bins
        reference = self._block(0)
        recent = [a + b for a, b in zip(self._block(1), self._block(2), strict=True)]
        tails = (reference[-2] / n, recent[-2] / m, reference[-1] / n, recent[-1] / m)
        found = of_bins(self._kept[: bins - 1], reference[:bins], recent[:bins], tails)
        # A constant has no standard deviation to measure a way in.
        return replace(found, wasserstein=None) if self._constant else found

    def moved(self, found: Distances) -> bool:
        """Tell whether what `distances` gave is no accident: a mean, or a spread, that differs."""
        n, m = self.counted
        error = self.dependence * math.sqrt(1.0 / n + 1.0 / m)
        return (found.ks or 0.0) > SIGNIFICANT * error or found.psi > UNLIKELY * error * error

    def _block(self, number: int) -> array[float]:
        size = self.bins + 3
        first = self.bins - 1 + number * size
        return self._kept[first : first + size]

    def _begin(self) -> None:
        """Take the bins from the values so far: they are the reference."""
        values = list(self._kept)
        reference = reference_of(values)
        self.centre = reference.mean
        # A constant is measured by its own size: any other value is far away.
        self._constant = reference.std == 0.0
        self.spread = reference.std or reference.scale
        # Of dependent values fewer count; by so much must they differ more.
        self.dependence = max(reference.scale / self.spread, 1.0)
        scaled = sorted(self.scaled(x) for x in values)
        edges = array("f", _edges(scaled))
        self.bins = bins = len(edges) + 1
        self._kept = edges + array("f", bytes(4 * 3 * (bins + 3)))
        for z in scaled:
            self._kept[bins - 1 + self.bin_at(z)] += 1.0
        self._kept[2 * bins - 1] = math.fsum(scaled)


def _edges(ordered: list[float]) -> list[float]:
    """Return the edges of the bins of a warm-up, at least two."""
    distinct = sorted(set(ordered))
    if len(distinct) == 1:
        return [distinct[0] - 0.5, distinct[0] + 0.5]
    if len(distinct) <= INNER:
        first, last = distinct[1] - distinct[0], distinct[-1] - distinct[-2]
        between = [(a + b) / 2 for a, b in pairwise(distinct)]
        return [distinct[0] - first / 2, *between, distinct[-1] + last / 2]
    eighths = (ordered[len(ordered) * i // INNER] for i in range(1, INNER))
    # What comes again, to the last digit, is not beyond: edges are rounded.
    margin = 1e-3 * (ordered[-1] - ordered[0])
    return sorted({ordered[0] - margin, *eighths, ordered[-1] + margin})


class Categories:
    """A word, or a class: counts by category.

    Parameters
    ----------
    warmup
        Values that are the first reference, at least 10.
    """

    __slots__ = ("_counts", "_held", "_names", "_totals", "_warmup")

    def __init__(self, warmup: int) -> None:
        self._warmup = warmup
        self._names: dict[str, int] = {}
        # Reference, last block but one, last block; in each, the category beyond the last.
        self._counts = [[0.0], [0.0], [0.0]]
        self._totals = [0.0, 0.0, 0.0]
        self._held = False

    @property
    def counted(self) -> tuple[int, int]:
        """Values of the reference, and recent ones."""
        return int(self._totals[0]), int(self._totals[1] + self._totals[2])

    @property
    def names(self) -> tuple[str, ...]:
        """The categories told apart, in the order in which they came."""
        return tuple(self._names)

    @property
    def bins(self) -> int:
        """How many categories are counted, the one for all others included."""
        return CATEGORIES + 1

    def bin_of(self, category: str) -> int:
        """Return the number of a category, the last one for one that is not told apart."""
        return self._names.get(category, CATEGORIES)

    def hold(self) -> None:
        """Keep the reference as it is from now on: what comes belongs to a change."""
        self._held = True

    def add(self, category: str) -> None:
        """Count a value."""
        at = self._names.get(category, -1)
        if at < 0 and len(self._names) < CATEGORIES:
            at = self._names[category] = len(self._names)
            for counts in self._counts:
                counts.insert(at, 0.0)
        block = 2 if self._held or self._totals[0] >= self._warmup else 0
        self._counts[block][at] += 1.0
        self._totals[block] += 1.0

    def distances(self) -> Distances | None:
        """Compare what is recent with the reference; None where there is too little of either."""
        n, m = self.counted
        if n < FEWEST or m < FEWEST:
            return None
        return of_categories(self._counts[0], self._recent())

    def moved(self, _: Distances) -> bool:
        """Tell whether a category's share differs by more than four standard errors."""
        n, m = self.counted
        for before, lately in zip(self._counts[0], self._recent(), strict=True):
            p = (before + lately) / (n + m)
            if abs(lately / m - before / n) > 4.0 * math.sqrt(p * (1 - p) * (1 / n + 1 / m)):
                return True
        return False

    def _recent(self) -> list[float]:
        return [a + b for a, b in zip(self._counts[1], self._counts[2], strict=True)]

    def turn(self) -> None:
        """Begin a block; the one before the last becomes part of the reference."""
        reference, before, last = self._counts
        if not self._held:
            share = 0.5 if self._totals[0] >= MOST else 1.0
            reference = [(a + b) * share for a, b in zip(reference, before, strict=True)]
            self._totals[0] = (self._totals[0] + self._totals[1]) * share
        self._counts = [reference, last, [0.0] * len(last)]
        self._totals[1:] = [self._totals[2], 0.0]
