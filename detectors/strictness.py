"""How much more a detector is to see before it says drift: one factor for all of them.

The limit of each grows by the factor, as far as it has one. A confidence stands for a limit that
grows with the square root of its logarithm (Hoeffding, and for ADWIN Bifet and Gavaldà 2007,
section 3.1), so it is taken to the power of the factor squared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from detectors.registry import Parameter

STEP: Final = 1.25
"""By what one false alarm raises the factor."""
MOST: Final = 3.0
"""A sensor that is wrong more often than this lasts has a matter that no threshold mends."""


def _factors() -> tuple[float, ...]:
    found = [1.0]
    while found[-1] < MOST:
        found.append(min(found[-1] * STEP, MOST))
    return tuple(found)


FACTORS: Final = _factors()
"""What the factor of a signal can be, after so many false alarms."""

_LIMITS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "cusum": ("h",),
        "ddm": ("warning_threshold", "drift_threshold"),
        "page-hinkley": ("threshold",),
    }
)
_CONFIDENCES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "adwin": ("delta",),
        "hddm-a": ("warning_confidence", "drift_confidence"),
        "hddm-w": ("warning_confidence", "drift_confidence"),
        "kswin": ("alpha",),
    }
)
_SHARES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"eddm": ("alpha", "beta")})
"""Of the largest distance between errors so far: what falls below it is drift."""


def stricter(
    detectors: Sequence[tuple[str, Mapping[str, Parameter]]], factor: float
) -> tuple[tuple[str, dict[str, Parameter]], ...]:
    """Return detectors with limits that are `factor` times as far away.

    Parameters
    ----------
    detectors
        Name and parameters of each, as `detectors.defaults.with_defaults` gives them.
    factor
        Above 0; 1 changes nothing, and below 1 the limits are nearer.

    Examples
    --------
    >>> stricter([("page-hinkley", {"threshold": 70.0, "delta": 0.25})], 1.5)
    (('page-hinkley', {'threshold': 105.0, 'delta': 0.25}),)
    """
    return tuple((name, _stricter(name, given, factor)) for name, given in detectors)


def _stricter(name: str, given: Mapping[str, Parameter], factor: float) -> dict[str, Parameter]:
    changed = dict(given)
    for parameters, power in (
        (_CONFIDENCES.get(name, ()), factor * factor),
        (_SHARES.get(name, ()), factor),
    ):
        for parameter in parameters:
            if parameter in given:
                changed[parameter] = float(given[parameter]) ** power
    for parameter in _LIMITS.get(name, ()):
        if parameter in given:
            changed[parameter] = float(given[parameter]) * factor
    return changed
