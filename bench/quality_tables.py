"""The tables of docs/quality.md, from the raw results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table as RichTable

from bench.quality_nab import PROFILES
from streams.cli.scores import share, verdict
from streams.comparison import METHODS

_QUALITY = ("precision", "recall", "F1", "beats evenly spaced")


@dataclass(frozen=True)
class Table:
    """A table of text: the first `left` columns are names, the last `prose` are sentences."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    prose: int = 0

    def rich(self) -> RichTable:
        """Return it for a terminal."""
        made = RichTable(title=self.title, title_justify="left")
        for place, header in enumerate(self.headers):
            side = "right" if self._is_number(place) else "left"
            wraps = place >= len(self.headers) - self.prose
            made.add_column(header, justify=side, no_wrap=not wraps)  # type: ignore[arg-type]
        for row in self.rows:
            made.add_row(*row)
        return made

    def markdown(self) -> str:
        """Return it for a page."""
        places = range(len(self.headers))
        rule = ["---:" if self._is_number(place) else "---" for place in places]
        lines = [self.headers, rule, *self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

    def _is_number(self, place: int) -> bool:
        return self.left <= place < len(self.headers) - self.prose


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
                    *(_count(found["nab"][profile]) for profile in PROFILES),
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
        *(f"NAB {profile}" for profile in PROFILES),
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


def _quality(found: Mapping[str, Any]) -> list[str]:
    told = [share(found[name]) for name in ("precision", "recall", "f1")]
    return [*told, verdict(found["beats_evenly_spaced"], found["evenly_spaced_f1"])]


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
