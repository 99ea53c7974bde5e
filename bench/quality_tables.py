"""The tables of docs/quality.md, from the raw results."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.table import Table as RichTable

from streams.cli.scores import share, verdict
from streams.comparison import METHODS

_QUALITY = ("precision", "recall", "F1", "beats evenly spaced")
_COUNTS = (
    "hits",
    "windows",
    "false_alarms",
    "outside",
    "evenly_spaced_hits",
    "evenly_spaced_false_alarms",
)


@dataclass(frozen=True)
class Table:
    """A table of text: the first `left` columns are names."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1

    def rich(self) -> RichTable:
        """Return it for a terminal."""
        made = RichTable(title=self.title, title_justify="left")
        for place, header in enumerate(self.headers):
            side = "left" if place < self.left else "right"
            made.add_column(header, justify=side, no_wrap=True)  # type: ignore[arg-type]
        for row in self.rows:
            made.add_row(*row)
        return made

    def markdown(self) -> str:
        """Return it for a page."""
        rule = ["---" if place < self.left else "---:" for place in range(len(self.headers))]
        lines = [self.headers, rule, *self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def tables(results: Mapping[str, Any]) -> dict[str, Table]:
    """Return every table by the name of its place in the page."""
    return {
        "nab": nab(results["nab"]),
        "nab-series": nab_series(results["nab"]),
        "errors": errors(results["errors"]),
        "delays": delays(results["sensors"]),
        "false-alarms": false_alarms(results["sensors"]),
        "f1": f1(results["sensors"]),
    }


def put(page: str, made: Mapping[str, Table]) -> str:
    """Put the tables into a page, each between its two comments."""

    def write(found: re.Match[str]) -> str:
        name = found[1]
        if name not in made:
            return found[0]
        return (
            f"<!-- begin quality-{name} -->\n{made[name].markdown()}\n<!-- end quality-{name} -->"
        )

    marked = r"<!-- begin quality-([\w-]+) -->\n.*?<!-- end quality-\1 -->"
    return re.sub(marked, write, page, flags=re.DOTALL)


def nab(results: Mapping[str, Any]) -> Table:
    """All series together, and those that nobody had looked at: a row per method."""
    rows = []
    for what, methods in results["groups"].items():
        for name in METHODS:
            found = methods[name]
            rows.append(
                [
                    f"{what} ({found['series']})",
                    f"`{name}`",
                    _count(found["nab"]),
                    f"{found['missed']} of {found['windows']}",
                    _count(found["false_alarms"]),
                    _count(found["mtfa_events"]),
                    _count(found["mtd_events"]),
                    *_quality(found),
                ]
            )
    headers = (
        "series",
        "method",
        "NAB score",
        "missed",
        "false",
        "events between false",
        "mean delay",
        *_QUALITY,
    )
    return Table("NAB", headers, rows, left=2)


def nab_series(results: Mapping[str, Any]) -> Table:
    """Series by series: missed and false of each method."""
    rows = []
    for series, methods in results["series"].items():
        first = methods[METHODS[0]]
        told = (
            f"{methods[name]['missed']} / {_count(methods[name]['false_alarms'])}"
            for name in METHODS
        )
        rows.append([f"`{series}`", _count(first["events"]), str(first["windows"]), *told])
    headers = ("series", "events", "windows", *(f"`{name}`" for name in METHODS))
    return Table("NAB: missed windows / false alarms", headers, rows)


def errors(results: Mapping[str, Any]) -> Table:
    """The streams of the OPTWIN paper: a row per stream and method."""
    rows = []
    for one in results["streams"]:
        for name in METHODS:
            found = one["methods"].get(name)
            if found is None:
                continue
            rows.append(
                [
                    one["stream"],
                    f"`{name}`",
                    _count(found["mtd_events"]),
                    _percent(found["missed"], found["windows"]),
                    f"{found['false_alarms'] / found['windows']:.2f}",
                    *_quality(found),
                ]
            )
    headers = ("stream", "method", "mean delay", "missed", "false per run", *_QUALITY)
    return Table(f"OPTWIN's streams, {results['runs']} runs", headers, rows, left=2)


def delays(results: Mapping[str, Any]) -> Table:
    """The drawn sensors: median delay and share missed, a row per stream and change."""
    rows = []
    for one in results["streams"]:
        told = []
        for name in METHODS:
            waited = one["methods"][name]["delays"]
            found = [delay for delay in waited if delay is not None]
            middle = f"{median(found):.0f}" if found else "-"
            told.append(f"{middle} ({_percent(len(waited) - len(found), len(waited))})")
        rows.append([one["stream"], one["change"], *told])
    headers = ("stream", "change", *(f"`{name}`" for name in METHODS))
    title = f"Median delay (missed within {results['in_time']:,}), {results['runs']} runs"
    return Table(title, headers, rows, left=2)


def false_alarms(results: Mapping[str, Any]) -> Table:
    """The drawn sensors before they change: alarms per 10,000 events, a row per stream."""
    rows = [
        [stream, *(f"{10_000 * sums['false_alarms'] / sums['outside']:.2f}" for sums in by_method)]
        for stream, by_method in _by_stream(results)
    ]
    headers = ("stream", *(f"`{name}`" for name in METHODS))
    return Table("False alarms per 10,000 events", headers, rows)


def f1(results: Mapping[str, Any]) -> Table:
    """The drawn sensors, all changes together: F1, and that of as many alarms evenly spaced."""
    rows = []
    for stream, by_method in _by_stream(results):
        told = []
        for sums in by_method:
            own = _f1(sums["hits"], sums["false_alarms"], sums["windows"])
            dummy = _f1(
                sums["evenly_spaced_hits"], sums["evenly_spaced_false_alarms"], sums["windows"]
            )
            told.append(f"{share(own)} ({share(dummy)})")
        rows.append([stream, *told])
    headers = ("stream", *(f"`{name}`" for name in METHODS))
    return Table("F1 (that of as many alarms evenly spaced)", headers, rows)


def _by_stream(results: Mapping[str, Any]) -> list[tuple[str, list[Counter[str]]]]:
    """Sum the counts of each method over all changes of a stream."""
    sums: dict[str, dict[str, Counter[str]]] = {}
    for one in results["streams"]:
        by_method = sums.setdefault(one["stream"], {name: Counter() for name in METHODS})
        for name, counted in by_method.items():
            counted.update({key: one["methods"][name][key] for key in _COUNTS})
    return [(stream, list(by_method.values())) for stream, by_method in sums.items()]


def _f1(hits: int, false: int, windows: int) -> float:
    return 2 * hits / (hits + false + windows)


def _quality(found: Mapping[str, Any]) -> list[str]:
    told = [share(found[name]) for name in ("precision", "recall", "f1")]
    return [*told, verdict(found["beats_evenly_spaced"], found["evenly_spaced_f1"])]


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
