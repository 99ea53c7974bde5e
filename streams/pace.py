"""How many records are processed at a stretch, before the rest of the process gets its turn.

A usual event takes half a microsecond, one with a large model a thousand times as long. A number of
records that suits one keeps checkpoints and metrics waiting with the other, so the number follows
from what the last ones took. How records are cut changes nothing in what becomes of them.
"""

from __future__ import annotations

STRETCH_SECONDS = 0.004
FEWEST, MOST = 20, 8000
_START = 1000


class Pace:
    """The number of records of the next stretch.

    Attributes
    ----------
    records
        How many.
    """

    def __init__(self) -> None:
        self.records = _START

    def took(self, records: int, seconds: float) -> None:
        """Learn from a stretch.

        Parameters
        ----------
        records
            How many it had.
        seconds
            What they took.
        """
        fitting = MOST if seconds <= 0.0 else int(records * STRETCH_SECONDS / seconds)
        # A short stretch at the end of a slice says little: no step is larger than by half.
        self.records = max(FEWEST, self.records // 2, min(MOST, fitting, 2 * self.records))
