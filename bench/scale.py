"""One worker against two, each held to half a core: twice the workers, twice the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.contenders import DRIFTLINE
from bench.figures import Spread
from bench.group import Backlog, catch_up
from bench.harness import Load, kafka
from bench.progress import display
from streams.cli.output import say, table

WORKERS = (1, 2)


def measured(load: Load, rounds: int) -> list[Backlog]:
    """Measure one worker and two, `rounds` times over."""
    runs = []
    with display(len(WORKERS) * rounds) as shown:
        shown.begins("preparing")
        DRIFTLINE.prepare(shown.tell)
        with kafka() as server:
            for number in range(1, rounds + 1):
                for count in WORKERS:
                    shown.begins(f"round {number}: workers: {count}")
                    run = catch_up(server, count, load, half_core=True, number=number)
                    runs.append(run)
                    shown.ends(
                        f"round {number}: workers: {count}: {run.rate:,.0f} events/s, "
                        f"{run.cpu_seconds / run.seconds:.2f} cores used"
                    )
    return runs


def gain(runs: Sequence[Backlog]) -> Spread:
    """Return how many times the events per second of one worker two get through, round by round."""
    alone = {run.round: run.rate for run in runs if run.workers == 1}
    return Spread.of(run.rate / alone[run.round] for run in runs if run.workers == 2)


def summary(runs: Sequence[Backlog]) -> dict[str, Any]:
    """Return the events per second by the number of workers, and their ratio."""
    rates = {
        str(count): asdict(Spread.of(run.rate for run in runs if run.workers == count))
        for count in WORKERS
    }
    return {"events_per_second": rates, "times_one_worker": asdict(gain(runs))}


def show(runs: Sequence[Backlog]) -> None:
    """Print one row for each number of workers."""
    rows = []
    for count in WORKERS:
        mine = [run for run in runs if run.workers == count]
        rows.append(
            [
                count,
                Spread.of(run.rate for run in mine).text(",.0f"),
                Spread.of(run.cpu_seconds / run.seconds for run in mine).text(".2f"),
                Spread.of(run.broker_cpu_seconds / run.seconds for run in mine).text(".2f"),
                "1" if count == 1 else gain(runs).text(".2f"),
            ]
        )
    table(
        ["workers at half a core", "events/s", "cores used", "of the broker", "times one worker"],
        rows,
    )
    load = runs[0].load
    say(
        f"{load.events:,} events of {load.sensors:,} sensors in {load.partitions} partitions, "
        f"{runs[-1].round} rounds: median (lowest to highest)"
    )
