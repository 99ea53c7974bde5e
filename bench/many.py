"""What very many sensors take of a worker, and that there are never more than may be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.contenders import DRIFTLINE, Driftline, Place
from bench.events import readings
from bench.harness import SETTLED_SECONDS, kafka, place
from bench.program import BenchError
from bench.progress import Display, display
from bench.restore import BLOCK, state_bytes
from streams.cli.output import say
from tests.brokers import produce

EVENTS_EACH = 3


@dataclass(frozen=True)
class Many:
    """One run.

    Attributes
    ----------
    sensors, more
        That sent events, and that did so when those were in state.
    limit
        ``state.max_sensors``, of a partition.
    rss_before_mib, rss_mib, rss_at_the_end_mib
        Resident memory of the worker before the first event, with the sensors in state, and after
        those that came later.
    topic_mib, row_bytes
        What the rows of the state topic hold, as after compaction, and each on average.
    held, evicted
        Sensors in state at the end, and those that were forgotten.
    """

    sensors: int
    more: int
    limit: int
    rss_before_mib: float
    rss_mib: float
    rss_at_the_end_mib: float
    topic_mib: float
    row_bytes: float
    held: int
    evicted: int


def measured(sensors: int, more: int, partitions: int) -> Many:
    """Bring `sensors` to a worker, and `more` when it has no room left.

    Raises
    ------
    BenchError
        If more sensors are in state than may be, or one is neither there nor was forgotten.
    """
    with display(2) as shown:
        shown.begins("preparing")
        DRIFTLINE.prepare(shown.tell)
        with kafka() as server, place(server, "many", partitions) as here:
            return _brought(here, sensors, more, shown)


def _brought(here: Place, sensors: int, more: int, shown: Display) -> Many:
    limit = -(-sensors // here.partitions)
    contender = Driftline(settings={"state.max_sensors": limit})
    contender.create_topics(here)
    worker = contender.start(here)
    program = worker.program
    servers = here.server.bootstrap_servers
    try:
        worker.wait(0)
        before = program.rss_bytes()
        shown.begins(f"{sensors:,} sensors")
        count = produce(servers, here.sensors, _in_blocks(0, sensors))
        worker.wait(count)
        shown.ends(f"{sensors:,} sensors are in state")
        full = program.rss_bytes()
        rows, size = state_bytes(here)
        shown.begins(f"{more:,} more")
        count += produce(servers, here.sensors, _in_blocks(sensors, more))
        worker.wait(count)
        shown.ends(f"{more:,} more have sent events")
        # The number of sensors is told once a second.
        time.sleep(2 * SETTLED_SECONDS)
        end = program.rss_bytes()
        held, evicted = int(worker.metric("sensors")), int(worker.metric("evicted_sensors_total"))
    finally:
        program.end()
    # A sensor that was forgotten while its events were still coming is new once more.
    if held > limit * here.partitions or held + evicted < sensors + more:
        raise BenchError(f"{held:,} sensors in state, {evicted:,} forgotten of {sensors + more:,}")
    return Many(
        sensors=sensors,
        more=more,
        limit=limit,
        rss_before_mib=before / 2**20,
        rss_mib=full / 2**20,
        rss_at_the_end_mib=end / 2**20,
        topic_mib=size / 2**20,
        row_bytes=size / rows,
        held=held,
        evicted=evicted,
    )


def _in_blocks(first_sensor: int, sensors: int) -> Iterator[tuple[bytes, bytes]]:
    first = EVENTS_EACH * first_sensor
    for block in range(first_sensor, first_sensor + sensors, BLOCK):
        size = min(BLOCK, first_sensor + sensors - block)
        yield from readings(EVENTS_EACH * size, size, first, block)
        first += EVENTS_EACH * size


def show(result: Many) -> None:
    """Print what it came to."""
    taken = (result.rss_mib - result.rss_before_mib) * 2**20 / min(result.sensors, result.held)
    say(
        f"{result.sensors:,} sensors: the worker at {result.rss_mib:,.0f} MiB, {taken:,.0f} bytes "
        f"a sensor; {result.topic_mib:,.0f} MiB on the state topic, {result.row_bytes:,.0f} bytes "
        "a sensor"
    )
    say(
        f"{result.more:,} more: {result.held:,} in state, at most {result.limit:,} in a partition, "
        f"and {result.evicted:,} forgotten; the worker at {result.rss_at_the_end_mib:,.0f} MiB"
    )
