"""Errors of a learner of which it is known when they change: the streams of the OPTWIN paper.

The four of Tosi and Theobald, "OPTWIN: drift identification with optimal sub-windows" (arXiv
2305.11942), are MOA's generators with the options of the scripts that the authors published
(github.com/maurodlt/OptWin, ``MOA-experiments/scripts``). They are error rates of a learner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class ErrorStream:
    """One set-up of the paper.

    Parameters
    ----------
    name
        As in the paper.
    rates
        Error rate at each event.
    change
        The event at which it changes, or begins to.
    binary
        Whether each event is an error or none, drawn at that rate; otherwise it is the rate itself,
        without noise, so that every run is the same.
    """

    name: str
    rates: Values
    change: int
    binary: bool

    def draw(self, rng: Generator) -> Values:
        """Return one run."""
        if not self.binary:
            return self.rates
        return (rng.random(len(self.rates)) <= self.rates).astype(float)


def error_streams() -> tuple[ErrorStream, ...]:
    """Return the four set-ups: sudden and gradual, binary and not.

    Sudden: 0.2, from event 1000 on 0.8; the paper looks at the first 1,999. Gradual: 0.2, from
    event 2000 on 0.001 more per event up to 1, and 10,000 events.
    """
    n = np.arange(1, 10_001)
    sudden = np.where(n < 1000, 0.2, 0.8)[:1999]
    gradual = np.where(n < 2000, 0.2, np.minimum(0.2 + (n - 2000) * 0.001, 1.0))
    return (
        ErrorStream("sudden, binary", sudden, 999, True),
        ErrorStream("sudden, not binary", sudden, 999, False),
        ErrorStream("gradual, binary", gradual, 1999, True),
        ErrorStream("gradual, not binary", gradual, 1999, False),
    )
