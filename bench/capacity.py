"""What a load needs: workers, memory, partitions and bandwidth, from figures that were measured.

Usage: ``python -m bench.capacity --events 1000000 --sensors 1000000 --interval 10``.

Every line says how it was computed. The measured figures are options, so that those of another
machine can be put in; docs/capacity.md names the command that measures each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from streams.cli.output import say, table

BUSY = 0.6
"""Share of a worker's core in use: the rest is for catching up, and for the partitions of a worker
that was lost."""
PER_WORKER = 4
"""Partitions for each worker, so that more workers can share them evenly."""
PROCESS_MIB = 340
"""Of a worker without sensors, with what it has fetched and not yet processed."""


@dataclass(frozen=True)
class Load:
    """What is asked for.

    Attributes
    ----------
    events
        Per second.
    sensors
        That send them, each the same number.
    interval
        ``checkpoint.interval`` in seconds.
    """

    events: float
    sensors: int
    interval: float


@dataclass(frozen=True)
class Measured:
    """What one machine takes.

    Attributes
    ----------
    event_us, row_us, transaction_us
        CPU time of a worker for an event, for a row of a checkpoint, and for the transaction of a
        partition's checkpoint without its rows.
    event_bytes, row_bytes
        On their topics.
    sensor_bytes
        In the memory of a worker.
    restore_us
        On the clock, to restore a sensor.
    """

    event_us: float
    row_us: float
    transaction_us: float
    event_bytes: float
    row_bytes: float
    sensor_bytes: float
    restore_us: float


@dataclass(frozen=True)
class Line:
    """A figure and how it was computed."""

    name: str
    value: float
    text: str
    how: str


def rows_per_second(load: Load) -> float:
    """Return how many rows checkpoints write: each sensor that changed, once per checkpoint."""
    return min(load.events, load.sensors / load.interval)


def plan(load: Load, measured: Measured) -> Iterator[Line]:
    """Compute what `load` needs, line by line."""
    rows = rows_per_second(load)
    yield Line(
        "rows written",
        rows,
        f"{rows:,.0f} /s",
        "sensors / interval, at most one for each event",
    )
    usual = load.events * measured.event_us / 1e6 + rows * measured.row_us / 1e6
    workers = math.ceil(usual / BUSY)
    partitions = PER_WORKER * workers
    cores = usual + partitions / load.interval * measured.transaction_us / 1e6
    workers = math.ceil(cores / BUSY)
    partitions = PER_WORKER * workers
    yield Line(
        "CPU of all workers",
        cores,
        f"{cores:.1f} cores",
        f"events x {measured.event_us:g} us + rows x {measured.row_us:g} us "
        f"+ partitions / interval x {measured.transaction_us:g} us",
    )
    yield Line("workers", workers, f"{workers}", f"of one core each, {BUSY:.0%} of it in use")
    yield Line("partitions", partitions, f"{partitions}", f"{PER_WORKER} for each worker, or more")
    share = load.sensors / partitions
    yield Line(
        "sensors of a partition",
        share,
        f"{share:,.0f}",
        "sensors / partitions: state.max_sensors must be more, since they are not quite even",
    )
    memory = PROCESS_MIB + load.sensors / workers * measured.sensor_bytes / 2**20
    yield Line(
        "memory of a worker",
        memory,
        f"{memory:,.0f} MiB",
        f"{PROCESS_MIB} MiB + sensors / workers x {measured.sensor_bytes:,.0f} B",
    )
    taken = load.events * measured.event_bytes / 1e6
    yield Line(
        "into the brokers, events",
        taken,
        f"{taken:,.0f} MB/s",
        f"events x {measured.event_bytes:,.0f} B; as much goes out to the workers",
    )
    written = rows * measured.row_bytes / 1e6
    yield Line(
        "into the brokers, state",
        written,
        f"{written:,.0f} MB/s",
        f"rows x {measured.row_bytes:,.0f} B",
    )
    transactions = partitions / load.interval
    yield Line(
        "transactions", transactions, f"{transactions:,.1f} /s", "partitions / interval, together"
    )
    kept = load.sensors * measured.row_bytes / 1e9
    yield Line(
        "state topic, compacted",
        kept,
        f"{kept:,.2f} GB",
        f"sensors x {measured.row_bytes:,.0f} B, and what compaction has not yet removed",
    )
    restore = load.sensors / workers * measured.restore_us / 1e6
    yield Line(
        "restore after a worker is lost",
        restore,
        f"{restore:,.1f} s",
        f"sensors / workers x {measured.restore_us:g} us, if one other takes all of them",
    )


def main(
    events: Annotated[float, typer.Option(metavar="N", min=1.0, help="Events per second.")],
    sensors: Annotated[int, typer.Option(metavar="N", min=1, help="Sensors.")],
    interval: Annotated[
        float, typer.Option(metavar="S", min=0.05, help="checkpoint.interval in seconds.")
    ] = 1.0,
    event_us: Annotated[float, typer.Option(help="CPU time for an event.")] = 0.85,
    row_us: Annotated[float, typer.Option(help="CPU time for a row.")] = 2.7,
    transaction_us: Annotated[float, typer.Option(help="CPU time for a transaction.")] = 5800.0,
    event_bytes: Annotated[float, typer.Option(help="Bytes of an event.")] = 81.0,
    row_bytes: Annotated[float, typer.Option(help="Bytes of a row.")] = 1330.0,
    sensor_bytes: Annotated[float, typer.Option(help="Memory of a sensor.")] = 4100.0,
    restore_us: Annotated[float, typer.Option(help="Time to restore a sensor.")] = 21.0,
) -> None:
    """Print what a load needs, and how that was computed."""
    measured = Measured(
        event_us, row_us, transaction_us, event_bytes, row_bytes, sensor_bytes, restore_us
    )
    load = Load(events, sensors, interval)
    lines = [[line.name, line.text, line.how] for line in plan(load, measured)]
    table(["", "needed", "computed as"], lines)
    say(f"{events:,.0f} events/s of {sensors:,} sensors, checkpoint.interval {interval:g}")


if __name__ == "__main__":
    typer.run(main)
