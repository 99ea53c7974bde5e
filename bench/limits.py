"""Holding a process to half a core, with signals alone: no privileges, no control groups."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.program import Program

SHARE = 0.5
LOOK_SECONDS = 0.002
CREDIT_SECONDS = 0.01
"""CPU time that may be caught up with after a wait for something else."""


@contextmanager
def half_a_core(program: Program) -> Iterator[None]:
    """Hold a program whenever all its threads together have used more than half of the time."""
    ended = threading.Event()

    def watch() -> None:
        at, used = time.perf_counter(), program.cpu_seconds()
        credit = 0.0
        while not ended.is_set():
            time.sleep(LOOK_SECONDS)
            before, at = at, time.perf_counter()
            last, used = used, program.cpu_seconds()
            credit = min(CREDIT_SECONDS, credit + SHARE * (at - before) - (used - last))
            if credit < 0.0:
                program.hold()
            else:
                program.go()
        program.go()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
