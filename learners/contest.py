"""A challenger that learns beside a model, as numbers: `learners.champion.Champion` while it does.

Both are default forecasts; the model in use stands in a row of its own (`learners.bank`). Numbers
are those of the objects to the last bit: River's ``stats.Var`` (stats/var.py) and the prequential
means. They are all zero when a contest begins, but for a challenger that has learned before, and
hold

======================= ==========================================================================
`WAITED`                events since the challenger began
`N`                     events since the last look on which both were judged
`CHAMPION`, `RIVAL`     the sums of the errors of both on these
`GAIN`, `SQUARES`       of the difference of both: its mean, and the sum of its squared deviations
`LEARNER` and on        the challenger, see `learners.bank`
======================= ==========================================================================
"""

from __future__ import annotations

from math import isnan
from typing import Any, Final

from learners import bank
from learners.bank import Row
from learners.base import Configuration, Learner
from learners.champion import LOOKS, Champion
from learners.metrics import Prequential
from schemas.compiled import inlined

__all__ = ["freeze", "is_over", "learn", "observe", "slots", "thaw"]

WAITED: Final = 0
N: Final = 1
CHAMPION: Final = 2
RIVAL: Final = 3
GAIN: Final = 4
SQUARES: Final = 5
LEARNER: Final = 6


def slots(lags: int) -> int:
    """Width of a contest.

    Parameters
    ----------
    lags
        Of both learners.
    """
    return LEARNER + bank.slots(lags)


@inlined
def observe(contest: Row, champion_error: float, value: float, events: float) -> None:
    """Judge both on one event: `learners.champion.Champion.observe`.

    Parameters
    ----------
    contest
        Changed in place.
    champion_error
        Of the model in use; NaN if it made no prediction.
    value
        The value that came, finite.
    events
        Judged events between two looks.
    """
    contest[WAITED] += 1.0
    if contest[N] >= events:
        for slot in range(N, LEARNER):
            contest[slot] = 0.0
    rival_error = bank.error(contest, LEARNER, value)
    if isnan(champion_error) or isnan(rival_error):
        return
    n = contest[N] + 1.0
    contest[N] = n
    contest[CHAMPION] = champion_error + contest[CHAMPION]
    contest[RIVAL] = rival_error + contest[RIVAL]
    gain = champion_error - rival_error
    before = contest[GAIN]
    mean = before + (1.0 / n) * (gain - before)
    contest[GAIN] = mean
    contest[SQUARES] += (gain - before) * (gain - mean)


@inlined
def learn(contest: Row, lags: int, value: float) -> int:
    """Let the challenger learn a value; see `learners.bank.learn`."""
    learned: int = bank.learn(contest, LEARNER, lags, value)
    return learned


@inlined
def is_over(contest: Row, events: float) -> bool:
    """Tell whether it is time to look who is better; see `learners.champion.Champion.verdict`."""
    return bool(contest[N] >= events or contest[WAITED] >= LOOKS * events)


def freeze(champion: Champion, contest: Row) -> bool:
    """Write a challenger, and what was seen of it and the model in use, to a row of numbers.

    Parameters
    ----------
    champion
        One that has a challenger.
    contest
        Written as a whole.

    Returns
    -------
    bool
        False if numbers can't stand for it: the challenger is another kind of learner, or of
        another configuration.
    """
    challenger: Learner | None = champion.challenger
    own, rival, gain = champion.champion_error, champion.challenger_error, champion.gain
    if (
        challenger is None
        or not bank.bankable(challenger)
        or challenger.configuration != champion.learner.configuration
        or not own.n == rival.n == gain.mean.n
        or not own.fading == rival.fading == 1.0
        or not bank.freeze(challenger, contest, LEARNER)  # type: ignore[arg-type]
    ):
        return False
    contest[WAITED] = champion.waited
    contest[N] = own.n
    contest[CHAMPION] = own._sum
    contest[RIVAL] = rival._sum
    contest[GAIN] = gain.mean.get()
    contest[SQUARES] = gain._S
    return True


def thaw(contest: Row, champion: Champion, configuration: Configuration) -> None:
    """Give a champion the challenger that numbers stand for.

    Parameters
    ----------
    contest
        From `freeze`, and any number of steps.
    champion
        Changed in place.
    configuration
        Of both learners.
    """
    champion.start_challenger(bank.thaw(contest, LEARNER, configuration))
    champion.waited = int(contest[WAITED])
    champion.champion_error = _mean(contest, CHAMPION)
    champion.challenger_error = _mean(contest, RIVAL)
    gain: Any = champion.gain
    gain.mean.n = float(contest[N])
    gain.mean._mean = float(contest[GAIN])
    gain._S = float(contest[SQUARES])


def _mean(contest: Row, slot: int) -> Prequential:
    n = int(contest[N])
    return Prequential(1.0, n=n, _sum=float(contest[slot]), _weight=float(n))
