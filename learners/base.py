"""The shape of a learner: one for every task.

A learner says what is normal for one sensor and goes on learning it, event by event
(test-then-learn; Gama, Sebastião & Rodrigues, "On evaluating stream learning algorithms",
Machine Learning 90, 2013). For a task without labels the caller does, in this order::

    prediction = learner.predict(x)
    error = learner.error(prediction, learner.truth(x))
    learner.learn(x)

With labels, ``predict`` is called when the event comes and ``learn(x, label)`` when its label does.

A learner is plain, picklable data, a function of its configuration and of what it has learned:
the same events in the same order give the same predictions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Final, Self

from schemas.errors import InvalidMessage

__all__ = [
    "LARGEST",
    "VALUE",
    "Configuration",
    "Feature",
    "Learner",
    "Outcome",
    "PredictionValue",
    "magnitude_fits",
    "number",
]

LARGEST: Final = 1e100
"""A larger magnitude is not learned: its square, summed, would leave the range of a double."""

VALUE: Final = "value"
"""Name of the only feature of an event that has a value instead of features."""

DIVERGED: Final = "its predictions diverged"
"""The reason for replacing a model that failed at nothing, but is far off."""

FAR: Final = 10.0
"""A prediction this many times larger than anything seen lately comes from a broken model."""

FORGET: Final = 0.99
"""What is left, one event later, of the largest magnitude seen."""

Feature = float | str
PredictionValue = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a learner said about one event.

    Attributes
    ----------
    prediction
        What it expected; None if it had nothing to go by.
    error
        How far off it was, 0 or more, in the task's own unit; None until the truth is known.
    wrong
        Whether a predicted class was another than the true one; None for the other tasks.
    """

    prediction: PredictionValue | None
    error: float | None
    wrong: bool | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that an untrained learner is made from.

    Attributes
    ----------
    model
        A River model as canonical JSON (`learners.river_model.canonical`); None is the default.
    lags
        ``forecast``: how many of the last values the next one is predicted from.
    target
        ``forecast`` on events with features: the feature to forecast; None: the value.
    seed
        Seed of every estimator that takes one and has none in ``model``.
    """

    model: str | None = None
    lags: int = 3
    target: str | None = None
    seed: int = 0


class Learner(ABC):
    """What is normal for one sensor.

    Parameters
    ----------
    configuration
        Kept for `fresh`.

    Attributes
    ----------
    learned
        Samples that the present model has learned.
    ignored
        Samples that were not learned, because nothing in them can be.
    healed
        How often a model that had broken was replaced by an untrained one.
    broken_by
        Why that was done the last time; None if it never was.
    """

    task: ClassVar[str]
    """Name of the task in the settings."""
    needs_label: ClassVar[bool]
    """Whether ``learn`` needs a label, that comes later than the event."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.learned = 0
        self.ignored = 0
        self.healed = 0
        self.broken_by: str | None = None

    def fresh(self) -> Self:
        """An untrained learner of the same configuration."""
        return type(self)(self.configuration)

    @property
    @abstractmethod
    def name(self) -> str:
        """The model in a few words: ``StandardScaler | LinearRegression``."""

    @abstractmethod
    def predict(self, x: Mapping[str, Feature]) -> PredictionValue | None:
        """What is expected of an event; None as long as nothing was learned.

        Parameters
        ----------
        x
            Features by name, missing ones left out; of an event with a value, ``{"value": v}``.

        Returns
        -------
        float or int or str or bool or None
            A finite number, a class as its label was written, or None.
        """

    @abstractmethod
    def learn(self, x: Mapping[str, Feature], y: PredictionValue | None = None) -> None:
        """Learn from one event; whatever the numbers, this neither raises nor breaks the model.

        Parameters
        ----------
        x
            As in `predict`.
        y
            The label, for a task that needs one.
        """

    @abstractmethod
    def error(self, prediction: PredictionValue | None, y: PredictionValue | None) -> float | None:
        """How far ``prediction`` was off: 0 or more and finite, or None if that can't be said."""

    def _heal(self, reason: str) -> None:
        self.learned = 0
        self.healed += 1
        self.broken_by = reason
        self._replace()

    @abstractmethod
    def _replace(self) -> None:
        """Put an untrained model in the place of the broken one."""

    def truth(self, x: Mapping[str, Feature]) -> float | None:
        """The part of an event that its prediction is judged by, for a task without labels."""
        return None

    def check_label(self, y: PredictionValue) -> None:
        """Refuse a label that this task can't learn.

        Raises
        ------
        schemas.errors.InvalidMessage
            For ``$.label``.
        """
        if isinstance(y, float) and not isfinite(y):
            raise InvalidMessage("$.label", "a finite number, a string or true or false")


def number(value: object) -> float | None:
    """``value`` as a finite float; None if it is no number (a boolean is none) or not finite."""
    if type(value) is float:
        return value if isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        nearest = float(value)
    except OverflowError:
        return None
    return nearest if isfinite(nearest) else None


def magnitude_fits(value: float) -> bool:
    """Whether ``value`` is small enough to be learned, and not NaN."""
    return -LARGEST <= value <= LARGEST


def followed(largest: float, value: float) -> float:
    """The largest magnitude seen lately, one value later.

    It grows tenfold at most, so one absurd value is soon forgotten, and shrinks by `FORGET`.
    """
    magnitude = min(abs(value), FAR * largest) if largest else abs(value)
    return max(magnitude, FORGET * largest)


def distance(prediction: PredictionValue | None, y: PredictionValue | None) -> float | None:
    """Absolute difference of two numbers, at most `LARGEST`; None if one of them is none."""
    expected, actual = number(prediction), number(y)
    if expected is None or actual is None:
        return None
    return min(abs(expected - actual), LARGEST)
