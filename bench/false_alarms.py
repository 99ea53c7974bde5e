"""How often a sensor's pipeline alarms for nothing, how soon and where it finds a change.

Draws stationary streams, and streams that change, and runs each through the whole pipeline of a
worker with the built-in settings. Exits with 1 if, with a confidence of 95 %, the false alarms of a
stream may exceed the budget.

    python -m bench.false_alarms [--only stationary] [--stream NAME]... [--alone]

The tables of docs/detection-quality.md are written by ``python -m bench.quality``: the same ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import detection_tables
from bench.detection import measure_changes, measure_false_alarms, named
from bench.drawn import STREAMS
from bench.parallel import ended
from bench.quality_tables import Table

BUDGET = 0.5
"""Drifts per 10,000 stationary events of a sensor."""

SENSORS, EVENTS, RUNS, SEED = 40, 10_000, 20, 1
STATIONARY, CHANGES = "stationary", "changes"


def tables(results: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tables by the names of their places in the page."""
    made: dict[str, Table] = {}
    if results.get(STATIONARY):
        made["stationary"] = detection_tables.false_alarms(results[STATIONARY], BUDGET)
    if results.get(CHANGES):
        made["power"] = detection_tables.delays(results[CHANGES])
        made["power-f1"] = detection_tables.f1(results[CHANGES])
        made["change-points"] = detection_tables.change_points(results[CHANGES])
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        "python -m bench.false_alarms", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", choices=(STATIONARY, CHANGES), help="one of both parts")
    parser.add_argument(
        "--stream",
        action="append",
        default=[],
        metavar="NAME",
        choices=[stream.name for stream in STREAMS],
        help="one of them; may be repeated: " + "; ".join(stream.name for stream in STREAMS),
    )
    parser.add_argument("--alone", action="store_true", help="leave River's detectors out")
    parser.add_argument("--sensors", type=int, default=SENSORS, help="of each stationary stream")
    parser.add_argument("--events", type=int, default=EVENTS, help="of each of these sensors")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each change of each stream")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw results")
    options = parser.parse_args(arguments)
    for name in ("sensors", "events", "runs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: expected an integer from 1")
    streams = named(options.stream)
    results: dict[str, Any] = {"seed": options.seed}
    if options.only != CHANGES:
        results[STATIONARY] = measure_false_alarms(
            streams, options.sensors, options.events, options.seed
        )
    if options.only != STATIONARY:
        results[CHANGES] = measure_changes(streams, options.runs, options.seed, alone=options.alone)
    made = tables(results)
    for table in made.values():
        Console(width=None if sys.stdout.isatty() else 200).print(table.rich())
    if options.json is not None:
        options.json.write_text(json.dumps(results, separators=(",", ":")) + "\n", "utf-8")
    beyond = [
        row["stream"] for row in results.get(STATIONARY, ()) if row["at_most_per_10000"] > BUDGET
    ]
    for name in beyond:
        print(f"{name}: may exceed {BUDGET} drifts per 10,000 events", file=sys.stderr)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(ended(main))
