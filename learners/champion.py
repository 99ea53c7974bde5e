"""Champion and challenger: a model gives way only to one that is better on the same events."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

from river import stats

from learners.base import Learner
from learners.metrics import Prequential

__all__ = ["LOOKS", "Champion", "better"]

LOOKS: Final = 5
"""So many times a challenger is looked at before it is given up."""
_STANDARD_ERRORS: Final = 2.0


def better(challenger_error: float, champion_error: float, margin: float) -> bool:
    """Whether the challenger is better by the margin, a part of the champion's error."""
    return challenger_error < champion_error * (1.0 - margin)


@dataclass
class Champion:
    """The model of one sensor, the one that may follow it, and the one before.

    Attributes
    ----------
    name
        Name of the model.
    version
        Version of the one in use, from 1.
    learner
        The one in use.
    margin
        How much smaller, in parts of the champion's error, the challenger's error must be.
    challenger_events
        Events on which both must have been judged before there is a verdict.
    challenger
        One that learns beside it; None if there is none.
    previous
        Version and learner that were in use before; None if there were none.
    newest
        The highest version number given so far.
    champion_error, challenger_error
        Mean error of both over the same events since the last look.
    gain
        Mean and variance of the difference of both, event by event, since the last look.
    waited
        Events since the challenger began, judged or not.

    Examples
    --------
    >>> from learners.base import Configuration
    >>> from learners.forecast import Forecast
    >>> sensor = Champion("press-7", 1, Forecast(Configuration()), challenger_events=2)
    >>> sensor.start_challenger()
    True
    >>> sensor.observe(2.0, 1.0); sensor.observe(2.0, 1.0)
    >>> sensor.verdict()
    'promote'
    >>> sensor.promote()
    2
    """

    name: str
    version: int
    learner: Learner
    margin: float = 0.05
    challenger_events: int = 200
    challenger: Learner | None = None
    previous: tuple[int, Learner] | None = None
    newest: int = 0
    champion_error: Prequential = field(default_factory=lambda: Prequential(1.0))
    challenger_error: Prequential = field(default_factory=lambda: Prequential(1.0))
    gain: stats.Var = field(default_factory=stats.Var)
    waited: int = 0

    def __post_init__(self) -> None:
        """Count the version in use among those given."""
        self.newest = max(self.newest, self.version)

    def start_challenger(self, challenger: Learner | None = None) -> bool:
        """Let a challenger learn alongside from now on.

        Parameters
        ----------
        challenger
            The one to try; None is an untrained one of the champion's configuration.

        Returns
        -------
        bool
            False if one is already learning: it goes on, since a new one at each drift event would
            mean that none is ever judged.
        """
        if self.challenger is not None:
            return False
        self.challenger = self.learner.fresh() if challenger is None else challenger
        self._begin()
        return True

    def observe(self, champion_error: float | None, challenger_error: float | None) -> None:
        """Take the errors of both on one event; it counts only if both have one."""
        if self.challenger is None:
            return
        self.waited += 1
        if self.champion_error.n >= self.challenger_events:
            self._forget_errors()
        if champion_error is not None and challenger_error is not None:
            self.champion_error.update(champion_error)
            self.challenger_error.update(challenger_error)
            self.gain.update(champion_error - challenger_error)

    def verdict(self) -> Literal["promote", "reject"] | None:
        """What is to be done with the challenger; None while it is too early to say.

        It is looked at after every `challenger_events` judged events, by the means of these
        alone: what it did while it still knew nothing is forgotten. It is promoted if it is
        better by the margin and that is no accident (the gain, event by event, is two standard
        errors from zero), and given up after five looks.
        """
        if self.challenger is None:
            return None
        champion, challenger = self.champion_error.value, self.challenger_error.value
        if (
            self.champion_error.n >= self.challenger_events
            and champion is not None
            and challenger is not None
            and better(challenger, champion, self.margin)
            and self._gain_is_no_accident()
        ):
            return "promote"
        # one that never predicts anything must not stand in the way of the next for ever
        return "reject" if self.waited >= LOOKS * self.challenger_events else None

    def promote(self) -> int:
        """Put the challenger in the champion's place.

        Returns
        -------
        int
            Its version.

        Raises
        ------
        ValueError
            If there is no challenger.
        """
        if self.challenger is None:
            raise ValueError(f"{self.name} has no challenger")
        return self.swap_in(self.challenger)

    def reject(self) -> None:
        """Let the challenger go."""
        self.challenger = None
        self._begin()

    def swap_in(self, learner: Learner, version: int | None = None) -> int:
        """Put another learner in the champion's place; a challenger of the old one goes too.

        Parameters
        ----------
        learner
            The new one.
        version
            Its version, if it has one; None is the next that is free.

        Returns
        -------
        int
            Its version.
        """
        self.previous = (self.version, self.learner)
        self.version = self.newest + 1 if version is None else version
        self.newest = max(self.newest, self.version)
        self.learner = learner
        self.reject()
        return self.version

    def rollback(self) -> int | None:
        """Go back to the model before; a second time undoes the first.

        Returns
        -------
        int or None
            The version now in use; None if there was none before.
        """
        if self.previous is None:
            return None
        before, learner = self.previous
        self.previous = (self.version, self.learner)
        self.version, self.learner = before, learner
        self.reject()
        return self.version

    def _gain_is_no_accident(self) -> bool:
        standard_error = math.sqrt(self.gain.get() / self.gain.mean.n)
        return bool(self.gain.mean.get() > _STANDARD_ERRORS * standard_error)

    def _begin(self) -> None:
        self._forget_errors()
        self.waited = 0

    def _forget_errors(self) -> None:
        self.champion_error = Prequential(1.0)
        self.challenger_error = Prequential(1.0)
        self.gain = stats.Var()
