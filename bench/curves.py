"""What an event costs a worker as there are more sensors, and as there are more partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.contenders import DRIFTLINE, Contender
from bench.figures import Spread
from bench.harness import Load, Run, rounds
from bench.progress import display
from streams.cli.output import say, table

SENSORS = (10, 100, 1_000, 10_000, 100_000)
PARTITIONS = (1, 4, 16, 64)
USUAL = Load(1)


def loads(events: int) -> list[Load]:
    """Return the points of both curves."""
    over_sensors = [Load(events, sensors=number) for number in SENSORS]
    over_partitions = [Load(events, partitions=number) for number in PARTITIONS]
    return over_sensors + over_partitions


def measured(events: int, count: int) -> list[Run]:
    """Measure every point once in each of `count` rounds."""
    work = [(DRIFTLINE, load) for load in loads(events)]
    with display(len(work) * count) as shown:
        shown.begins("preparing")
        DRIFTLINE.prepare(shown.tell)

        def begins(_: Contender, load: Load, number: int) -> None:
            shown.begins(f"round {number}: {_named(load)}")

        def ends(run: Run) -> None:
            shown.ends(
                f"round {run.round}: {_named(run.load)}: {run.microseconds:.2f} us of CPU per event"
            )

        return rounds(work, count, ends, begins)


def over(runs: Sequence[Run]) -> Mapping[str, Mapping[int, Spread]]:
    """Return the microseconds per event over sensors, and over partitions."""
    by_load = {
        load: Spread.of(run.microseconds for run in runs if run.load == load)
        for load in dict.fromkeys(run.load for run in runs)
    }
    return {
        f"sensors, in {USUAL.partitions} partitions": {
            load.sensors: cost
            for load, cost in by_load.items()
            if load.partitions == USUAL.partitions
        },
        f"partitions, of {USUAL.sensors:,} sensors": {
            load.partitions: cost
            for load, cost in sorted(by_load.items(), key=lambda item: item[0].partitions)
            if load.sensors == USUAL.sensors
        },
    }


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Return both curves."""
    return {
        quantity: {str(value): asdict(cost) for value, cost in curve.items()}
        for quantity, curve in over(runs).items()
    }


def show(runs: Sequence[Run]) -> None:
    """Print one row for each point."""
    rows = []
    for load in dict.fromkeys(run.load for run in runs):
        mine = [run for run in runs if run.load == load]
        rows.append(
            [
                f"{load.sensors:,}",
                load.partitions,
                Spread.of(run.microseconds for run in mine).text(".2f"),
                Spread.of(run.rss_mib for run in mine).text(".0f"),
            ]
        )
    table(["sensors", "partitions", "us of CPU per event", "MiB resident"], rows)
    say(
        f"{runs[0].load.events:,} events a run, {runs[-1].round} rounds: median (lowest to highest)"
    )


def plot(runs: Sequence[Run], path: Path) -> None:
    """Draw both curves."""
    from bench import plots

    plots.curves(path, over(runs))


def _named(load: Load) -> str:
    return f"{load.sensors:,} sensors in {load.partitions} partitions"
