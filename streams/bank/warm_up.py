"""Compiling before it is needed, and not in the worker's way.

The first start of a version compiles for some tens of seconds. A process of its own does that and
leaves the machine code on disk, while the worker takes events the plain way; then, as at any later
start, it is loaded within a second, and the partitions go over to banks.

``python -m streams.bank.warm_up`` does it ahead of time, as the container image does.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress

import numpy as np
import structlog

from schemas import compiled
from schemas.settings import load_settings
from streams.bank.bank import read
from streams.bank.names import Names
from streams.batches import warm_up as warm_up_batches
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.rows import join_parts
from streams.slices import Slice

log = structlog.get_logger("driftline.compiled")

_SENSORS = 600
"""More than a table of names has room for at first."""
_KEY = "compiling needs no secret key"


class Compiled:
    """Whether compiled code can be called without waiting for the compiler.

    Attributes
    ----------
    ready
        Set once.
    """

    def __init__(self) -> None:
        self.ready = False

    async def prepare(self) -> None:
        """Compile in another process unless that was done before, then load."""
        if not compiled.AVAILABLE:
            log.warning(
                "numba is not installed: events are taken the plain way, some fifty times slower",
                remedy="pip install numba",
            )
            return
        started = time.perf_counter()
        try:
            if not compiled.is_complete() and compiled.is_kept():
                log.info("compiling in the background: at the first start of a version only")
                await _in_another_process()
            await asyncio.to_thread(warm_up)
        except Exception as error:  # noqa: BLE001 - whatever it is, there is the plain way
            log.error(
                "no compiled code: events are taken the plain way, some fifty times slower",
                reason=f"{type(error).__name__}: {error}",
            )
            return
        self.ready = True
        log.info("compiled code is ready", seconds=round(time.perf_counter() - started, 1))


def warm_up() -> None:
    """Call every compiled function once, with the types that a worker calls it with."""
    warm_up_batches()
    settings = load_settings(None, {"state.signing_key": _KEY})
    names = Names()
    for number in range(_SENSORS):
        names.add(b"%d" % number)
    names.keep(np.arange(_SENSORS))
    pipeline = Pipeline(settings, 0)
    warmup = settings.detectors.warmup
    # Readings that differ, since no detector looks at the errors of a constant, and enough of them
    # for a detector to be at work when its row is made an object.
    readings = [b"%d" % (n * n % 17) for n in range(3 * warmup)]
    pipeline.process("sensors", _events(readings, 0))
    _, rows = pipeline.take()
    stored = {key: row for key, row in rows if row is not None}
    Pipeline(settings, 0).restore(Restored(Position(), stored))
    for (_, sensor_id, *_), row in join_parts(stored).items():
        read(row, pipeline.kept.key, sensor_id, settings.for_sensor(sensor_id))
    # An event without a value makes an object of the row.
    pipeline.process("sensors", _events([b"1", b"null", b"1"], len(readings)))
    pipeline.take()
    compiled.mark_complete()


def _events(values: list[bytes], first: int) -> Slice:
    messages = [b'{"sensor_id":"a","ts":0,"value":%s}' % value for value in values]
    lengths = np.array([len(message) for message in messages], np.int64)
    ends = np.cumsum(lengths)
    n = len(messages)
    nothing, null = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    return Slice(
        np.frombuffer(b"".join(messages) + b"\0", np.uint8),
        np.arange(first, first + n, dtype=np.int64),
        nothing,
        nothing,
        null,
        ends - lengths,
        lengths,
        np.full(n, int(ends[-1]), np.int64),
    )


async def _in_another_process() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.terminate()
        raise
    if code != 0:
        raise RuntimeError(f"compiling ended with exit code {code}")


if __name__ == "__main__":
    warm_up()
