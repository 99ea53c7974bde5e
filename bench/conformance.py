"""Our detectors beside River's and MOA's, index by index.

River is asked; of MOA stands in ``tests/moa/indices.json`` what it found, which a test of the lane
``moa`` holds against MOA.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from river import drift
from river.drift import binary

from bench.parallel import side_by_side
from bench.quality_tables import Table
from detectors import create
from tests.moa import recorded
from tests.moa.cases import CASES, SEEDS, Case

RIVER: Mapping[str, Any] = MappingProxyType(
    {
        "adwin": drift.ADWIN,
        "ddm": binary.DDM,
        "page-hinkley": drift.PageHinkley,
        "kswin": drift.KSWIN,
        "eddm": binary.EDDM,
        "hddm-a": binary.HDDMA,
        "hddm-w": binary.HDDMW,
    }
)
KSWIN = Case("kswin", "", {"seed": 1})
"""MOA has no such detector."""

SHORT = slice(900, 1150)
"""What KSWIN gets of a stream, around its first change: it takes a millisecond for each value."""

Results = dict[str, Any]


def measure(seeds: int = len(SEEDS)) -> list[Results]:
    """Run every case on every stream, drawn with so many seeds: a row per case."""
    # The longest first.
    tasks = [(case, seeds) for case in (KSWIN, *CASES)]
    kswin, *rows = side_by_side(row, tasks, "index by index")
    return [*rows, kswin]


def row(case: Case, seeds: int) -> Results:
    """Run a case on its streams, drawn with the first so many seeds."""
    river = RIVER.get(case.name)
    moas = recorded.read().get(case.label)
    made: Results = {
        "detector": case.name,
        "parameters": dict(case.params),
        "moa": case.moa or None,
        "why": case.why,
        "streams": len(case.streams) * seeds,
        "changes": 0,
        "same_as_river": None if river is None else 0,
        "same_as_moa": None if moas is None else 0,
        "moas_changes": None if moas is None else 0,
    }
    for name in case.streams:
        for place, seed in enumerate(SEEDS[:seeds]):
            values = case.stream(name, seed)
            if case == KSWIN:
                values = values[SHORT]
            ours = recorded.found_by(case, create(case.name, **case.params), values)
            made["changes"] += len(ours.changes)
            if river is not None:
                made["same_as_river"] += ours == recorded.found_by(
                    case, river(**case.params), values
                )
            if moas is not None:
                moa = moas[name][place]["moa"]
                made["same_as_moa"] += ours == moa
                made["moas_changes"] += len(moa.changes)
    return made


def table(rows: list[Results]) -> Table:
    """A row per case: on how many streams all changes and warnings are the same."""
    made = []
    for row in rows:
        told = " ".join(f"`{key}={value}`" for key, value in row["parameters"].items())
        made.append(
            [
                f"`{row['detector']}` {told}".strip(),
                f"`{row['moa']}`" if row["moa"] else "-",
                str(row["changes"]),
                _share(row["same_as_river"], row["streams"]),
                _share(row["same_as_moa"], row["streams"]),
                "-" if row["moas_changes"] is None else str(row["moas_changes"]),
                row["why"] or "-",
            ]
        )
    headers = (
        "detector",
        "MOA's",
        "changes",
        "same as River's",
        "same as MOA's",
        "MOA's changes",
        "what differs from MOA",
    )
    return Table("Index by index", headers, made, left=2, prose=1)


def _share(same: int | None, streams: int) -> str:
    return "-" if same is None else f"{same} of {streams}"
