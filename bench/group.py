"""Workers of one group on a backlog: how many events a second they get through on the clock."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from bench.contenders import DRIFTLINE, PATIENCE_SECONDS, Place, RunningDriftline
from bench.events import readings
from bench.harness import Load, place
from bench.limits import half_a_core
from bench.program import BenchError, cpu_seconds
from tests.brokers import KafkaServer, produce

_LOOK_SECONDS = 0.25
"""To be asked takes a worker a few milliseconds."""
STEADY = (0.1, 0.8)
"""Shares of the backlog between which a rate is taken: all are at work then, and none has ended."""


@dataclass(frozen=True)
class Backlog:
    """How workers got through a backlog.

    Attributes
    ----------
    workers
        How many.
    round
        Runs of the same round stand next to each other in time.
    load
        The backlog.
    events
        That were processed in the steady state.
    seconds
        That they took.
    cpu_seconds
        Of all workers in that time.
    broker_cpu_seconds
        Of the broker in that time.
    load_average
        Of the machine over the last minute, before the run.
    """

    workers: int
    round: int
    load: Load
    events: float
    seconds: float
    cpu_seconds: float
    broker_cpu_seconds: float
    load_average: float

    @property
    def rate(self) -> float:
        """Events per second on the clock, of all workers."""
        return self.events / self.seconds


def start_group(stack: ExitStack, here: Place, count: int) -> list[RunningDriftline]:
    """Start workers, ended with `stack`, that share the partitions evenly and are past warm-up."""
    workers = []
    for _ in range(count):
        worker = DRIFTLINE.start(here)
        stack.callback(worker.program.end)
        workers.append(worker)
    share = here.partitions // count
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(worker.ready() and worker.metric("partitions") == share for worker in workers):
        if time.monotonic() > deadline:
            raise BenchError(f"{count} workers do not share {here.partitions} partitions evenly")
        time.sleep(0.2)
    return workers


def catch_up(
    server: KafkaServer, count: int, load: Load, *, half_core: bool, number: int = 0
) -> Backlog:
    """Let `count` workers get through a backlog.

    Parameters
    ----------
    server
        A broker with nothing else to do.
    count
        Workers; the partitions can be shared evenly among them.
    load
        The backlog.
    half_core
        Whether each worker is held to half a core.
    number
        Of the round.
    """
    average = os.getloadavg()[0]
    bootstrap = server.bootstrap_servers
    with ExitStack() as stack:
        here = stack.enter_context(place(server, f"group-{time.time_ns()}", load.partitions))
        DRIFTLINE.create_topics(here)
        workers = start_group(stack, here, count)
        produce(bootstrap, here.sensors, readings(load.warm_up, load.sensors))
        workers[0].wait(load.warm_up)
        before = _processed(workers)
        for worker in workers:
            worker.program.hold()
        produce(bootstrap, here.sensors, readings(load.events, load.sensors, load.warm_up))
        for worker in workers:
            worker.program.go()
            if half_core:
                stack.enter_context(half_a_core(worker.program))
        looks = [_look(server, workers)]
        while looks[-1].processed < before + STEADY[1] * load.events:
            time.sleep(_LOOK_SECONDS)
            looks.append(_look(server, workers))
        *earlier, last = looks
        begun = [look for look in earlier if look.processed <= before + STEADY[0] * load.events]
        if not begun:
            raise BenchError(f"a backlog of {load.events:,} events is over too soon: ask for more")
        first = begun[-1]
    return Backlog(
        workers=count,
        round=number,
        load=load,
        events=last.processed - first.processed,
        seconds=last.at - first.at,
        cpu_seconds=last.cpu - first.cpu,
        broker_cpu_seconds=last.broker_cpu - first.broker_cpu,
        load_average=average,
    )


class _Look(NamedTuple):
    at: float
    processed: float
    cpu: float
    broker_cpu: float


def _look(server: KafkaServer, workers: Sequence[RunningDriftline]) -> _Look:
    assert server.pid is not None
    for worker in workers:
        worker.program.check()
    return _Look(time.perf_counter(), _processed(workers), _cpu(workers), cpu_seconds(server.pid))


def _processed(workers: Sequence[RunningDriftline]) -> float:
    return sum(worker.metric("events_total") for worker in workers)


def _cpu(workers: Sequence[RunningDriftline]) -> float:
    return sum(worker.program.cpu_seconds() for worker in workers)
