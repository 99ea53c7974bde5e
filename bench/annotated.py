"""River's change point series: real, short, and looked at by five people each.

They are part of the Turing change point data set (van den Burg and Williams, "An evaluation of
change point detection algorithms", arXiv 2003.06222), come with River, and were not used for any
setting. Scored is as there: F1 of the change points that are named, against what each annotator
marked, with a margin of five observations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from river.drift import datasets

from bench.parallel import side_by_side
from bench.quality_methods import pipeline_drifts
from bench.quality_tables import Table
from streams.comparison import DRIFTLINE, DUMMY, baselines
from streams.scoring import evenly_spaced

MARGIN: Final = 5
RIVERS: Final = ("adwin", "page-hinkley")
NOTHING: Final = "nothing"
METHODS: Final = (DRIFTLINE, *RIVERS, DUMMY, NOTHING)

Results = dict[str, Any]
Rows = list[tuple[datetime, dict[str, float]]]


@dataclass(frozen=True)
class Annotated:
    """One series.

    Parameters
    ----------
    name
        As River's class.
    time
        Which column says when.
    chosen
        The rows that the annotators saw, of those that River ships.
    columns
        The columns that they saw; empty for all.
    """

    name: str
    time: str
    chosen: Callable[[Rows], Rows] = lambda rows: rows
    columns: tuple[str, ...] = ()


SERIES = (
    Annotated("AirlinePassengers", "date"),
    Annotated("Apple", "Date", lambda rows: rows[::3], ("Close", "Volume")),
    Annotated(
        "BrentSpotPrice", "day", lambda rows: [row for row in rows if row[0].year >= 2000][::10]
    ),
    Annotated("Occupancy", "time"),
    Annotated("RunLog", "time"),
    Annotated("UKCoalEmploy", "Year"),
)
"""All but the price of Bitcoin, of which River's rows are not those that the annotators saw."""


def rows_of(series: Annotated) -> Rows:
    """Return time and readings of each row that the annotators saw."""
    rows: Rows = []
    for features, target in getattr(datasets, series.name)():
        readings = target if isinstance(target, dict) else {"value": target}
        kept = {
            name: float(value)
            for name, value in readings.items()
            if not series.columns or name in series.columns
        }
        rows.append((features[series.time].replace(tzinfo=UTC), kept))
    return series.chosen(rows)


def f1(annotations: Mapping[str, Sequence[int]], found: Iterable[int]) -> Results:
    """Return precision, recall and F1 as van den Burg and Williams define them.

    The first observation counts as a change point of everybody. Precision is against what any of
    the annotators marked, recall the mean over annotators.
    """
    ours = {0, *found}
    marked = [{0, *points} for points in annotations.values()]
    anybody = set().union(*marked)
    precision = _matched(anybody, ours) / len(ours)
    recall = sum(_matched(points, ours) / len(points) for points in marked) / len(marked)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall),
        "found": sorted(ours - {0}),
    }


def _matched(marked: set[int], found: set[int]) -> int:
    """Count the marked points with a found one within the margin, each used once, the nearest."""
    left, matched = set(found), 0
    for point in sorted(marked):
        near = min(left, key=lambda one: (abs(one - point), one), default=None)
        if near is not None and abs(near - point) <= MARGIN:
            left.remove(near)
            matched += 1
    return matched


def _measured(place: int) -> Results:
    series = SERIES[place]
    rows = rows_of(series)
    times = [round(when.timestamp() * 1_000_000) for when, _ in rows]
    # Each column is a sensor; what any of them finds counts.
    columns = {name: [readings[name] for _, readings in rows] for name in rows[0][1]}
    drifts = [drift for values in columns.values() for drift in pipeline_drifts(values, times)]
    points = {drift.index if drift.change_point is None else drift.change_point for drift in drifts}
    found: dict[str, Iterable[int]] = {DRIFTLINE: points}
    found |= {name: baselines(name, columns) for name in RIVERS}
    found |= {DUMMY: evenly_spaced(len(rows), len(points)), NOTHING: ()}
    annotations = getattr(datasets, series.name)().annotations
    return {
        "series": series.name,
        "rows": len(rows),
        "columns": len(columns),
        "methods": {name: f1(annotations, places) for name, places in found.items()},
    }


def measure() -> list[Results]:
    """Run every method on every series."""
    return side_by_side(_measured, [(place,) for place in range(len(SERIES))], "annotated series")


def table(rows: Sequence[Results]) -> Table:
    """F1, and how many change points were named, by series and method."""
    made = [
        [
            f"`{row['series']}`",
            str(row["rows"]),
            str(row["columns"]),
            *(_told(row["methods"][name]) for name in METHODS),
        ]
        for row in rows
    ]
    means = [sum(row["methods"][name]["f1"] for row in rows) / len(rows) for name in METHODS]
    made.append(["mean", "", "", *(f"{mean:.2f}" for mean in means)])
    headers = ("series", "rows", "columns", *(f"`{name}`" for name in METHODS))
    return Table("Annotated series: F1 (change points named)", headers, made)


def _told(found: Results) -> str:
    return f"{found['f1']:.2f} ({len(found['found'])})"
