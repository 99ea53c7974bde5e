"""How long an alert takes from its event to a read_committed subscriber, at half the full load."""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from bench.contenders import DRIFTLINE, PATIENCE_SECONDS, Driftline, Place, RunningDriftline
from bench.figures import Spread
from bench.harness import Load, kafka, place
from bench.program import BenchError, Program
from bench.progress import display
from schemas.timestamps import parse_timestamp
from streams.cli.output import say, table
from tests.brokers import KafkaServer

INTERVALS = (1.0, 0.1)
SHARE = 0.5
_LOOK_SECONDS = 0.05
_AS_FAST_AS_CAN_BE = 1e9


@dataclass(frozen=True)
class Latency:
    """What the subscriber saw in one run.

    Attributes
    ----------
    interval
        ``checkpoint.interval``, in seconds.
    round
        Runs of the same round stand next to each other in time.
    asked, sent
        Events per second that were to be sent, and that were.
    late
        The longest that the sender was behind its plan, in seconds.
    seconds
        From each event that raised an alert to the moment when the alert could be read.
    cores
        CPU time of the worker per second of the load.
    load_average
        Of the machine over the last minute, before the run.
    """

    interval: float
    round: int
    asked: float
    sent: float
    late: float
    cores: float
    seconds: Sequence[float]
    load_average: float

    def percentile(self, percent: int) -> float:
        """Return the latency that so many percent of the alerts do not exceed."""
        return percentile(self.seconds, percent)


def percentile(figures: Sequence[float], percent: int) -> float:
    """Return the smallest figure that at least `percent` percent of them do not exceed."""
    ordered = sorted(figures)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def measured(load: Load, seconds: float, rounds: int) -> list[Latency]:
    """Measure the full load of each interval, then each once in each of `rounds` rounds.

    Parameters
    ----------
    load
        Of the measurement of the full load; its sensors and partitions are those of all runs.
    seconds
        How long the steady load lasts in a run.
    rounds
        How many.
    """
    runs = []
    with display(len(INTERVALS) * (1 + rounds)) as shown:
        shown.begins("preparing")
        DRIFTLINE.prepare(shown.tell)
        with kafka() as server:
            full = {}
            for interval in INTERVALS:
                shown.begins(f"full load: checkpoint.interval {interval}")
                full[interval] = full_load(server, load, interval)
                shown.ends(
                    f"full load: checkpoint.interval {interval}: {full[interval]:,.0f} events/s"
                )
            for number in range(1, rounds + 1):
                for interval in INTERVALS:
                    shown.begins(f"round {number}: checkpoint.interval {interval}")
                    run = steady(server, load, full[interval] * SHARE, seconds, interval, number)
                    runs.append(run)
                    shown.ends(
                        f"round {number}: checkpoint.interval {interval}: "
                        f"p50 {run.percentile(50):.3f} s, p99 {run.percentile(99):.3f} s, "
                        f"{len(run.seconds)} alerts, {run.sent:,.0f} events/s"
                    )
    return runs


def full_load(server: KafkaServer, load: Load, interval: float) -> float:
    """Return the events per second that sender, broker and worker get through together."""
    with _at_work(server, load, _AS_FAST_AS_CAN_BE, interval) as (here, worker):
        before = worker.metric("events_total")
        with _sender(here, load.sensors, _AS_FAST_AS_CAN_BE, load.events, changes=False):
            started = time.perf_counter()
            while worker.metric("events_total") < before + load.events:
                worker.program.check()
                time.sleep(_LOOK_SECONDS)
            return load.events / (time.perf_counter() - started)


def steady(
    server: KafkaServer, load: Load, rate: float, seconds: float, interval: float, number: int
) -> Latency:
    """Run a worker under a steady load and watch its alerts."""
    average = os.getloadavg()[0]
    latencies: list[float] = []
    with (
        _at_work(server, load, rate, interval) as (here, worker),
        _subscriber(here) as subscriber,
    ):
        began = time.time()
        events = round(rate * seconds)
        with _sender(here, load.sensors, rate, events, changes=True) as sender:
            cpu = worker.program.cpu_seconds()
            while (report := sender.line(0.0)) is None:
                worker.program.check()
                latencies += _arrived(subscriber, began)
            cpu = worker.program.cpu_seconds() - cpu
        told = json.loads(report)
        deadline = time.monotonic() + 2 * interval + 1.0
        while time.monotonic() < deadline:
            latencies += _arrived(subscriber, began)
    if not latencies:
        raise BenchError("no sensor that changed was found")
    return Latency(
        interval=interval,
        round=number,
        asked=rate,
        sent=told["sent"] / told["seconds"],
        late=told["late"],
        cores=cpu / told["seconds"],
        seconds=latencies,
        load_average=average,
    )


@contextmanager
def _at_work(
    server: KafkaServer, load: Load, rate: float, interval: float
) -> Iterator[tuple[Place, RunningDriftline]]:
    """Start a worker whose sensors are past their warm-up, and have sent at that rate so far.

    A sampling rate that changes with the beginning of the load would be a fault of every sensor.
    """
    contender = Driftline(settings={"checkpoint.interval": interval})
    with place(server, f"latency-{time.time_ns()}", load.partitions) as here:
        contender.create_topics(here)
        worker = contender.start(here)
        try:
            with _sender(here, load.sensors, rate, load.warm_up, changes=False) as sender:
                told = sender.line(PATIENCE_SECONDS)
            if told is None:
                raise BenchError("the warm-up does not end")
            worker.wait(json.loads(told)["sent"])
            yield here, worker
        finally:
            worker.program.end()


@contextmanager
def _sender(
    here: Place, sensors: int, rate: float, events: int, *, changes: bool
) -> Iterator[Program]:
    """Start the load, and go on once it begins."""
    command = [sys.executable, "-m", "bench.load", here.server.bootstrap_servers, here.sensors]
    command += [str(rate), str(events / rate), str(sensors), str(int(changes))]
    sender = Program("load", command, here.directory)
    try:
        if sender.line(PATIENCE_SECONDS) != "begins":
            raise BenchError("the load does not begin")
        yield sender
    finally:
        sender.end()


@contextmanager
def _subscriber(here: Place) -> Iterator[Consumer]:
    """Make a subscriber as librdkafka makes one, at the end of the alerts."""
    subscriber = Consumer(
        {
            "bootstrap.servers": here.server.bootstrap_servers,
            "group.id": f"{here.prefix}-subscriber",
            "fetch.wait.max.ms": 10,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    subscriber.assign([TopicPartition(here.alerts, n, OFFSET_END) for n in range(here.partitions)])
    try:
        yield subscriber
    finally:
        subscriber.close()


def _arrived(subscriber: Consumer, began: float) -> list[float]:
    """Return the latencies of the alerts that can be read now, those of older events left out."""
    message = subscriber.poll(0.01)
    now = time.time()
    if message is None:
        return []
    if message.error() is not None:
        raise BenchError(f"the subscriber: {message.error()}")
    # A worker writes into its alert the time of the event that raised it.
    event = parse_timestamp(orjson.loads(message.value())["ts"]) / 1e6
    return [now - event] if event >= began else []


def summary(runs: Sequence[Latency]) -> dict[str, Any]:
    """Return p50 and p99 by interval."""
    return {
        str(interval): {
            f"p{percent}": asdict(
                Spread.of(run.percentile(percent) for run in runs if run.interval == interval)
            )
            for percent in (50, 99)
        }
        for interval in INTERVALS
    }


def show(runs: Sequence[Latency]) -> None:
    """Print one row for each interval."""
    rows = []
    for interval in INTERVALS:
        mine = [run for run in runs if run.interval == interval]
        rows.append(
            [
                interval,
                Spread.of(run.percentile(50) for run in mine).text(".3f"),
                Spread.of(run.percentile(99) for run in mine).text(".3f"),
                f"{statistics.median(len(run.seconds) for run in mine):,.0f}",
                f"{mine[0].asked:,.0f}",
                Spread.of(run.sent for run in mine).text(",.0f"),
                Spread.of(run.cores for run in mine).text(".2f"),
            ]
        )
    table(
        [
            "checkpoint.interval, s",
            "p50, s",
            "p99, s",
            "alerts",
            "half the full load, events/s",
            "sent, events/s",
            "cores used",
        ],
        rows,
    )
    say(
        f"from an event to its alert at a read_committed subscriber, {runs[-1].round} rounds: "
        "median (lowest to highest)"
    )
