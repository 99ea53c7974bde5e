"""What runs come to: medians with their range, and ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.harness import Run


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest of some figures."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Spread:
        """Summarise at least one figure."""
        ordered = sorted(figures)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])

    def text(self, form: str) -> str:
        """Return ``median (low to high)``, each in the given format."""
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


def of_contender(runs: Iterable[Run], name: str) -> list[Run]:
    """Return the runs of one contender."""
    return [run for run in runs if run.contender == name]


def times_less(runs: Sequence[Run], name: str, reference: str) -> list[float]:
    """Return how many times less CPU an event takes `name` than `reference`, round by round.

    Two runs of a round stand next to each other in time, so a machine that changes its speed
    does not decide.
    """
    costs = {run.round: run.microseconds for run in of_contender(runs, reference)}
    return [costs[run.round] / run.microseconds for run in of_contender(runs, name)]
