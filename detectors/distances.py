"""How far apart two distributions are: four measures, of bins, of categories and of normals.

========== ==============================================================================
psi        population stability index, the sum of (q - p) ln(q / p): below 0.1 nothing to
           speak of, above 0.25 another population (Siddiqi, "Credit risk scorecards", 2006)
js         Jensen-Shannon divergence to the base 2, from 0 to 1 (Lin, IEEE Trans. Inf. Theory
           37(1), 1991)
ks         Kolmogorov-Smirnov: the largest difference of the distribution functions, 0 to 1
wasserstein first Wasserstein distance: the mean way that mass has moved, here in standard
           deviations of the reference
========== ==============================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.moments import Statistics

__all__ = ["Distances", "of_bins", "of_categories", "of_normals"]

EMPTY: Final = 0.5
"""Added to each count, so that a bin that was empty once is not infinitely unlikely."""

_DECILES: Final = (
    -1.2815515655446004,
    -0.8416212335729143,
    -0.5244005127080407,
    -0.2533471031357997,
    0.0,
    0.2533471031357997,
    0.5244005127080407,
    0.8416212335729143,
    1.2815515655446004,
)
"""Of the standard normal distribution."""

_SMALLEST: Final = 1e-9
_CONSTANT: Final = 1e-6
"""Spread of a constant, in parts of how far it moved: a jump of it is far, not infinitely far."""


@dataclass(frozen=True, slots=True)
class Distances:
    """From a reference to what came lately.

    Attributes
    ----------
    psi, js
        Of the shares of bins or categories.
    ks, wasserstein
        None for categories, which have no order.
    """

    psi: float
    js: float
    ks: float | None
    wasserstein: float | None


def of_categories(reference: Sequence[float], recent: Sequence[float]) -> Distances:
    """Compare counts by category.

    Parameters
    ----------
    reference, recent
        Shape (categories,), in the same order; at least one category.
    """
    p, q = _shares(reference), _shares(recent)
    return Distances(_psi(p, q), _jensen_shannon(p, q), None, None)


def of_bins(
    edges: Sequence[float],
    reference: Sequence[float],
    recent: Sequence[float],
    tails: tuple[float, float, float, float],
) -> Distances:
    """Compare histograms; within a bin, mass is taken to be spread evenly.

    Parameters
    ----------
    edges
        Shape (bins - 1,), ascending, in standard deviations of the reference.
    reference, recent
        Shape (bins,): counts, the sum of each greater than 0.
    tails
        Mean distance from the lowest edge of what lies below it, in the reference and lately, and
        from the highest edge of what lies above, each times the share that lies there.
    """
    p, q = _shares(reference), _shares(recent)
    n, m = sum(reference), sum(recent)
    below = ks = total = 0.0
    for i, edge in enumerate(edges):
        after = below + recent[i] / m - reference[i] / n
        ks = max(ks, abs(after))
        if i:
            total += _area(below, after, edge - edges[i - 1])
        below = after
    low, recent_low, high, recent_high = tails
    total += abs(recent_low - low) + abs(recent_high - high)
    return Distances(_psi(p, q), _jensen_shannon(p, q), ks, total)


def of_normals(before: Statistics, after: Statistics) -> Distances:
    """Compare two normal distributions, of which mean and standard deviation are all one knows.

    PSI and Jensen-Shannon are those of the ten bins between the deciles of the first one.
    """
    shift = after.mean - before.mean
    std = max(before.std, _CONSTANT * abs(shift), _SMALLEST * abs(before.mean), 1e-100)
    mean = min(max(shift / std, -1e9), 1e9)
    spread = min(max(after.std / std, _CONSTANT), 1e9)
    cumulated = [_normal((z - mean) / spread) for z in _DECILES]
    q = [b - a for a, b in zip([0.0, *cumulated], [*cumulated, 1.0], strict=True)]
    p = [0.1] * 10
    n = max(before.n, 1), max(after.n, 1)
    smoothed_p = _shares([share * n[0] for share in p])
    smoothed_q = _shares([share * n[1] for share in q])
    return Distances(
        _psi(smoothed_p, smoothed_q),
        _jensen_shannon(smoothed_p, smoothed_q),
        _ks_of_normals(mean, spread),
        _wasserstein_of_normals(mean, spread),
    )


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) + EMPTY * len(counts)
    return [(count + EMPTY) / total for count in counts]


def _psi(p: Sequence[float], q: Sequence[float]) -> float:
    return sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))


def _jensen_shannon(p: Sequence[float], q: Sequence[float]) -> float:
    total = 0.0
    for a, b in zip(p, q, strict=True):
        middle = (a + b) / 2.0
        total += a * math.log2(a / middle) + b * math.log2(b / middle)
    return min(max(total / 2.0, 0.0), 1.0)


def _area(first: float, last: float, width: float) -> float:
    """Area between a line from `first` to `last` and zero."""
    if first * last >= 0.0:
        return (abs(first) + abs(last)) / 2.0 * width
    return (first * first + last * last) / (2.0 * (abs(first) + abs(last))) * width


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _ks_of_normals(mean: float, spread: float) -> float:
    """Largest difference to N(0, 1): where the densities cross."""
    # ln of both densities is equal: a quadratic equation in z.
    a, b = spread * spread - 1.0, 2.0 * mean
    c = -(mean * mean) - 2.0 * spread * spread * math.log(spread)
    if abs(a) < _SMALLEST:
        crossings = [] if b == 0.0 else [-c / b]
    else:
        root = math.sqrt(max(b * b - 4.0 * a * c, 0.0))
        crossings = [(-b - root) / (2.0 * a), (-b + root) / (2.0 * a)]
    return max((abs(_normal(z) - _normal((z - mean) / spread)) for z in crossings), default=0.0)


def _wasserstein_of_normals(mean: float, spread: float) -> float:
    """E |m + (s - 1) Z|, the mean of a folded normal distribution."""
    grown = abs(spread - 1.0)
    if grown < _SMALLEST:
        return abs(mean)
    ratio = mean / grown
    return grown * math.sqrt(2.0 / math.pi) * math.exp(-ratio * ratio / 2.0) + mean * (
        1.0 - 2.0 * _normal(-ratio)
    )
