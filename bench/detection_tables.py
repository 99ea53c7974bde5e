"""The tables of false alarms, delays and change points, from the raw results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.quality_tables import Table
from streams.comparison import DRIFTLINE, DUMMY

Rows = Sequence[Mapping[str, Any]]


def false_alarms(rows: Rows, budget: float) -> Table:
    """Drifts per 10,000 events of each stream, in what, and whether it keeps the budget."""
    signals = sorted({signal for row in rows for signal in row["by_signal"]} | {"value", "error"})
    made = []
    for row in rows:
        per = 10_000 / (row["sensors"] * row["events"])
        made.append(
            [
                row["stream"],
                f"{row['spacing_seconds'] / 60:g} min",
                f"{row['per_10000']:.2f}",
                f"{row['at_most_per_10000']:.2f}",
                "yes" if row["at_most_per_10000"] <= budget else "**no**",
                *(f"{per * row['by_signal'].get(signal, 0):.2f}" for signal in signals),
                f"{sum(count > 0 for count in row['by_sensor'])} of {row['sensors']}",
            ]
        )
    headers = ("stream", "an event in", "drifts", "at most", "kept", *signals, "sensors with any")
    one = rows[0]
    title = (
        f"Drifts per 10,000 events while nothing changes: {one['sensors']} sensors of "
        f"{one['events']:,} events"
    )
    return Table(title, headers, made)


def delays(rows: Rows) -> Table:
    """Median and 95th percentile of the delay, and the share missed, by stream and change."""
    made = []
    for row in rows:
        methods = row["methods"]
        told = [_waited(found["delays"]) for found in methods.values()]
        dummy = _waited(methods[DRIFTLINE]["evenly_spaced_delays"])
        made.append([row["stream"], row["change"], *told, dummy])
    headers = ("stream", "change", *(f"`{name}`" for name in rows[0]["methods"]), f"`{DUMMY}`")
    return Table("Delay in events: median, 95th percentile (missed)", headers, made, left=2)


def f1(rows: Rows) -> Table:
    """F1 of each method, and that of as many alarms evenly spaced, over all changes of a stream."""
    by_stream: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, found in row["methods"].items():
            sums = by_stream.setdefault(row["stream"], {}).setdefault(name, [0.0] * 5)
            for place, key in enumerate(_COUNTED):
                sums[place] += found[key]
    made = [
        [stream, *(_f1(sums) for sums in methods.values())] for stream, methods in by_stream.items()
    ]
    headers = ("stream", *(f"`{name}`" for name in rows[0]["methods"]))
    return Table("F1 over all changes (as many alarms evenly spaced)", headers, made)


def change_points(rows: Rows) -> Table:
    """How far the change point lies from the change, beside the alarm that told of it."""
    made = []
    for row in rows:
        ours = row["methods"][DRIFTLINE]
        off = [abs(place) for place in ours["located"] if place is not None]
        waited = [delay for delay in ours["delays"] if delay is not None]
        before = sum(place < 0 for place in ours["located"] if place is not None)
        made.append(
            [
                row["stream"],
                row["change"],
                _two(off),
                _two(waited),
                f"{100 * before / len(off):.0f} %" if off else "-",
                f"{len(off)} of {ours['windows']}",
            ]
        )
    headers = ("stream", "change", "change point", "alarm", "before the change", "found")
    return Table("Distance from the change in events: median, 95th", headers, made, left=2)


_COUNTED = (
    "hits",
    "false_alarms",
    "windows",
    "evenly_spaced_hits",
    "evenly_spaced_false_alarms",
)


def _f1(sums: Sequence[float]) -> str:
    hits, false, windows, dummy_hits, dummy_false = sums
    own = 2 * hits / (hits + false + windows)
    dummy = 2 * dummy_hits / (dummy_hits + dummy_false + windows)
    return f"{own:.2f} ({dummy:.2f})"


def _waited(found: Sequence[int | None]) -> str:
    hits = [delay for delay in found if delay is not None]
    missed = 100 * (len(found) - len(hits)) / len(found)
    return f"{_two(hits)} ({missed:.0f} %)"


def _two(numbers: Sequence[int]) -> str:
    if not numbers:
        return "-"
    middle, high = np.percentile(numbers, (50, 95))
    return f"{middle:.0f}, {high:.0f}"
