"""The reference of a warm-up, compiled: `detectors.calibration.reference_of` to the last bit."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.calibration import (
    _MAD_TO_STD,
    FENCE,
    MOST_INFLATION,
    MOST_OUTLIERS,
    MOSTLY_CONSTANT_FENCE,
)
from schemas.compiled import allocating

__all__ = ["fsum", "reference_of"]

Floats = npt.NDArray[np.float64]

_MOST_PARTIALS = 64
"""Partials share no digit, so 40 span all digits that a double can have."""


@allocating
def fsum(values: Floats, partials: Floats) -> float:
    """Sum up as `math.fsum` does: the double that is nearest to the exact sum.

    Parameters
    ----------
    values
        Finite, as are all their partial sums.
    partials
        Room for 64 numbers.

    References
    ----------
    Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric
    predicates", Discrete & Computational Geometry 18, 1997. CPython, ``Modules/mathmodule.c``.
    """
    n = 0
    for x in values:
        kept = 0
        for i in range(n):
            y = partials[i]
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low != 0.0:
                partials[kept] = low
                kept += 1
            x = high
        n = kept
        if x != 0.0:
            partials[n] = x
            n += 1
    if n == 0:
        return 0.0
    n -= 1
    high = partials[n]
    low = 0.0
    while n > 0 and low == 0.0:
        n -= 1
        x = high
        y = partials[n]
        high = x + y
        low = y - (high - x)
    # Half a last digit is rounded to even, unless there are more digits below it.
    if n > 0 and ((low < 0.0 and partials[n - 1] < 0.0) or (low > 0.0 and partials[n - 1] > 0.0)):
        y = low * 2.0
        x = high + y
        if y == x - high:
            high = x
    return float(high)


@allocating
def _sorted(values: Floats) -> Floats:
    # Stable as Python's, for 0.0 and -0.0 are equal.
    ordered: Floats = values[np.argsort(values, kind="mergesort")]
    return ordered


@allocating
def _median(ordered: Floats) -> float:
    middle = ordered.shape[0] // 2
    upper = float(ordered[middle])
    if ordered.shape[0] % 2 == 1:
        return upper
    return (float(ordered[middle - 1]) + upper) / 2.0


@allocating
def reference_of(values: Floats, out: Floats) -> None:
    """Take a reference; see `detectors.calibration.reference_of`.

    Parameters
    ----------
    values
        Shape (n,), n at least 2: the warm-up, in order, each at most 1e100 in magnitude.
    out
        Shape (6,): gets n, mean, std, scale, limit and the number of outliers.
    """
    total = values.shape[0]
    partials = np.empty(_MOST_PARTIALS)
    terms = np.empty(total)
    ordered = _sorted(values)
    middle = _median(ordered)
    for i in range(total):
        terms[i] = abs(values[i] - middle)
    fence = FENCE * _MAD_TO_STD * _median(_sorted(terms))
    if fence == 0.0:
        fence = MOSTLY_CONSTANT_FENCE * (fsum(terms, partials) / total)
    beyond = 0
    for x in values:
        if abs(x - middle) > fence:
            beyond += 1
    if beyond > MOST_OUTLIERS * total:
        fence = math.inf
    n = 0
    for x in values:
        if abs(x - middle) <= fence:
            terms[n] = x
            n += 1
    mean = fsum(terms[:n], partials) / n
    # Python's power is C's, whose last digit now and then is not that of the product, and a
    # product is what the compiler would make of an exponent it knows.
    square = 2.0 + 0.0 * mean
    for i in range(n):
        terms[i] = (terms[i] - mean) ** square
    std = math.sqrt(fsum(terms[:n], partials) / max(n - 1, 1))
    centred = np.empty(total)
    for i in range(total):
        centred[i] = min(max(values[i], middle - fence), middle + fence) - mean
        terms[i] = centred[i] * centred[i]
    squares = fsum(terms, partials)
    r = 0.0
    if squares > 0.0:
        for i in range(total - 1):
            terms[i] = centred[i] * centred[i + 1]
        r = fsum(terms[: total - 1], partials) / squares
        r = min(max(r + (1.0 + 3.0 * r) / total, 0.0), 0.99)
    dependence = (1.0 + r) / (1.0 - r)
    lost = min(dependence / n, 0.75)
    inflation = min(math.sqrt(dependence / (1.0 - lost)), MOST_INFLATION)
    out[0] = n
    out[1] = mean
    out[2] = std
    out[3] = max(std * inflation, max(1e-9 * abs(mean), 1e-12))
    out[4] = ordered[min(int(0.9 * total), total - 1)]
    out[5] = total - n
