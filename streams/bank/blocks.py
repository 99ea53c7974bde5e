"""Room for what only some signals of a row need: the values of a warm-up, later an ADWIN.

A signal takes a block when its first value comes and keeps it for as long as it needs one. The two
uses do not overlap: an ADWIN is empty until the warm-up is over, so that values wait where its
buckets will be. Which block a signal has is nowhere stored: it follows from nothing but luck.

A sensor that has sent an event without a value takes two more: for the ADWIN of ``missing``, and
for the rest of that monitor; and one takes a block for a challenger, as long as there is one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from detectors.bank import adwin_layout, monitor
from schemas.compiled import compiled

NOBODYS: Final = 0
"""The block of whoever has none: looked at, and never written."""
SHALLOW: Final = 10
"""Levels of each ADWIN at first: 5,115 values with 5 buckets on each."""
DEEPER: Final = 4
"""Levels that are added once one needs more: sixteen times as many values."""
GROWTH: Final = 1.1
SMALLEST: Final = 64

# Of `Blocks.tally`.
_RETURNED: Final = 0
_BEGUN: Final = 1


@compiled
def take(blocks: Any) -> int:
    """Return the number of a block that is free, its ADWIN new; `NOBODYS` if there is none.

    Parameters
    ----------
    blocks
        `Blocks.arrays`.
    """
    heads, counts, buckets, _, returned, tally, _ = blocks
    if tally[_RETURNED] > 0:
        tally[_RETURNED] -= 1
        number = int(returned[tally[_RETURNED]])
    elif tally[_BEGUN] < heads.shape[0]:
        number = int(tally[_BEGUN])
        tally[_BEGUN] += 1
    else:
        return NOBODYS
    adwin_layout.reset(heads[number], 0, counts[number], buckets[number])
    return number


@compiled
def give_back(blocks: Any, number: int) -> None:
    """Free a block; `NOBODYS` is left alone."""
    if number != NOBODYS:
        returned, tally = blocks[4], blocks[5]
        returned[tally[_RETURNED]] = number
        tally[_RETURNED] += 1


@compiled
def give_back_all(blocks: Any, numbers: Any) -> None:
    """Free many blocks."""
    for number in numbers:
        give_back(blocks, number)


def levels_for(wanted: int, max_buckets: int) -> int:
    """Return the levels of a new bank: few, and enough for all that a block is used for."""
    room = max(wanted, monitor.SLOTS + monitor.POSITIONS)
    per_level = 2 * (max_buckets + 1)
    return max(SHALLOW, -(-room // per_level))


class Blocks:
    """All blocks of a bank.

    Parameters
    ----------
    room
        Values that a block has to have room for.
    max_buckets
        Of every ADWIN.

    Attributes
    ----------
    heads, counts, buckets
        Of the ADWINs, see `detectors.bank.adwin_layout`; the first axis is the block.
    values, integers
        The same memory as `buckets`, flat: shape (blocks, room).
    """

    def __init__(self, room: int, max_buckets: int) -> None:
        self._levels = levels_for(room, max_buckets)
        self._width = max_buckets + 1
        self._tally = np.array([0, NOBODYS + 1], np.int64)
        self.heads: Any = None
        self.counts: Any = None
        self.values: Any = None
        self.buckets: Any = None
        self.integers: Any = None
        self._returned: Any = None
        self._allocate(SMALLEST)

    def __len__(self) -> int:
        """Return how many are in use."""
        return int(self._tally[_BEGUN] - self._tally[_RETURNED]) - 1

    @property
    def levels(self) -> int:
        """Levels that each ADWIN has room for."""
        return self._levels

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What compiled code takes; other arrays after each growth."""
        return (
            self.heads,
            self.counts,
            self.buckets,
            self.values,
            self._returned,
            self._tally,
            self.integers,
        )

    def reserve(self, more: int) -> None:
        """Have room for so many more, or somewhat above."""
        wanted = int(self._tally[_BEGUN]) + more
        if wanted <= len(self.heads):
            return
        if self._tally[_BEGUN] == NOBODYS + 1:
            # New pages are cleared when they are first written to, not before.
            self._allocate(wanted)
            return
        capacity = max(wanted, int(len(self.heads) * GROWTH) + SMALLEST)
        for array in (self.heads, self.counts, self.values, self._returned):
            array.resize((capacity, *array.shape[1:]), refcheck=False)
        self._view()

    def deepen(self, levels: int) -> bool:
        """Have room for so many levels, or some more; False if that is more than there may be."""
        if levels > max(adwin_layout.LEVELS, self._levels):
            return False
        before = self._levels
        self._levels = max(levels, min(before + DEEPER, adwin_layout.LEVELS))
        heads, counts, returned = self.heads, self.counts, self._returned
        buckets, values = self.buckets, self.values
        self._allocate(len(heads))
        self.heads, self._returned = heads, returned
        self.counts[:, :before] = counts
        self.buckets[:, :, :before] = buckets
        # What is no ADWIN stands in one piece, whatever the levels are.
        others = heads[:, adwin_layout.WIDTH] == 0.0
        self.integers[others, : values.shape[1]] = values.view(np.int64)[others]
        return True

    def _allocate(self, capacity: int) -> None:
        self.heads = np.zeros((capacity, adwin_layout.HEAD))
        self.counts = np.zeros((capacity, self._levels), np.int32)
        self.values = np.zeros((capacity, 2 * self._levels * self._width))
        self._returned = np.zeros(capacity, np.int32)
        self._view()

    def _view(self) -> None:
        self.buckets = self.values.reshape(len(self.values), 2, self._levels, self._width)
        self.integers = self.values.view(np.int64)
