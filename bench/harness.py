"""One run of one contender, so that nothing but the measured events is in its figures.

Other events of the same sensors come first: they pay for imports, compilation, the first sight of
each sensor and the warm-up of its detectors. Once they are processed the program is held (SIGSTOP)
while the measured events are written; from the moment that it is let go until the last of them is
processed, the CPU time of the whole process and the time on the clock are its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.contenders import Contender, Place
from bench.events import readings
from tests.brokers import KafkaServer, admin, produce, read_topic

FEWEST_WARM_UP = 10_000
PER_SENSOR_WARM_UP = 120
"""A worker's detectors begin after 100 events of a sensor."""

SETTLED_SECONDS = 1.0


@dataclass(frozen=True)
class Load:
    """What a contender has to do in a run.

    Attributes
    ----------
    events
        Measured events.
    sensors, partitions
        Over which they are spread evenly.
    """

    events: int
    sensors: int = 1000
    partitions: int = 8

    @property
    def warm_up(self) -> int:
        """Events that come before the measured ones: all detectors of all sensors are at work."""
        return max(FEWEST_WARM_UP, PER_SENSOR_WARM_UP * self.sensors)


@dataclass(frozen=True)
class Run:
    """What one run took.

    Attributes
    ----------
    contender
        Its name.
    round
        Runs of the same round stand next to each other in time.
    load
        What it had to do.
    seconds
        Until the last event was processed.
    cpu_seconds
        Of the whole process in that time.
    rss_mib
        Resident memory at the end.
    alerts
        What it found, in the warm-up too.
    load_average
        Of the machine over the last minute, before the run.
    """

    contender: str
    round: int
    load: Load
    seconds: float
    cpu_seconds: float
    rss_mib: float
    alerts: int
    load_average: float

    @property
    def microseconds(self) -> float:
        """CPU time per event."""
        return self.cpu_seconds / self.load.events * 1e6

    @property
    def rate(self) -> float:
        """Events per second on the clock."""
        return self.load.events / self.seconds

    def as_json(self) -> dict[str, Any]:
        """Return everything, for the raw results."""
        return asdict(self)


@contextmanager
def kafka() -> Iterator[KafkaServer]:
    """Start a real Kafka of this measurement's own, which ends with it."""
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as scratch:
        server = KafkaServer(Path(scratch) / "kafka").start()
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def place(server: KafkaServer, prefix: str, partitions: int) -> Iterator[Place]:
    """Give a run topics and a directory of its own, both deleted after it."""
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as scratch:
        yield Place(server, prefix, partitions, Path(scratch))
    client = admin(server.bootstrap_servers)
    mine = [name for name in client.list_topics(timeout=30.0).topics if name.startswith(prefix)]
    for deleted in client.delete_topics(mine).values():
        deleted.result()


def measure(server: KafkaServer, contender: Contender, load: Load, number: int = 0) -> Run:
    """Run one contender once.

    Parameters
    ----------
    server
        A broker with nothing else to do.
    contender
        Prepared.
    load
        What it has to do.
    number
        Of the round.

    Raises
    ------
    BenchError
        If it ends, or does not process all events.
    """
    average = os.getloadavg()[0]
    prefix = f"{contender.name}-{time.time_ns()}"
    with place(server, prefix, load.partitions) as here:
        contender.create_topics(here)
        produce(server.bootstrap_servers, here.sensors, readings(load.warm_up, load.sensors))
        everything = load.warm_up + load.events
        running = contender.start(here, (load.warm_up, everything))
        program = running.program
        try:
            running.wait(load.warm_up)
            program.hold()
            measured = readings(load.events, load.sensors, load.warm_up)
            produce(server.bootstrap_servers, here.sensors, measured)
            cpu, started = program.cpu_seconds(), time.perf_counter()
            program.go()
            running.wait(everything)
            seconds = time.perf_counter() - started
            cpu = program.cpu_seconds() - cpu
            rss = program.rss_bytes()
            alerts = _settled(here)
        finally:
            program.end()
    return Run(contender.name, number, load, seconds, cpu, rss / 2**20, alerts, average)


def _settled(here: Place) -> int:
    """Return the number of alerts, once no more of them come."""
    alerts = -1
    while (found := len(read_topic(here.server.bootstrap_servers, here.alerts))) != alerts:
        alerts = found
        time.sleep(SETTLED_SECONDS)
    return alerts


def rounds(
    contenders: Sequence[tuple[Contender, Load]],
    count: int,
    on_run: Callable[[Run], None],
    on_start: Callable[[Contender, Load, int], None],
) -> list[Run]:
    """Measure all contenders in turn, `count` times over, on one broker.

    Parameters
    ----------
    contenders
        Prepared, each with what it has to do.
    count
        Number of rounds.
    on_run, on_start
        Told of each run before and after.
    """
    runs = []
    with kafka() as server:
        for number in range(1, count + 1):
            for contender, load in contenders:
                on_start(contender, load, number)
                run = measure(server, contender, load, number)
                on_run(run)
                runs.append(run)
    return runs
