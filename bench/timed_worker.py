"""A worker that notes when it has processed each slice of sensor events.

Usage: ``python -m bench.timed_worker run ...``, as ``driftline run``. At its end it leaves
``slices.json`` in its directory: of each slice when it was done (`time.perf_counter`), and the CPU
time of the thread that does them until then.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from streams.cli import main
from streams.partition import OwnedPartition
from streams.records import Counts, Record

SLICES = "slices.json"


def run() -> int:
    """Run the command line, and write down what was noted."""
    noted: list[tuple[float, float]] = []
    process = OwnedPartition.process

    async def timed(
        partition: OwnedPartition, kind: str, records: Sequence[Record]
    ) -> Counts | None:
        counts = await process(partition, kind, records)
        if kind == "sensors":
            noted.append((time.perf_counter(), time.thread_time()))
        return counts

    OwnedPartition.process = timed  # type: ignore[method-assign]
    try:
        return main()
    finally:
        Path(SLICES).write_text(json.dumps(noted))


if __name__ == "__main__":
    sys.exit(run())
