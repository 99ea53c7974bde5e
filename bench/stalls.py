"""For how long a worker processes nothing while it writes checkpoints of very many sensors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from bench.contenders import DRIFTLINE, Driftline, Place
from bench.events import readings
from bench.figures import Spread
from bench.harness import kafka, place
from bench.progress import display
from bench.timed_worker import SLICES
from streams.cli.output import say, table
from tests.brokers import produce

ROUNDS_BEFORE = 2
"""Events of each sensor that come before the measured ones."""
_TIMED = Driftline(
    module="bench.timed_worker", settings={"log.level": "debug", "log.format": "json"}
)


@dataclass(frozen=True)
class Stall:
    """One run.

    Attributes
    ----------
    round
        Its number.
    events, seconds
        That were measured, and what they took on the clock.
    longest_gap, longest_cpu_gap
        Seconds between two slices that were processed one after the other, at most: on the clock,
        and of CPU time, which other programs on the machine do not add to.
    rows
        Of the checkpoints meanwhile, one number for each of a partition.
    checkpoint_seconds
        What the slowest of them took.
    """

    round: int
    events: int
    seconds: float
    longest_gap: float
    longest_cpu_gap: float
    rows: Sequence[int]
    checkpoint_seconds: float


def measured(sensors: int, events: int, partitions: int, rounds: int) -> list[Stall]:
    """Let a worker take events of all sensors in turn, so that each checkpoint holds all."""
    with display(rounds) as shown:
        shown.begins("preparing")
        DRIFTLINE.prepare(shown.tell)
        stalls = []
        with kafka() as server:
            for number in range(1, rounds + 1):
                shown.begins(f"round {number}")
                with place(server, f"stalls-{number}", partitions) as here:
                    stall = stalled(here, sensors, events, number)
                stalls.append(stall)
                shown.ends(f"round {number}: nothing for {stall.longest_gap:.2f} s at most")
    return stalls


def stalled(here: Place, sensors: int, events: int, number: int) -> Stall:
    """Measure one run."""
    _TIMED.create_topics(here)
    before = ROUNDS_BEFORE * sensors
    servers = here.server.bootstrap_servers
    produce(servers, here.sensors, readings(before, sensors))
    worker = _TIMED.start(here)
    program = worker.program
    try:
        worker.wait(before)
        program.hold()
        produce(servers, here.sensors, readings(events, sensors, before))
        told = len(_checkpoints(program.log.read_text()))
        begin = time.perf_counter()
        program.go()
        worker.wait(before + events)
    finally:
        program.end()
    slices = json.loads((here.directory / SLICES).read_text())
    ends = [(at, cpu) for at, cpu in slices if at > begin]
    checkpoints = _checkpoints(program.log.read_text())[told:]
    return Stall(
        round=number,
        events=events,
        seconds=ends[-1][0] - begin,
        longest_gap=max(after - at for (at, _), (after, _) in pairwise(ends)),
        longest_cpu_gap=max(after - at for (_, at), (_, after) in pairwise(ends)),
        rows=[line["rows"] for line in checkpoints],
        checkpoint_seconds=max(line["seconds"] for line in checkpoints),
    )


def _checkpoints(log: str) -> list[dict[str, Any]]:
    return list(_lines(log, "checkpoint"))


def _lines(log: str, event: str) -> Iterator[dict[str, Any]]:
    for line in log.splitlines():
        if line.startswith("{") and line.endswith("}"):
            told = json.loads(line)
            if told["event"] == event:
                yield told


def summary(stalls: Sequence[Stall]) -> dict[str, Any]:
    """Return the longest gap and the size of a checkpoint."""
    return {
        "longest_gap": asdict(Spread.of(stall.longest_gap for stall in stalls)),
        "longest_cpu_gap": asdict(Spread.of(stall.longest_cpu_gap for stall in stalls)),
        "checkpoint_seconds": asdict(Spread.of(stall.checkpoint_seconds for stall in stalls)),
        "most_rows_of_a_partition": max(max(stall.rows) for stall in stalls),
    }


def show(stalls: Sequence[Stall]) -> None:
    """Print a row for each run."""
    table(
        [
            "round",
            "events/s",
            "longest gap",
            "its CPU",
            "slowest checkpoint",
            "most rows of a partition",
        ],
        [
            [
                str(stall.round),
                f"{stall.events / stall.seconds:,.0f}",
                f"{stall.longest_gap:.2f} s",
                f"{stall.longest_cpu_gap:.2f} s",
                f"{stall.checkpoint_seconds:.2f} s",
                f"{max(stall.rows):,}",
            ]
            for stall in stalls
        ],
    )
    gaps = Spread.of(stall.longest_gap for stall in stalls)
    cpu = Spread.of(stall.longest_cpu_gap for stall in stalls)
    say(f"longest time without a processed slice: {gaps.text('.2f')} s, of CPU {cpu.text('.2f')} s")
