"""Which detectors watch which signal unless told otherwise, and how strict they are.

River's own defaults suit one stream that a person looks at: on 10,000 stationary values ADWIN
alarms up to four times, DDM up to five, EDDM twenty. The numbers here come from simulation
(`bench/false_alarms.py` prints the table): all default detectors of a signal together alarm at
most once in 20,000 values of any stationary stream tried (normal, lognormal, Student's t,
autoregressive, Bernoulli, counts, constant), while a shift of one standard deviation or a
doubled error is found after about 100 values. What they do not find soon: a shift of one standard
deviation of values that depend strongly on one another, and more of an error that is mostly 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from detectors.registry import Parameter, classes
from detectors.strictness import stricter

DETECTORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # No ADWIN here: it knows no dependence between values, and on an autoregression of 0.9
        # alarms five times in 10,000 values even at delta = 1e-5.
        "value": ("page-hinkley",),
        "error": ("adwin", "ddm", "page-hinkley"),
        "label": ("adwin",),
        "missing": ("adwin",),
        "prediction": (),
        "feature": ("page-hinkley",),
    }
)
"""Default detectors by signal; ``feature`` stands for every ``feature:<name>``."""

EARLY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"classification": ("adwin",), "regression": ("page-hinkley",)}
)
"""Default detectors of ``prediction`` by task, where labels come late: a first sign only."""

OF_A_CLASS = ("hddm-w",)
"""Default detectors of the errors of one rare class. It weighs recent ones more, as DDM-OCI does,
and has a bound for that (Frías-Blanco et al., 2015): a recall that falls from 0.8 to 0.3 is found
after about 30 events of the class."""

SCALED: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {
        "adwin": {"delta": 1e-5, "min_window_length": 30},
        "cusum": {"k": 0.75, "h": 25.0},
        "ddm": {"warm_start": 300, "warning_threshold": 4.5, "drift_threshold": 5.0},
        "eddm": {"warm_start": 100, "alpha": 0.65, "beta": 0.6},
        "hddm-a": {"drift_confidence": 1e-5, "warning_confidence": 1e-4},
        "hddm-w": {"drift_confidence": 1e-4, "warning_confidence": 3e-4},
        "kswin": {"alpha": 1e-7},
        # By Siegmund's approximation a threshold of 70 at delta 0.25 gives 1e16 values between
        # false alarms of independent normal values; all of it is room for what is neither.
        # alpha stays 1: with less, the sum itself becomes stationary after 1 / (1 - alpha)
        # values and then strays farther than any threshold that is of use.
        "page-hinkley": {"delta": 0.25, "threshold": 70.0, "alpha": 1.0},
    }
)
"""Parameters for a signal in reference scales, where they differ from River's."""

UNSCALED: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {**SCALED, "page-hinkley": {"delta": 0.05, "threshold": 25.0, "alpha": 1.0}}
)
"""The same for a signal of bits or shares, whose standard deviation is at most 0.5."""


def family_of(signal: str) -> str:
    """Name under which a signal's defaults stand: ``feature`` for ``feature:<name>``."""
    return signal.partition(":")[0]


def with_defaults(
    names: Sequence[str],
    *,
    scaled: bool = True,
    params: Mapping[Any, Mapping[str, Parameter]] | None = None,
    strictness: float = 1.0,
) -> tuple[tuple[str, dict[str, Parameter]], ...]:
    """Complete a list of detectors with the parameters they should have.

    Parameters
    ----------
    names
        Names of detectors, e.g. one entry of `DETECTORS`.
    scaled
        Whether the signal is scaled; see `SignalMonitor`.
    params
        A user's own parameters by detector name; they win, one by one.
    strictness
        How much larger a change must be than by default, about, to be a drift.

    Returns
    -------
    tuple of (name, parameters)
        What `SignalMonitor` takes.

    Examples
    --------
    >>> with_defaults(["adwin"], params={"adwin": {"delta": 0.01}})
    (('adwin', {'delta': 0.01, 'min_window_length': 30}),)
    """
    base = SCALED if scaled else UNSCALED
    own = params or {}
    return tuple(
        (name, {**given, **own.get(name, {})})
        for name, given in stricter([(name, base.get(name, {})) for name in names], strictness)
    )


def calibrated(
    names: Sequence[str], params: Mapping[Any, Mapping[str, Parameter]] | None = None
) -> tuple[str, ...]:
    """Return those of the detectors whose limit is taken from the signal: not what a user set."""
    own = params or {}
    limits = ((name, classes()[name].calibrated) for name in names)
    return tuple(name for name, limit in limits if limit and limit not in own.get(name, {}))
