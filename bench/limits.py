"""Holding a process to half a core, with signals alone: no privileges, no control groups."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.program import Program

PERIOD_SECONDS = 0.01


@contextmanager
def half_the_time(program: Program) -> Iterator[None]:
    """Let a program go for one half of every 10 ms, and hold it for the other."""
    ended = threading.Event()

    def alternate() -> None:
        while not ended.is_set():
            program.hold()
            time.sleep(PERIOD_SECONDS / 2)
            program.go()
            time.sleep(PERIOD_SECONDS / 2)

    thread = threading.Thread(target=alternate)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
