"""What it takes a worker to have the state of many sensors again, beside merely reading it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.contenders import DRIFTLINE, PATIENCE_SECONDS, Driftline, Place
from bench.events import readings
from bench.figures import Spread
from bench.harness import PER_SENSOR_WARM_UP, kafka, place
from bench.program import BenchError, Program
from bench.progress import display
from streams.changelog import POSITION_KEY
from streams.cli.output import say, table
from tests.brokers import produce, read_topic

BLOCK = 1000
"""Sensors that send at the same time: each is in the state topic once or twice, as after
compaction, and not once for each checkpoint."""
_LOOK_SECONDS = 0.005
_Moment = tuple[float, float, int]
"""CPU seconds, seconds on the clock, bytes resident."""
_TELLS = Driftline(settings={"log.level": "info", "log.format": "json"})


@dataclass(frozen=True)
class Pair:
    """A worker that restores, and a bare consumer that reads the same topic.

    Attributes
    ----------
    round
        Number of the pair.
    seconds, cpu_seconds
        From the assignment of the partitions until all of them are restored.
    rss_before_mib, rss_mib
        Resident memory of the worker at the two ends of it.
    reader
        What `bench.state_reader` printed.
    load_average
        Of the machine over the last minute, before the pair.
    """

    round: int
    seconds: float
    cpu_seconds: float
    rss_before_mib: float
    rss_mib: float
    reader: dict[str, float]
    load_average: float

    @property
    def times_longer(self) -> float:
        """How many times longer than reading, on the clock."""
        return self.seconds / self.reader["seconds"]

    @property
    def times_cpu(self) -> float:
        """How many times the CPU time of reading."""
        return self.cpu_seconds / self.reader["cpu_seconds"]


@dataclass(frozen=True)
class Result:
    """All pairs.

    Attributes
    ----------
    sensors
        Whose state was restored.
    row_bytes
        Bytes of the last row of a sensor on the state topic, on average.
    pairs
        As they were measured.
    """

    sensors: int
    row_bytes: float
    pairs: Sequence[Pair]

    @property
    def memory_bytes(self) -> Spread:
        """Memory that a restored sensor takes."""
        return Spread.of(
            (pair.rss_mib - pair.rss_before_mib) * 2**20 / self.sensors for pair in self.pairs
        )


def measured(sensors: int, partitions: int, rounds: int) -> Result:
    """Fill the state topic, then restore from it and read it in turn."""
    with display(1 + rounds) as shown:
        shown.begins("preparing")
        DRIFTLINE.prepare(shown.tell)
        with kafka() as server, place(server, "restore", partitions) as here:
            shown.begins(f"filling the state of {sensors:,} sensors")
            size = fill(here, sensors)
            shown.ends(f"{sensors:,} sensors: {size:,.0f} bytes each on the state topic")
            pairs = []
            for number in range(1, rounds + 1):
                shown.begins(f"round {number}")
                pair = restored_and_read(here, sensors, number)
                pairs.append(pair)
                shown.ends(
                    f"round {number}: restored in {pair.seconds:.2f} s, "
                    f"read in {pair.reader['seconds']:.2f} s"
                )
    return Result(sensors, size, pairs)


def fill(here: Place, sensors: int) -> float:
    """Let a worker see the sensors, and return the bytes of a row on the state topic.

    A second one restores them, unmeasured: whatever is done at the first restore only, is done.
    """
    DRIFTLINE.create_topics(here)
    worker = DRIFTLINE.start(here)
    try:
        count = produce(here.server.bootstrap_servers, here.sensors, _in_blocks(sensors))
        worker.wait(count)
    finally:
        worker.program.end()
    _restored_once(here, sensors)
    return state_bytes(here)[1] / sensors


def state_bytes(here: Place) -> tuple[int, int]:
    """Return how many rows the state topic holds, and their bytes, as after compaction."""
    rows: dict[bytes, int] = {}
    for message in read_topic(here.server.bootstrap_servers, _state(here), seconds=600.0):
        key, value = message.key(), message.value()
        if value is None:
            rows.pop(key, None)
        elif key != POSITION_KEY:
            rows[key] = len(value)
    return len(rows), sum(rows.values())


def _in_blocks(sensors: int) -> Iterator[tuple[bytes, bytes]]:
    first = 0
    for block in range(0, sensors, BLOCK):
        size = min(BLOCK, sensors - block)
        yield from readings(PER_SENSOR_WARM_UP * size, size, first, block)
        first += PER_SENSOR_WARM_UP * size


def restored_and_read(here: Place, sensors: int, number: int) -> Pair:
    """Measure one pair."""
    average = os.getloadavg()[0]
    (cpu, at, before), (cpu_after, at_after, after) = _restored_once(here, sensors)
    command = [sys.executable, "-m", "bench.state_reader", here.server.bootstrap_servers]
    reader = Program("reader", [*command, _state(here), str(here.partitions)], here.directory)
    try:
        report = json.loads(reader.line(PATIENCE_SECONDS) or "null")
    finally:
        reader.end()
    return Pair(
        round=number,
        seconds=at_after - at,
        cpu_seconds=cpu_after - cpu,
        rss_before_mib=before / 2**20,
        rss_mib=after / 2**20,
        reader=report,
        load_average=average,
    )


def _restored_once(here: Place, sensors: int) -> tuple[_Moment, _Moment]:
    """Start a worker; return the moments when it has its partitions, and when their state."""
    program = _TELLS.start(here).program

    def moment() -> _Moment:
        return program.cpu_seconds(), time.perf_counter(), program.rss_bytes()

    try:
        _until(program, lambda told: any(line["event"] == "partitions assigned" for line in told))
        begin = moment()
        told = _until(program, lambda told: len(_restored(told)) == here.partitions)
        end = moment()
    finally:
        program.end()
    found = sum(_restored(told))
    if found != sensors:
        raise BenchError(f"{found:,} sensors were restored, {sensors:,} had sent events")
    return begin, end


def _until(program: Program, what: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Wait until the lines that a worker has logged are such, and return them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = program.log.read_text().splitlines(keepends=True)
        told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        if what(told):
            return told
        program.check()
        if time.monotonic() > deadline:
            raise BenchError(f"{program.name} does not restore its partitions")
        time.sleep(_LOOK_SECONDS)


def _restored(told: list[dict[str, Any]]) -> list[int]:
    """Return the sensors of each partition that was restored."""
    return [line["sensors"] for line in told if line["event"] == "partition restored"]


def _state(here: Place) -> str:
    return f"{here.prefix}.state"


def summary(result: Result) -> dict[str, Any]:
    """Return ratios and sizes."""
    return {
        "times_longer_than_reading": asdict(Spread.of(p.times_longer for p in result.pairs)),
        "times_the_cpu_of_reading": asdict(Spread.of(p.times_cpu for p in result.pairs)),
        "seconds": asdict(Spread.of(p.seconds for p in result.pairs)),
        "bytes_per_sensor_on_the_state_topic": result.row_bytes,
        "bytes_per_sensor_in_memory": asdict(result.memory_bytes),
        "rss_mib": asdict(Spread.of(p.rss_mib for p in result.pairs)),
    }


def show(result: Result) -> None:
    """Print a row for the worker and one for the consumer."""
    pairs = result.pairs
    table(
        ["", "seconds", "CPU seconds", "times longer", "times the CPU"],
        [
            [
                "a worker restores",
                Spread.of(pair.seconds for pair in pairs).text(".2f"),
                Spread.of(pair.cpu_seconds for pair in pairs).text(".2f"),
                Spread.of(pair.times_longer for pair in pairs).text(".2f"),
                Spread.of(pair.times_cpu for pair in pairs).text(".2f"),
            ],
            [
                "a bare consumer reads",
                Spread.of(pair.reader["seconds"] for pair in pairs).text(".2f"),
                Spread.of(pair.reader["cpu_seconds"] for pair in pairs).text(".2f"),
                "1",
                "1",
            ],
        ],
    )
    read, resident = pairs[0].reader, Spread.of(pair.rss_mib for pair in pairs)
    say(
        f"{result.sensors:,} sensors, {read['records']:,} records of {read['bytes'] / 2**20:,.1f} "
        f"MiB; a sensor takes {result.row_bytes:,.0f} bytes on the topic and "
        f"{result.memory_bytes.median:,.0f} in memory; the worker at {resident.median:,.0f} MiB; "
        f"{len(pairs)} rounds: median (lowest to highest)"
    )
