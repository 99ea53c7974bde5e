"""The words of a feature that is text: one that vanishes, one that was never there.

Only where there are few words, and hardly ever new ones: serial numbers and lots come and go.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final

from detectors.hygiene.habit import FEWEST, share
from detectors.hygiene.stuck import KNOWN, LONGER, ODDS, longest_honest
from detectors.signal import Finding, Position

MOST: Final = 64
"""Words beyond which a feature may be any text."""

GOOD_SHARE: Final = 0.1
"""Of readings, from which on a word is missed."""

RESTLESS: Final = 5
"""Changes after which more of them are this feature's way, and no finding any more."""

_LONGEST_WORD: Final = 40


class _Word:
    __slots__ = ("began", "count", "first", "gone", "last", "longest", "missed", "stretch")

    def __init__(self, number: int, at: Position) -> None:
        self.began = at
        self.missed = at
        self.count = 0
        self.first = number
        self.gone = False
        self.last = number
        self.longest = 0
        self.stretch = 0


class Words:
    """What the readings of one feature were.

    Attributes
    ----------
    readings
        How many.
    known
        By word; empty where `closed` is not.
    closed
        Whether there are few words.
    """

    __slots__ = ("_changes", "_newest", "_stretch", "closed", "known", "readings")

    def __init__(self) -> None:
        self.readings = 0
        self.known: dict[str, _Word] = {}
        self.closed = True
        self._newest = 0
        self._changes = 0
        self._stretch = 0

    def update(self, text: str, at: Position) -> Finding | None:
        """Take the next reading."""
        if not self.closed:
            return None
        self.readings += 1
        key = text
        if len(key) > _LONGEST_WORD:
            key = blake2b(key.encode(errors="surrogatepass"), digest_size=16).hexdigest()
        word = self.known.get(key)
        if word is None:
            if len(self.known) == MOST:
                self.known, self.closed = {}, False
                return None
            word = self.known[key] = _Word(self.readings, at)
        self._stretch = self._stretch + 1 if word.last == self.readings - 1 else 1
        word.stretch = max(word.stretch, self._stretch)
        if word.gone:
            word.gone = False
        else:
            word.longest = max(word.longest, self.readings - word.last - 1)
        word.last = self.readings
        word.count += 1
        found = self._appeared(word) if word.count == FEWEST else None
        missed = self._missed(at)
        found = missed if found is None else found
        if found is not None:
            self._changes += 1
            self.closed = self._changes <= RESTLESS
            if not self.closed:
                self.known = {}
                return None
        return found

    def _appeared(self, word: _Word) -> Finding | None:
        """Judge a word that has come often enough to be one."""
        before = word.first - 1
        quiet = before - self._newest
        self._newest = max(self._newest, before)
        since = self.readings - before
        # Had it come half as often as now, how likely was it that it never came before?
        odds = -before * math.log1p(-0.5 * word.count / since)
        if before < KNOWN or 2 * quiet < before or odds < ODDS:
            return None
        return _finding("up", odds, ODDS, word.began, (before, 0), (since, word.count))

    def _missed(self, at: Position) -> Finding | None:
        """Look for a word that does not come any more."""
        for word in self.known.values():
            run = self.readings - word.last
            if run == 1:
                word.missed = at
            seen = self.readings - run
            if run < FEWEST or word.gone or word.count < GOOD_SHARE * seen:
                continue
            limit = longest_honest(seen - word.count, seen, word.longest, FEWEST)
            # What comes for long stretches may stay away for as long.
            limit = max(limit, LONGER * word.stretch)
            if run > limit:
                word.gone = True
                return _finding("down", run, limit, word.missed, (seen, word.count), (run, 0))
        return None


def _finding(
    direction: str,
    score: float,
    threshold: float,
    began: Position,
    before: tuple[int, int],
    after: tuple[int, int],
) -> Finding:
    return Finding(
        "schema",
        "drift",
        "up" if direction == "up" else "down",
        float(score),
        threshold,
        began,
        share(*before),
        share(*after),
    )
