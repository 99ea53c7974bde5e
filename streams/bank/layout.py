"""Which sensors can be rows of a bank, and where in a row each number stands.

A row is an array of floats, one of integers, and the number of the block of each signal that needs
one (`streams.bank.blocks`). The first event and the millionth find the same numbers in the same
place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import river

from detectors.bank import hygiene, monitor, season
from detectors.budget import budget_factor
from detectors.defaults import DETECTORS, calibrated, with_defaults
from detectors.registry import create
from detectors.strictness import FACTORS, stricter
from learners import bank as learner
from learners import contest
from learners.base import Configuration
from schemas.settings import SensorSettings, Settings
from streams.sensor import detectors_text

# Floats.
EVENTS: Final = 0
EXAMPLES: Final = 1
MISSING: Final = 2
"""Events that the signal ``missing`` has seen, none of them without a value; -1 if one was: its
state then stands in blocks."""
OPEN: Final = 3
QUIET: Final = 4
DUE: Final = 5
"""0, or one more than the examples that a batch retrain has which waits for more."""
CONTEST: Final = 6
"""1 while a challenger learns beside the model."""
HYGIENE: Final = 7
PREQUENTIAL: Final = HYGIENE + hygiene.SLOTS
VALUE: Final = PREQUENTIAL + learner.PREQUENTIAL_SLOTS
ERROR: Final = VALUE + monitor.SLOTS
SEASON: Final = ERROR + monitor.SLOTS
LEARNER: Final = SEASON + season.SLOTS
"""The learner stands last: how much it takes depends on its lags."""

# Integers.
LAST_OFFSET: Final = 0
LAST_TS: Final = 1
LAST_LABELLED: Final = 2
RENEWED_AT: Final = 3
FIRST_TS: Final = 4
DUE_FROM: Final = 5
"""The first offset whose example counts for that retrain."""
HYGIENE_AT: Final = 6
VALUE_BEGAN: Final = HYGIENE_AT + hygiene.INTEGERS
ERROR_BEGAN: Final = VALUE_BEGAN + monitor.POSITIONS
SEASON_AT: Final = ERROR_BEGAN + monitor.POSITIONS
INTEGERS: Final = SEASON_AT + season.INTEGERS

# Blocks.
VALUE_BLOCK: Final = 0
ERROR_BLOCK: Final = 1
MISSING_BLOCK: Final = 2
"""The ADWIN of the signal ``missing``, where it is no count."""
GAPS_BLOCK: Final = 3
"""The floats of its monitor, and behind them the integers."""
CONTEST_BLOCK: Final = 4
"""The challenger, see `learners.contest`."""
BLOCKS: Final = 5

FORMAT: Final = 4
"""Of what is stored; part of every fingerprint."""

_MAX_LAGS: Final = 32
_MAX_WARMUP: Final = 1000


@dataclass(frozen=True)
class Layout:
    """What the rows of one bank have in common.

    Attributes
    ----------
    lags, grace, quiet_events, warmup, challenger_events, retrain_min_events
        Of the settings.
    width
        Floats of a row.
    max_buckets
        Of every ADWIN.
    value_adwin, error_adwin
        Whether one watches that signal.
    value_detectors, error_detectors
        How many watch it.
    parameters
        Shape (n, 3, `monitor.PARAMETERS`): of the signals value, error and missing, with each of
        the n `detectors.strictness.FACTORS`.
    checks
        Shape (`hygiene.PARAMETERS`,): of the checks.
    learner_print, detectors_print
        8 bytes each: rows with others were written under another configuration.
    """

    lags: int
    grace: int
    quiet_events: int
    warmup: int
    challenger_events: int
    retrain_min_events: int
    width: int
    max_buckets: int
    value_adwin: bool
    error_adwin: bool
    value_detectors: int
    error_detectors: int
    parameters: npt.NDArray[np.float64]
    checks: npt.NDArray[np.float64]
    learner_print: bytes
    detectors_print: bytes

    @property
    def contest_slots(self) -> int:
        """Floats of a contest; see `learners.contest`."""
        return contest.slots(self.lags)

    @property
    def configuration(self) -> Configuration:
        """What the learners of the bank are made from."""
        return Configuration(lags=self.lags)


def layout_of(settings: SensorSettings) -> Layout | None:
    """Return the layout of sensors with these settings, None if they can't be rows of a bank."""
    chosen, detectors = settings.learner, settings.detectors
    if chosen.task != "forecast" or chosen.model is not None or chosen.target is not None:
        return None
    value = DETECTORS["value"] if detectors.value is None else detectors.value
    error = DETECTORS["error"] if detectors.error is None else detectors.error
    missing = DETECTORS["missing"] if detectors.missing is None else detectors.missing
    known = {*value, *error} <= set(monitor.NAMES) and tuple(missing) == ("adwin",)
    if not known or detectors.prediction:
        return None
    if chosen.lags > _MAX_LAGS or detectors.warmup > _MAX_WARMUP:
        return None
    strict = budget_factor(settings.budget.per_10k_events)
    budget = settings.budget
    depends = budget.per_sensor_per_year is not None or budget.fleet_per_day is not None
    per_event = 0.0 if depends else budget.per_10k_events / 10_000
    parameters = np.array(
        [
            [
                monitor.parameters(
                    stricter(
                        with_defaults(names, params=detectors.params, strictness=strict), factor
                    ),
                    detectors.warmup,
                    calibrated(names, detectors.params),
                    per_event,
                    factor,
                )
                for names in (value, error, missing)
            ]
            for factor in FACTORS
        ]
    )
    ((name, given),) = with_defaults(("adwin",), params=detectors.params, strictness=strict)
    return Layout(
        lags=chosen.lags,
        grace=chosen.grace,
        quiet_events=settings.episodes.quiet_events,
        warmup=detectors.warmup,
        challenger_events=settings.policy.challenger_events,
        retrain_min_events=settings.policy.retrain_min_events,
        width=LEARNER + learner.slots(chosen.lags),
        max_buckets=create(name, **given).parameters["max_buckets"],
        value_adwin="adwin" in value,
        error_adwin="adwin" in error,
        value_detectors=len(value),
        error_detectors=len(error),
        parameters=parameters,
        checks=hygiene.parameters_of(settings.hygiene),
        learner_print=learner_print(settings),
        detectors_print=detectors_print(settings),
    )


def bank_layout(settings: Settings) -> Layout | None:
    """Return the layout for a deployment's ordinary sensors, None if they can't be in a bank."""
    if settings.predictions.enabled:
        return None
    return layout_of(settings.variants()[0])


def learner_print(settings: SensorSettings) -> bytes:
    """Return 8 bytes that stand for all that the state of a learner depends on."""
    return _print(settings.learner.model_dump_json(exclude={"grace"}))


def detectors_print(settings: SensorSettings) -> bytes:
    """Return 8 bytes that stand for all that the state of the detectors depends on."""
    return _print(detectors_text(settings))


def _print(text: str) -> bytes:
    stamped = f"{FORMAT} {river.__version__} {text}".encode()
    return hashlib.blake2b(stamped, digest_size=8).digest()
