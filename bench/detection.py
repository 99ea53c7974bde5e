"""What the whole pipeline of a sensor raises for nothing, and what it finds, on drawn sensors.

Every sensor is run through `streams.pipeline.Pipeline` with the built-in settings, as in a worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from scipy.stats import chi2

from bench.drawn import STREAMS, Run, Stream, changing, stationary
from bench.parallel import side_by_side
from bench.quality_methods import pipeline_drifts, rivers
from streams.comparison import DRIFTLINE
from streams.scoring import Score, evenly_spaced, score, total
from streams.windows import Window

CHUNK = 10
"""Runs of one task: short enough that all cores are busy to the end."""

CONFIDENCE = 0.95

Results = dict[str, Any]


def named(names: Sequence[str]) -> list[Stream]:
    """Return the streams of these names; all for none."""
    return [stream for stream in STREAMS if not names or stream.name in names]


# --- false alarms ------------------------------------------------------------------------


def measure_false_alarms(
    streams: Sequence[Stream], sensors: int, events: int, seed: int
) -> list[Results]:
    """Count what is raised while nothing changes: a row per stream."""
    tasks = [
        (stream.name, run, min(run + CHUNK, sensors), events, seed)
        for stream in streams
        for run in range(0, sensors, CHUNK)
    ]
    parts = side_by_side(_false_alarms, tasks, "streams in which nothing changes")
    rows = []
    for stream in streams:
        by_sensor = [
            signals
            for task, part in zip(tasks, parts, strict=True)
            if task[0] == stream.name
            for signals in part
        ]
        counts = [len(signals) for signals in by_sensor]
        rows.append(
            {
                "stream": stream.name,
                "spacing_seconds": stream.spacing / 1e6,
                "sensors": sensors,
                "events": events,
                "by_sensor": counts,
                "by_signal": dict(Counter(signal for each in by_sensor for signal in each)),
                "per_10000": 10_000 * sum(counts) / (sensors * events),
                "at_most_per_10000": 10_000 * at_most(counts) / (sensors * events),
            }
        )
    return rows


def _false_alarms(name: str, first: int, stop: int, events: int, seed: int) -> list[list[str]]:
    (stream,) = named([name])
    drawn = (stationary(stream, events, seed, run) for run in range(first, stop))
    return [[drift.signal for drift in _drifts(run)] for run in drawn]


def _drifts(run: Run) -> list[Any]:
    return pipeline_drifts(run.values.tolist(), run.times.tolist())


def at_most(counts: Sequence[int]) -> float:
    """Return the one-sided 95 % upper bound of what a sum of counts is in expectation.

    That of a Poisson distribution (Garwood, "Fiducial limits for the Poisson distribution",
    Biometrika 28, 1936), of counts divided by their dispersion where sensors differ by more than
    chance: alarms come in clusters, and a cluster is one piece of evidence.
    """
    n, events = len(counts), sum(counts)
    dispersion = 1.0
    if n > 1 and events:
        mean = events / n
        dispersion = max(1.0, sum((count - mean) ** 2 for count in counts) / (n - 1) / mean)
    return float(dispersion * chi2.ppf(CONFIDENCE, 2.0 * (events / dispersion + 1.0)) / 2.0)


# --- changes -----------------------------------------------------------------------------


def measure_changes(
    streams: Sequence[Stream], runs: int, seed: int, *, alone: bool
) -> list[Results]:
    """Let every stream change in every way: a row per stream and change.

    Parameters
    ----------
    alone
        Leave River's detectors out.
    """
    tasks = [
        (stream.name, change, run, min(run + CHUNK, runs), seed, alone)
        for stream in streams
        for change in stream.changes
        for run in range(0, runs, CHUNK)
    ]
    if not tasks:
        return []
    parts = side_by_side(_changes, tasks, "streams that change")
    rows: dict[tuple[str, str], list[Results]] = {}
    for (name, change, *_), part in zip(tasks, parts, strict=True):
        rows.setdefault((name, change), []).extend(part)
    return [
        {"stream": name, "change": change, "methods": _together(found)}
        for (name, change), found in rows.items()
    ]


def _changes(
    name: str, change: str, first: int, stop: int, seed: int, alone: bool
) -> list[Results]:
    (stream,) = named([name])
    found = []
    for number in range(first, stop):
        run = changing(stream, change, seed, number)
        drifts = _drifts(run)
        alarms = {DRIFTLINE: [drift.index for drift in drifts]}
        if not alone:
            alarms |= rivers(run.values.tolist())
        places = {drift.index: drift.change_point for drift in drifts}
        scored = {method: _scored(run, raised) for method, raised in alarms.items()}
        located = [
            None if delay is None else places[at + delay.events]
            for at, delay in zip(run.changes, scored[DRIFTLINE][0].delays, strict=True)
        ]
        found.append({"run": run.changes, "scores": scored, "located": located})
    return found


def _scored(run: Run, alarms: Sequence[int]) -> tuple[Score, Score]:
    """Score alarms, and as many that are evenly spaced."""
    n = len(run.values)
    # Each change is to be found before the next one; the last one by the end.
    windows = [Window(begin, end - 1) for begin, end in pairwise((*run.changes, n))]
    return (
        score(range(n), windows, alarms),
        score(range(n), windows, evenly_spaced(n, len(alarms))),
    )


def _together(found: Sequence[Results]) -> Results:
    methods: Results = {}
    for name in found[0]["scores"]:
        own = [run["scores"][name][0] for run in found]
        dummy = total(run["scores"][name][1] for run in found)
        summed = total(own)
        methods[name] = {
            "windows": summed.windows,
            "hits": summed.hits,
            "false_alarms": summed.false_alarms,
            "outside": summed.outside,
            "f1": summed.f1,
            "evenly_spaced_f1": dummy.f1,
            "evenly_spaced_hits": dummy.hits,
            "evenly_spaced_false_alarms": dummy.false_alarms,
            "evenly_spaced_delays": [d and d.events for d in dummy.delays],
            "delays": [d and d.events for d in summed.delays],
            "false_by_run": [one.false_alarms for one in own],
        }
    # How far the change point lies from the change; negative: before it.
    methods[DRIFTLINE]["located"] = [
        None if place is None else place - at
        for run in found
        for at, place in zip(run["run"], run["located"], strict=True)
    ]
    return methods
