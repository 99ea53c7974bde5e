"""Predictions waiting for their labels, and labels waiting for their events, of one sensor.

A label comes when it comes: days after its event, before it, twice, or for an event that never
was. What waits is bounded in number and in age. Age is measured in event time, by the median of
the last three events' times: one event with a wrong date must not expire everything.

Entries are made durable one by one, each under its own key: `changes` lists those that differ from
what was listed before, `restore` takes them back in any order.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from learners.base import Feature, PredictionValue
from learners.features import compact

__all__ = [
    "Arrival",
    "Early",
    "Entry",
    "Head",
    "LabelOutcome",
    "Matched",
    "Pending",
    "PendingLabels",
]

LabelOutcome = Literal["matched", "early", "duplicate", "orphan", "expired", "evicted"]
"""What became of a label, or of a prediction that waited for one.

``matched``: met its event. ``early``: waits for its event. ``duplicate``: its event has a label
already. ``orphan``: its event never came. ``expired``, ``evicted``: a prediction waited too long,
or too many waited.
"""

REMEMBERED: Final = 1000
"""Events whose label has come, kept in order to know a second one."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that was predicted and waits for its label.

    Attributes
    ----------
    features
        What the learner was given, long strings shortened.
    prediction
        What the champion expected.
    challenger
        What the challenger expected, if there was one.
    version
        Version of the champion.
    ts, offset
        Time (microseconds) and offset of the event.
    since
        Event time, in microseconds, at which it began to wait.
    number
        Place in the order of arrival.
    """

    features: dict[str, Feature]
    prediction: PredictionValue | None
    challenger: PredictionValue | None
    version: int
    ts: int
    offset: int
    since: int
    number: int


@dataclass(frozen=True, slots=True)
class Early:
    """A label whose event has not come yet."""

    label: PredictionValue
    ts: int
    since: int
    number: int


@dataclass(frozen=True, slots=True)
class Matched:
    """An event that has had its label."""

    number: int


Entry = Pending | Early | Matched
_E = TypeVar("_E", Pending, Early, Matched)
_W = TypeVar("_W", Pending, Early)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a label.

    Attributes
    ----------
    outcome
        What became of it.
    pending
        Its event, if ``outcome`` is ``matched``.
    """

    outcome: LabelOutcome
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What must be kept besides the entries."""

    number: int
    clock: tuple[int, ...]


class PendingLabels:
    """What waits, of one sensor.

    Parameters
    ----------
    max_pending
        The most predictions that wait, and the most labels.
    max_age
        The longest that they wait, in microseconds of event time.

    Examples
    --------
    >>> waiting = PendingLabels(max_pending=1000, max_age=30 * 86_400_000_000)
    >>> waiting.add("b-1", {"temperature": 355.1}, prediction=0, ts=0, offset=7)
    >>> waiting.label("b-1", 1, ts=86_400_000_000).outcome
    'matched'
    >>> waiting.label("b-1", 1, ts=86_400_000_000).outcome
    'duplicate'
    """

    def __init__(self, max_pending: int, max_age: int) -> None:
        self.max_pending = max_pending
        self.max_age = max_age
        self._pending: dict[str, Pending] = {}
        self._early: dict[str, Early] = {}
        self._matched: dict[str, Matched] = {}
        self._number = 0
        self._clock: tuple[int, ...] = ()
        self._changed: dict[str, None] = {}
        self._written: set[str] = set()
        self._in_order = True
        self._counts: Counter[LabelOutcome] = Counter()

    def __len__(self) -> int:
        """Predictions that wait for their labels."""
        return len(self._pending)

    def add(
        self,
        event_id: str,
        features: Mapping[str, Feature],
        *,
        prediction: PredictionValue | None,
        ts: int,
        offset: int,
        version: int = 1,
        challenger: PredictionValue | None = None,
        now: int | None = None,
    ) -> PredictionValue | None:
        """Let an event wait for its label.

        A second event of the same id is not kept: the label is that of the first.

        Parameters
        ----------
        event_id
            The event's id, or what stands for it.
        features
            What the learner was given.
        prediction, challenger
            What champion and challenger expected.
        ts, offset
            Time (microseconds) and offset of the event.
        version
            Version of the champion.
        now
            What time it is, in microseconds, if the event's own time is not to be trusted.

        Returns
        -------
        float or int or str or bool or None
            The label, if it was there before the event; then nothing waits.
        """
        self._settle()
        self._clock = (*self._clock, ts if now is None else now)[-3:]
        found = None
        if (early := self._early.pop(event_id, None)) is not None:
            found = early.label
            self._match(event_id)
        elif event_id not in self._pending and event_id not in self._matched:
            self._pending[event_id] = Pending(
                features=compact(features),
                prediction=prediction,
                challenger=challenger,
                version=version,
                ts=ts,
                offset=offset,
                since=self._now(ts),
                number=self._next_number(),
            )
            self._note(event_id)
        self._drop_old()
        return found

    def label(self, event_id: str, label: PredictionValue, ts: int) -> Arrival:
        """Take a label.

        Parameters
        ----------
        event_id
            The id of its event.
        label
            The truth.
        ts
            Time of the label, in microseconds.
        """
        self._settle()
        if (pending := self._pending.pop(event_id, None)) is not None:
            self._match(event_id)
            return Arrival("matched", pending)
        if event_id in self._matched or event_id in self._early:
            self._counts["duplicate"] += 1
            return Arrival("duplicate")
        self._early[event_id] = Early(label, ts, self._now(ts), self._next_number())
        self._note(event_id)
        self._counts["early"] += 1
        self._drop_old()
        return Arrival("early")

    def drain_counts(self) -> dict[LabelOutcome, int]:
        """How many labels and predictions had which outcome since the last call."""
        counts, self._counts = dict(self._counts), Counter()
        return counts

    def changes(self) -> list[tuple[str, Entry | None]]:
        """Entries that are new, other or (None) gone since the last call, each id once."""
        listed: list[tuple[str, Entry | None]] = []
        for event_id in self._changed:
            entry = self._entry(event_id)
            listed.append((event_id, entry))
            if entry is None:
                self._written.discard(event_id)
            else:
                self._written.add(event_id)
        self._changed.clear()
        return listed

    def head(self) -> Head:
        """What must be kept besides the entries."""
        return Head(self._number, self._clock)

    def restore_head(self, head: Head) -> None:
        """Take back what `head` gave."""
        self._number = head.number
        self._clock = head.clock

    def restore(self, event_id: str, entry: Entry) -> None:
        """Take back an entry that `changes` listed; the order does not matter."""
        if isinstance(entry, Pending):
            self._pending[event_id] = entry
        elif isinstance(entry, Early):
            self._early[event_id] = entry
        else:
            self._matched[event_id] = entry
        self._written.add(event_id)
        self._number = max(self._number, entry.number + 1)
        self._in_order = False

    def _match(self, event_id: str) -> None:
        self._matched[event_id] = Matched(self._next_number())
        self._note(event_id)
        self._counts["matched"] += 1
        if len(self._matched) > REMEMBERED:
            self._drop_first(self._matched)

    def _drop_old(self) -> None:
        self._drop_while(self._pending, "evicted", "expired")
        self._drop_while(self._early, "orphan", "orphan")

    def _drop_while(
        self, waiting: dict[str, _W], too_many: LabelOutcome, too_old: LabelOutcome
    ) -> None:
        while len(waiting) > self.max_pending:
            self._drop_first(waiting)
            self._counts[too_many] += 1
        while waiting:
            first = next(iter(waiting.values()))
            if self._now(first.since) - first.since <= self.max_age:
                break
            self._drop_first(waiting)
            self._counts[too_old] += 1

    def _drop_first(self, waiting: dict[str, _E]) -> None:
        event_id = next(iter(waiting))
        del waiting[event_id]
        self._note(event_id)

    def _note(self, event_id: str) -> None:
        # what came and went between two calls of changes was never written
        if self._entry(event_id) is None and event_id not in self._written:
            self._changed.pop(event_id, None)
        else:
            self._changed[event_id] = None

    def _entry(self, event_id: str) -> Entry | None:
        return (
            self._pending.get(event_id) or self._early.get(event_id) or self._matched.get(event_id)
        )

    def _now(self, otherwise: int) -> int:
        return int(statistics.median_low(self._clock)) if self._clock else otherwise

    def _next_number(self) -> int:
        self._number += 1
        return self._number - 1

    def _settle(self) -> None:
        if self._in_order:
            return
        _sort(self._pending)
        _sort(self._early)
        _sort(self._matched)
        self._in_order = True


def _sort(waiting: dict[str, _E]) -> None:
    ordered = sorted(waiting.items(), key=lambda item: item[1].number)
    waiting.clear()
    waiting.update(ordered)
