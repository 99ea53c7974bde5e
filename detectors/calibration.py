"""What normal looks like: the reference that a signal is measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

FENCE = 10.0
"""Robust standard deviations from the median beyond which a warm-up value is an outlier. Wide,
since skewed signals (a lognormal one, say) have honest values out to nine of them."""

MOSTLY_CONSTANT_FENCE = 60.0
"""The same in mean absolute deviations, for a warm-up in which more than half of the values are
the same. One value of 100 may lie beyond it: what comes twice (ones among zeros) is normal."""

MOST_OUTLIERS = 0.05
"""The share of a warm-up that may lie beyond the fence. What is more frequent is no outlier but a
part of what is normal: the errors of rare ones among zeros, say."""

MOST_INFLATION = 6.0
"""The scale is at most so many standard deviations, as is right for an autoregression of 0.95. A
signal that wanders off during its warm-up would otherwise be allowed to wander anywhere."""

_MAD_TO_STD = 1.4826


@dataclass(frozen=True, slots=True)
class Reference:
    """A signal's normal state, in the signal's own unit.

    Attributes
    ----------
    n
        Values it was taken from, outliers left out.
    mean, std
        Of these values.
    scale
        Long-run standard deviation: that of a sum of k dependent values, over the square root
        of k. Equals `std` for independent values. Never 0.
    limit
        The 0.9 quantile, outliers included.
    outliers
        Values left out.
    """

    n: int
    mean: float
    std: float
    scale: float
    limit: float
    outliers: int


def reference_of(values: Sequence[float]) -> Reference:
    """Take a reference that single wild values do not move.

    Values farther than `FENCE` robust standard deviations from the median are left out, if they are
    few. The
    scale follows from the lag-1 autocorrelation r as ``std * sqrt((1 + r) / (1 - r))``, exact
    for a first-order autoregression; both parts are corrected for the bias they have in a short
    sample.

    Parameters
    ----------
    values
        The warm-up, in order; at least 2, each at most 1e100 in magnitude.

    References
    ----------
    Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 41, 1954. Box,
    Jenkins and Reinsel, "Time Series Analysis", chapter 2 (variance of a mean).
    """
    middle = median(values)
    deviations = [abs(x - middle) for x in values]
    fence = FENCE * _MAD_TO_STD * median(deviations) or MOSTLY_CONSTANT_FENCE * fmean(deviations)
    if sum(d > fence for d in deviations) > MOST_OUTLIERS * len(values):
        fence = math.inf
    inliers = [x for x in values if abs(x - middle) <= fence]
    n = len(inliers)
    mean = fmean(inliers)
    centred = [min(max(x, middle - fence), middle + fence) - mean for x in values]
    squares = math.fsum(d * d for d in centred)
    std = math.sqrt(math.fsum((x - mean) ** 2 for x in inliers) / max(n - 1, 1))
    r = 0.0
    if squares > 0.0:
        r = math.fsum(a * b for a, b in pairwise(centred)) / squares
        r = min(max(r + (1 + 3 * r) / len(values), 0.0), 0.99)
    dependence = (1 + r) / (1 - r)
    # The sample is measured around its own mean, which follows a dependent signal.
    lost = min(dependence / n, 0.75)
    inflation = min(math.sqrt(dependence / (1 - lost)), MOST_INFLATION)
    floor = max(1e-9 * abs(mean), 1e-12)
    scale = max(std * inflation, floor)
    ordered = sorted(values)
    limit = ordered[min(int(0.9 * len(ordered)), len(ordered) - 1)]
    return Reference(n, mean, std, scale, limit, len(values) - n)
