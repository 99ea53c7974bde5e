"""What the events of a sensor look like: a value or features, which of them, numbers or text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from detectors.hygiene.habit import FEWEST, Habit, share
from detectors.hygiene.stuck import KNOWN, ODDS
from detectors.hygiene.words import Words
from detectors.signal import Finding, Position

MOST: Final = 256
"""Names that are kept; as many as one event may have."""


TEXTS: Final = 32
"""Features that are text whose words are looked at."""


class _Feature:
    """One feature.

    Attributes
    ----------
    first
        Events with features before the first one that had it.
    began
        That one.
    judged
        Whether it has been said whether it is new.
    count, readings
        Events that had it, and those where it was not null.
    absent
        Habit of not being there; None if it always was.
    text
        Whether its readings are text; None before the first.
    other
        Habit of being the other kind; None if it never was.
    words
        Its readings, where these are text and are looked at.
    """

    __slots__ = (
        "absent",
        "began",
        "count",
        "first",
        "judged",
        "other",
        "readings",
        "text",
        "words",
    )

    def __init__(self, first: int, at: Position) -> None:
        self.first = first
        self.began = at
        self.count = 0
        self.readings = 0
        self.judged = first < KNOWN
        self.absent: Habit | None = None
        self.text: bool | None = None
        self.other: Habit | None = None
        self.words: Words | None = None

    def appeared(self, events: int) -> Finding | None:
        """Judge a feature that has come often enough to be one."""
        if self.judged or self.count < FEWEST:
            return None
        self.judged = True
        since = events - self.first
        # Had it come half as often as now, how likely was it that it never came before?
        odds = -self.first * math.log1p(-0.5 * self.count / since)
        if odds < ODDS:
            return None
        return Finding(
            "schema",
            "drift",
            "up",
            odds,
            ODDS,
            self.began,
            share(self.first, 0),
            share(since, self.count),
        )

    def read(self, value: float | str, at: Position, patience: int, look: bool) -> Finding | None:
        """Take a reading that is not null; `look` at its words, if it is text."""
        text = isinstance(value, str)
        if self.text is None:
            self.text = text
        if self.other is None and text != self.text:
            self.other = Habit(self.readings)
        self.readings += 1
        if self.other is not None:
            if self.other.update(text != self.text, at):
                return _changed(self.other)
            if _accepted(self.other, patience):
                self.text, self.other, self.words = text, None, None
        if isinstance(value, str) and self.text:
            if self.words is None and look:
                self.words = Words()
            if self.words is not None:
                return self.words.update(value, at)
        return None


class Schema:
    """What the events of one sensor look like.

    Attributes
    ----------
    events
        Those with features.
    features
        By name.
    """

    __slots__ = ("_other", "_single", "_texts", "events", "features")

    def __init__(self) -> None:
        self.events = 0
        self.features: dict[str, _Feature] = {}
        self._single = True
        self._texts = 0
        self._other: Habit | None = None

    @property
    def blank(self) -> bool:
        """Whether every event carried a value, so that there is nothing to know."""
        return self._other is None

    def observe(
        self,
        values: Mapping[str, float | str | None],
        single: bool,
        at: Position,
        earlier: int,
        patience: int,
    ) -> tuple[list[tuple[str, Finding]], bool]:
        """Take the next event.

        Parameters
        ----------
        values
            Its readings by name.
        single
            Whether it carries one value, under any name.
        at
            Where it comes from.
        earlier
            Events of the sensor before it.
        patience
            Odd events in a row, after a change was found, that make it the new normal.

        Returns
        -------
        list of (str, Finding)
            Signal and finding; mostly none.
        bool
            Whether the event is what this sensor sends, so that something can be learned from it.
        """
        if self._other is None:
            if single:
                return [], True
            self._single = earlier > 0
            self._other = Habit(earlier)
        findings: list[tuple[str, Finding]] = []
        if self._other.update(single != self._single, at):
            findings.append(("value", _changed(self._other)))
        faulty = self._other.faulty
        if _accepted(self._other, patience):
            self._single, self._other, faulty = single, Habit(), False
        if single:
            return findings, not faulty
        present = 0
        for name, value in values.items():
            feature = self.features.get(name)
            if feature is None:
                if len(self.features) >= MOST:
                    continue
                feature = self.features[name] = _Feature(self.events, at)
            present += 1
            feature.count += 1
            if feature.absent is not None:
                feature.absent.update(False, at)
            found = feature.appeared(self.events + 1)
            if value is not None:
                look = feature.words is None and self._texts < TEXTS
                found = feature.read(value, at, patience, look) or found
                self._texts += look and feature.words is not None
                faulty = faulty or (feature.other is not None and feature.other.faulty)
            if found is not None:
                findings.append((f"feature:{name}", found))
        self.events += 1
        if present < len(self.features):
            for name in [name for name in self.features if name not in values]:
                feature = self.features[name]
                absent = feature.absent = feature.absent or Habit(feature.count)
                if absent.update(True, at):
                    findings.append((f"feature:{name}", _changed(absent)))
                faulty = faulty or absent.faulty
                if _accepted(absent, patience):
                    del self.features[name]
        return findings, not faulty


def _changed(habit: Habit) -> Finding:
    return Finding(
        "schema",
        "drift",
        "down",
        float(habit.run),
        habit.limit,
        habit.began,
        habit.before,
        share(habit.run, 0),
    )


def _accepted(habit: Habit, patience: int) -> bool:
    """Tell whether what changed has stayed for long enough to be the new normal."""
    return habit.changed and habit.run > habit.limit + patience
