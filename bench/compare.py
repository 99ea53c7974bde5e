"""Driftline's worker and its peers on the same events from the same broker, round after round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import results
from bench.contenders import CONTENDERS, DRIFTLINE, LOOP, Contender
from bench.figures import Spread, of_contender, times_less
from bench.harness import Load, Run, rounds
from bench.progress import display
from streams.cli.output import say, table


def loads(
    names: Sequence[str], events: int, slow_events: int, sensors: int, partitions: int
) -> list[tuple[Contender, Load]]:
    """Return the contenders of these names, each with what it has to do."""
    chosen = [CONTENDERS[name] for name in names]
    return [
        (contender, Load(slow_events if contender.slow else events, sensors, partitions))
        for contender in chosen
    ]


def measured(work: Sequence[tuple[Contender, Load]], count: int) -> list[Run]:
    """Measure `count` rounds."""
    with display(len(work) * count) as shown:
        for contender, _ in work:
            shown.begins(f"preparing {contender.title}")
            contender.prepare(shown.tell)

        def begins(contender: Contender, _: Load, number: int) -> None:
            shown.begins(f"round {number}: {contender.title}")

        def ends(run: Run) -> None:
            shown.ends(
                f"round {run.round}: {run.contender}: {run.microseconds:.2f} us of CPU per event, "
                f"{run.load.events:,} events in {run.seconds:.1f} s"
            )

        return rounds(work, count, ends, begins)


def ratios(runs: Sequence[Run], name: str) -> Spread | None:
    """Return how many times less CPU than the hand-written loop; None if either was not run."""
    if not of_contender(runs, LOOP.name) or not of_contender(runs, name):
        return None
    return Spread.of(times_less(runs, name, LOOP.name))


def summary(runs: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """Return the figures of each contender, by its name."""
    found = {}
    for name in dict.fromkeys(run.contender for run in runs):
        mine = of_contender(runs, name)
        ratio = ratios(runs, name)
        found[name] = {
            "events": mine[0].load.events,
            "cpu_us_per_event": asdict(Spread.of(run.microseconds for run in mine)),
            "seconds": asdict(Spread.of(run.seconds for run in mine)),
            "rss_mib": asdict(Spread.of(run.rss_mib for run in mine)),
            "alerts": asdict(Spread.of(float(run.alerts) for run in mine)),
            "times_less_cpu_than_hand_written": None if ratio is None else asdict(ratio),
        }
    return found


def show(runs: Sequence[Run]) -> None:
    """Print one row for each contender."""
    rows = []
    for name in dict.fromkeys(run.contender for run in runs):
        mine = of_contender(runs, name)
        cost = Spread.of(run.microseconds for run in mine)
        ratio = ratios(runs, name)
        rows.append(
            [
                CONTENDERS[name].title,
                f"{mine[0].load.events:,}",
                cost.text(".2f"),
                f"{1e6 / cost.median:,.0f}",
                "-" if ratio is None else ratio.text(".2f"),
                Spread.of(run.seconds for run in mine).text(".1f"),
                Spread.of(run.rss_mib for run in mine).text(".0f"),
                Spread.of(float(run.alerts) for run in mine).text(".0f"),
            ]
        )
    load = runs[0].load
    table(
        [
            "contender",
            "events",
            "us of CPU per event",
            "events/s and core",
            "times the loop",
            "seconds",
            "MiB resident",
            "alerts",
        ],
        rows,
    )
    say(
        f"{load.sensors:,} sensors, {load.partitions} partitions, "
        f"{max(run.round for run in runs)} rounds: median (lowest to highest); "
        "stationary events, so every alert is a false one"
    )


def plot(runs: Sequence[Run], path: Path) -> None:
    """Draw one bar for each contender."""
    from bench import plots

    costs, notes = {}, []
    for name in dict.fromkeys(run.contender for run in runs):
        cost = Spread.of(run.microseconds for run in of_contender(runs, name))
        ratio = ratios(runs, name)
        costs[CONTENDERS[name].title] = cost
        notes.append(
            f"{cost.median:.1f} us" + ("" if ratio is None else f", {ratio.median:.2f} x the loop")
        )
    plots.bars(path, costs, DRIFTLINE.title, notes)


def write(runs: Sequence[Run], path: Path, asked: dict[str, Any]) -> None:
    """Write the raw results."""
    results.write(path, asked, (run.as_json() for run in runs), summary(runs))
