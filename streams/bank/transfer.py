"""A sensor from its row and back: what the plain path needs, and what it left.

What changes with every event stands in the row. What a row has no place for, the episode and what
was decided about the model, changes with findings and commands only: it is a signed snapshot beside
the row, or nothing where nothing ever happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors import season
from detectors.bank import adwin_layout, hygiene, monitor
from detectors.strictness import FACTORS
from learners import bank as learner
from learners import contest
from learners.forecast import Forecast
from schemas.settings import SensorSettings
from streams.bank.layout import (
    BLOCKS,
    CONTEST,
    DUE,
    DUE_FROM,
    ERROR,
    ERROR_BEGAN,
    ERROR_BLOCK,
    EVENTS,
    EXAMPLES,
    FIRST_TS,
    HYGIENE,
    HYGIENE_AT,
    INTEGERS,
    LAST_LABELLED,
    LAST_OFFSET,
    LAST_TS,
    LEARNER,
    MISSING,
    MISSING_BLOCK,
    OPEN,
    PREQUENTIAL,
    QUIET,
    RENEWED_AT,
    SEASON,
    SEASON_AT,
    VALUE,
    VALUE_BEGAN,
    VALUE_BLOCK,
    Layout,
)
from streams.bank.step import MOST_ZEROS
from streams.sensor import Challenge, Sensor, monitor_of, strictness

_UNTOUCHED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "diagnosis": "data",
        "severity": "low",
        "muted_until": None,
        "acked_episode": None,
        "acted_at": None,
        "challenge": Challenge(None, "manual"),
        "candidate": None,
        "answered_request": None,
        "loosened": {},
        "retrain_due": None,
        "retrain_next": None,
    }
)
"""What stands beside a row, as it is as long as nothing has happened."""
_SIGNALS: Final = frozenset(("missing", "value", "error"))
_PLACES: Final = (
    ("value", VALUE, VALUE_BEGAN, VALUE_BLOCK),
    ("error", ERROR, ERROR_BEGAN, ERROR_BLOCK),
)
"""Monitors: their floats, integers and blocks."""
_NO_WARM_UP: Final = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Row:
    """One sensor in numbers, with all the room that it may need.

    Attributes
    ----------
    floats, integers
        As in a bank.
    buffers
        Shape (`BLOCKS`, warmup): the values of each signal's warm-up.
    heads, counts, buckets
        Of each signal's ADWIN.
    gaps, gap_positions
        The monitor of ``missing``, where that is no count.
    contest
        The challenger and what was seen of it; see `learners.contest`.
    """

    floats: npt.NDArray[np.float64]
    integers: npt.NDArray[np.int64]
    buffers: npt.NDArray[np.float64]
    heads: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int32]
    buckets: npt.NDArray[np.float64]
    gaps: npt.NDArray[np.float64]
    gap_positions: npt.NDArray[np.int64]
    contest: npt.NDArray[np.float64]

    def adwin(self, block: int) -> tuple[Any, int, Any, Any]:
        """Return the arrays of one signal's ADWIN."""
        return self.heads[block], 0, self.counts[block], self.buckets[block]


def new_row(layout: Layout) -> Row:
    """Return the row of a sensor that has sent nothing yet."""
    row = Row(
        np.zeros(layout.width),
        np.zeros(INTEGERS, np.int64),
        np.zeros((BLOCKS, layout.warmup)),
        np.zeros((BLOCKS, adwin_layout.HEAD)),
        np.zeros((BLOCKS, adwin_layout.LEVELS), np.int32),
        np.zeros((BLOCKS, 2, adwin_layout.LEVELS, layout.max_buckets + 1)),
        np.zeros(monitor.SLOTS),
        np.zeros(monitor.POSITIONS, np.int64),
        np.zeros(layout.contest_slots),
    )
    for at in (VALUE, ERROR):
        monitor.reset(row.floats, at)
    for block in range(BLOCKS):
        adwin_layout.reset(*row.adwin(block))
    row.integers[[LAST_OFFSET, LAST_LABELLED, RENEWED_AT]] = -1
    return row


def freeze(sensor: Sensor, layout: Layout, row: Row) -> bool:
    """Write a sensor into a row.

    Returns
    -------
    bool
        False if it can't be a row now: labels are kept, it has other signals or models, a fault is
        suspected, a window has grown too large, or thresholds were raised by another version. What
        the row then holds is of no use.
    """
    champion, missing = sensor.champion, sensor.monitors.get("missing")
    if (
        not sensor.monitors.keys() <= _SIGNALS
        or not learner.bankable(champion.learner)
        or champion.learner.configuration != layout.configuration
        or len(sensor.pending)
        or any(raised.factor not in FACTORS for raised in sensor.loosened.values())
    ):
        return False
    assert isinstance(champion.learner, Forecast)
    floats, integers = row.floats, row.integers
    floats[[EVENTS, EXAMPLES]] = sensor.events, sensor.examples
    if missing is None or monitor.saw_only_zeros(missing):
        floats[MISSING] = 0 if missing is None else monitor.zeros_seen(missing)
        if floats[MISSING] > MOST_ZEROS:
            return False
    else:
        floats[MISSING] = -1.0
        if not monitor.freeze(
            missing, row.gaps, 0, row.gap_positions, 0, _NO_WARM_UP, *row.adwin(MISSING_BLOCK)
        ):
            return False
        row.gaps[monitor.LEVEL] = _level(sensor, "missing")
    floats[[OPEN, QUIET]] = sensor.episodes.open, sensor.episodes.quiet
    due = sensor.retrain_due
    floats[DUE] = 0 if due is None else 1 + due.examples
    integers[DUE_FROM] = 0 if due is None else due.from_offset
    floats[CONTEST] = champion.challenger is not None
    if champion.challenger is not None and not contest.freeze(champion, row.contest):
        return False
    if not hygiene.freeze(sensor.hygiene, floats, HYGIENE, integers, HYGIENE_AT):
        return False
    integers[LAST_OFFSET] = sensor.last_offset
    integers[LAST_TS] = sensor.last_ts
    integers[FIRST_TS] = sensor.first_ts
    integers[LAST_LABELLED] = sensor.last_labelled
    integers[RENEWED_AT] = sensor.renewed_at
    watched_season = sensor.seasons.get("value")
    if watched_season is None:
        floats[SEASON : SEASON + season.SLOTS] = 0.0
        integers[SEASON_AT : SEASON_AT + season.INTEGERS] = 0
    else:
        floats[SEASON : SEASON + season.SLOTS] = watched_season.floats
        integers[SEASON_AT : SEASON_AT + season.INTEGERS] = watched_season.integers
    learner.freeze_prequential(sensor.prequential, floats, PREQUENTIAL)
    if not learner.freeze(champion.learner, floats, LEARNER):
        return False
    for signal, at, began, block in _PLACES:
        watched = sensor.monitors.get(signal)
        if watched is None:
            monitor.reset(floats, at)
            adwin_layout.reset(*row.adwin(block))
        elif not monitor.freeze(
            watched, floats, at, integers, began, row.buffers[block], *row.adwin(block)
        ):
            return False
        floats[at + monitor.LEVEL] = _level(sensor, signal)
    return True


def _level(sensor: Sensor, signal: str) -> int:
    return FACTORS.index(strictness(sensor, signal))


def thaw_counts(sensor: Sensor, row: Row) -> None:
    """Give a new sensor what was counted of it."""
    floats, integers = row.floats, row.integers
    sensor.events, sensor.examples = int(floats[EVENTS]), int(floats[EXAMPLES])
    sensor.last_offset = int(integers[LAST_OFFSET])
    sensor.last_ts = int(integers[LAST_TS])
    sensor.first_ts = int(integers[FIRST_TS])
    sensor.last_labelled = int(integers[LAST_LABELLED])
    sensor.renewed_at = int(integers[RENEWED_AT])
    sensor.episodes.quiet = int(floats[QUIET])
    hygiene.thaw(sensor.hygiene, floats, HYGIENE, integers, HYGIENE_AT)


def thaw_learner(sensor: Sensor, row: Row) -> None:
    """Give a new sensor its model and how good that is, and what may follow it."""
    sensor.prequential = learner.thaw_prequential(row.floats, PREQUENTIAL)
    configuration = sensor.champion.learner.configuration
    sensor.champion.learner = learner.thaw(row.floats, LEARNER, configuration)
    if row.floats[CONTEST] > 0.0:
        contest.thaw(row.contest, sensor.champion, configuration)


def thaw_monitors(sensor: Sensor, row: Row, settings: SensorSettings) -> None:
    """Give a new sensor, of which all else is known, its monitors."""
    floats = row.floats
    slots = floats[SEASON : SEASON + season.SLOTS]
    # A monitor that was dropped leaves its season behind.
    if floats[VALUE + monitor.PRESENT] > 0.0 or slots.any():
        of_the_day = sensor.seasons["value"] = season.Season()
        of_the_day.floats = slots.tolist()
        of_the_day.integers = row.integers[SEASON_AT : SEASON_AT + season.INTEGERS].tolist()
    zeros = int(floats[MISSING])
    if zeros:
        missing = sensor.monitors["missing"] = monitor_of(
            "missing", settings, strictness(sensor, "missing")
        )
        if zeros > 0:
            monitor.show_zeros(missing, zeros)
        else:
            monitor.thaw(
                missing, row.gaps, 0, row.gap_positions, 0, _NO_WARM_UP, *row.adwin(MISSING_BLOCK)
            )
    for signal, at, began, block in _PLACES:
        if floats[at + monitor.PRESENT] > 0.0:
            factor = strictness(sensor, signal)
            watched = sensor.monitors[signal] = monitor_of(signal, settings, factor)
            monitor.thaw(
                watched, floats, at, row.integers, began, row.buffers[block], *row.adwin(block)
            )


def beside(sensor: Sensor) -> dict[str, Any] | None:
    """Return what a row has no place for; None where nothing ever happened to the sensor."""
    champion = sensor.champion
    if (
        champion.newest == 1
        and champion.previous is None
        and sensor.episodes.blank
        and all(getattr(sensor, name) == default for name, default in _UNTOUCHED.items())
    ):
        return None
    values = {name: getattr(sensor, name) for name in _UNTOUCHED}
    if sensor.retrain_due is not None:
        # How many there are changes with every event, and stands in the row.
        values["retrain_due"] = replace(sensor.retrain_due, examples=0)
    values["champion"] = (champion.version, champion.newest, champion.previous)
    values["episodes"] = None if sensor.episodes.blank else sensor.episodes
    return values


def version_beside(values: Mapping[str, Any]) -> int:
    """Return the version of the model in use from what stands beside a row."""
    version: int = values["champion"][0]
    return version


def add_beside(sensor: Sensor, row: Row, values: dict[str, Any]) -> None:
    """Give a thawed sensor what stood beside its row."""
    for name in _UNTOUCHED:
        setattr(sensor, name, values[name])
    if sensor.retrain_due is not None:
        sensor.retrain_due.examples = int(row.floats[DUE]) - 1
    champion = sensor.champion
    champion.version, champion.newest, champion.previous = values["champion"]
    episodes = values["episodes"]
    if episodes is not None:
        configured = sensor.episodes
        episodes.quiet_events = configured.quiet_events
        episodes.cooldown_events = configured.cooldown_events
        episodes.quiet = configured.quiet
        sensor.episodes = episodes
