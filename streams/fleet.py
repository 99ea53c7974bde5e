"""Many sensors that change at once: one drift event of the fleet in place of one for each.

The fleet is the sensors of one partition. An episode that opens is noted with the time of its
event. When those noted within `fleet.window` of that time are many, the last of them is told as a
drift of the fleet, and for as long again each further one is absorbed: all of its episode, recovery
included, since a subscriber who was told nothing of a trouble is not to be told that it is over.
When the last absorbed episode has ended, the fleet has recovered.

All of it is a function of the order of events, and stored with the partition's position.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import msgspec

from schemas import settings
from schemas.events import MAX_MEMBERS, ChangePoint, Diagnosis, Direction, DriftEvent
from schemas.ids import derived_id, drift_event_id

DETECTOR: Final = "fleet"
_SECOND: Final = 1_000_000
_CLOCK: Final = 3
"""Openings whose times together say what time it is."""


class _Opening(msgspec.Struct, array_like=True):
    """An episode that was told for the first time a moment ago."""

    ts: int
    signal: str
    direction: Direction
    diagnosis: Diagnosis
    since_ts: int | None
    since_offset: int | None


class _Group(msgspec.Struct, array_like=True):
    """A fleet's drift that is not over: what was told, and how many episodes it absorbs."""

    drift_id: str
    ts: int
    sensor_id: str
    signal: str
    diagnosis: Diagnosis
    episodes: int


class _State(msgspec.Struct):
    """What is stored.

    Attributes
    ----------
    openings
        By sensor id, in their order.
    groups
        By the fleet's episode id; the last one may absorb more.
    absorbed
        By sensor id: the open episode that is not told, and that of the fleet.
    needed, counted_at
        How many openings make a fleet, as of this event time; None before the first count.
    """

    openings: dict[str, _Opening] = {}
    groups: dict[str, _Group] = {}
    absorbed: dict[str, tuple[str, str]] = {}
    needed: int = 0
    counted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What becomes of a drift event.

    Attributes
    ----------
    told
        Drift events to write.
    absorbed
        Whether it is not among them.
    instead
        A drift that was absorbed, as the policy is to see it: by the fleet's diagnosis and id.
    """

    told: Sequence[DriftEvent]
    absorbed: bool = False
    instead: DriftEvent | None = None


class Fleet:
    """The sensors of one partition, looked at together.

    Parameters
    ----------
    chosen
        Section ``fleet`` of the settings.
    active
        Returns how many sensors have sent nothing older than a time (in microseconds) last.

    Attributes
    ----------
    changed
        Whether what is to be stored has changed since `dump`.
    """

    def __init__(self, chosen: settings.Fleet, active: Callable[[int], int]) -> None:
        self._enabled = chosen.enabled
        self._window = int(chosen.window * _SECOND)
        self._fewest = chosen.min_sensors
        self._share = chosen.min_share
        self._active = active
        self._state = _State()
        self.changed = False

    def take(self, drift: DriftEvent, *, opens: bool) -> Taken:
        """Take a drift event of one sensor before it is told.

        Parameters
        ----------
        drift
            In the order of processing.
        opens
            Whether it is the first of its episode.
        """
        mine = self._state.absorbed.get(drift.sensor_id)
        if mine is not None and mine[0] == drift.episode_id:
            return self._of_absorbed(drift, mine[1])
        if not opens or not self._enabled:
            return Taken([drift])
        self.changed = True
        group = self._absorbing(drift.ts)
        if group is not None:
            return self._absorb(drift, group)
        near = self._note(drift)
        if len(near) < self._fewest or len(near) < self._enough(drift.ts, len(near)):
            return Taken([drift])
        return self._tell(drift, near)

    def close(self, recovered: DriftEvent) -> Sequence[DriftEvent]:
        """Take a recovery that is not told for another reason; return what is told of the fleet."""
        mine = self._state.absorbed.get(recovered.sensor_id)
        if mine is None or mine[0] != recovered.episode_id:
            return ()
        return self._release(recovered.sensor_id, recovered)

    def forget(self, sensor_ids: Iterable[str]) -> None:
        """Keep nothing of sensors that are forgotten."""
        for sensor_id in sensor_ids:
            if self._state.openings.pop(sensor_id, None) is not None:
                self.changed = True
            self._release(sensor_id, None)

    def dump(self) -> bytes:
        """Return what `load` takes."""
        self.changed = False
        return msgspec.json.encode(self._state)

    def load(self, stored: bytes) -> None:
        """Take over what was stored."""
        self._state = msgspec.json.decode(stored, type=_State)
        self.changed = False

    def _absorbing(self, ts: int) -> str | None:
        """Return the episode of the fleet that an opening at this time belongs to."""
        last = next(reversed(self._state.groups.items()), None)
        if last is None or abs(ts - last[1].ts) > self._window:
            return None
        return last[0]

    def _note(self, drift: DriftEvent) -> dict[str, _Opening]:
        """Note an opening; return those of its time, and forget those of times that are over.

        What time it is say the last three openings together: one wrong clock among them passes.
        """
        openings = self._state.openings
        openings.pop(drift.sensor_id, None)
        since = drift.change_point or ChangePoint(ts=None, offset=None)
        openings[drift.sensor_id] = _Opening(
            drift.ts, drift.signal, drift.direction, drift.diagnosis, since.ts, since.offset
        )
        near = self._around(drift.ts)
        last = [opening.ts for opening in islice(reversed(openings.values()), _CLOCK)]
        if len(last) == _CLOCK:
            of_now = self._around(statistics.median_low(last))
            self._state.openings = {
                sensor_id: opening
                for sensor_id, opening in openings.items()
                if sensor_id in near or sensor_id in of_now
            }
        return near

    def _around(self, ts: int) -> dict[str, _Opening]:
        return {
            sensor_id: opening
            for sensor_id, opening in self._state.openings.items()
            if abs(ts - opening.ts) <= self._window
        }

    def _enough(self, ts: int, found: int) -> int:
        """Return how many openings are many; counted anew when it matters, or is long ago."""
        state = self._state
        stale = state.counted_at is None or abs(ts - state.counted_at) > self._window
        if stale or found >= state.needed:
            active = self._active(ts - self._window)
            # 0.1 * 30 is a little more than 3.
            state.needed = max(self._fewest, math.ceil(round(self._share * active, 6)))
            state.counted_at = ts
        return state.needed

    def _tell(self, drift: DriftEvent, openings: dict[str, _Opening]) -> Taken:
        """Make a drift of the fleet of those that changed together."""
        state, source = self._state, drift.source
        state.openings = {
            sensor_id: opening
            for sensor_id, opening in state.openings.items()
            if sensor_id not in openings
        }
        members = list(openings)
        signal = _most(opening.signal for opening in openings.values())[0]
        direction, of_direction = _most(opening.direction for opening in openings.values())
        diagnosis, of_diagnosis = _most(opening.diagnosis for opening in openings.values())
        agreed = 2 * of_diagnosis > len(openings) and diagnosis in ("concept", "prior")
        since = (
            min((o.since_ts, o.since_offset) for o in openings.values() if o.since_ts is not None)
            if any(o.since_ts is not None for o in openings.values())
            else None
        )
        told = drift.model_copy(
            update={
                "id": drift_event_id(
                    source.partition, source.offset, drift.sensor_id, signal, DETECTOR, "drift"
                ),
                "kind": "drift",
                "detector": DETECTOR,
                "signal": signal,
                "direction": direction if 2 * of_direction > len(openings) else "none",
                "diagnosis": diagnosis if agreed else "upstream",
                "severity": "high",
                "episode_id": derived_id(
                    "fleet", source.partition, source.offset, drift.sensor_id, signal
                ),
                "score": len(members) / max(len(members), self._active(drift.ts - self._window)),
                "threshold": self._share,
                "change_point": None
                if since is None
                else ChangePoint(ts=since[0], offset=since[1]),
                "before": None,
                "after": None,
                "model": None,
                "evidence": (),
                "members": members[:MAX_MEMBERS],
                "member_count": len(members),
            }
        )
        state.groups[told.episode_id] = _Group(
            told.id, drift.ts, drift.sensor_id, signal, told.diagnosis, 0
        )
        self._absorb(drift, told.episode_id)
        return Taken([told], absorbed=True)

    def _absorb(self, drift: DriftEvent, group: str) -> Taken:
        # A sensor that was muted at its last recovery may still be held.
        self._release(drift.sensor_id, None)
        self._state.absorbed[drift.sensor_id] = (drift.episode_id, group)
        self._state.groups[group].episodes += 1
        return Taken((), absorbed=True, instead=self._instead(drift, group))

    def _of_absorbed(self, drift: DriftEvent, group: str) -> Taken:
        if drift.kind == "recovered":
            return Taken(self._release(drift.sensor_id, drift), absorbed=True)
        if abs(drift.ts - self._state.groups[group].ts) <= self._window:
            return Taken((), absorbed=True, instead=self._instead(drift, group))
        # Long after the others, it is this sensor's own trouble.
        return Taken([*self._release(drift.sensor_id, drift), drift])

    def _instead(self, drift: DriftEvent, group: str) -> DriftEvent | None:
        if drift.kind != "drift":
            return None
        of = self._state.groups[group]
        return drift.model_copy(update={"id": of.drift_id, "diagnosis": of.diagnosis})

    def _release(self, sensor_id: str, at: DriftEvent | None) -> Sequence[DriftEvent]:
        """End the absorption of a sensor; with the last one the fleet has recovered."""
        held = self._state.absorbed.pop(sensor_id, None)
        if held is None:
            return ()
        self.changed = True
        group = self._state.groups[held[1]]
        group.episodes -= 1
        if group.episodes:
            return ()
        del self._state.groups[held[1]]
        return () if at is None else [_recovered(held[1], group, at)]


def _most(words: Iterable[str]) -> tuple[str, int]:
    """Return the word that comes most often, the first of them in a tie, and how often."""
    return Counter(words).most_common(1)[0]


def _recovered(episode_id: str, group: _Group, at: DriftEvent) -> DriftEvent:
    source = at.source
    return at.model_copy(
        update={
            "id": drift_event_id(
                source.partition,
                source.offset,
                group.sensor_id,
                group.signal,
                DETECTOR,
                "recovered",
            ),
            "sensor_id": group.sensor_id,
            "kind": "recovered",
            "detector": DETECTOR,
            "signal": group.signal,
            "direction": "none",
            "diagnosis": group.diagnosis,
            "severity": "high",
            "episode_id": episode_id,
            "score": None,
            "threshold": None,
            "change_point": None,
            "before": None,
            "after": None,
            "model": None,
            "evidence": (),
        }
    )
