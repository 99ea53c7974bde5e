"""Measurements in processes of their own, as many at a time as there are cores."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from typing import Any, TypeVar

from bench.progress import display

Result = TypeVar("Result")

INTERRUPTED = 130


def side_by_side(
    measure: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], what: str
) -> list[Result]:
    """Call `measure` with each tuple of arguments; return the results in their order.

    Parameters
    ----------
    measure
        A function of a module, as for `concurrent.futures.ProcessPoolExecutor`.
    what
        What the bar on a terminal says meanwhile.
    """
    done: dict[int, Result] = {}
    with display(len(tasks)) as shown:
        shown.begins(what)
        try:
            waiting = {_processes().submit(measure, *task): n for n, task in enumerate(tasks)}
            for future in as_completed(waiting):
                done[waiting[future]] = future.result()
                shown.counts()
        except BaseException:
            _stop()
            raise
    return [done[place] for place in range(len(tasks))]


@cache
def _processes() -> ProcessPoolExecutor:
    # Forked processes would inherit the threads of a progress bar, halfway through anything.
    cores = len(os.sched_getaffinity(0))
    return ProcessPoolExecutor(
        cores, mp_context=get_context("spawn"), initializer=_tied, initargs=(os.getpid(),)
    )


def _tied(parent: int) -> None:
    # The kernel ends it with its parent, as in `bench.program`; Ctrl-C is the parent's to answer.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != parent:
        # It ended before it was tied to.
        os._exit(1)


def _stop() -> None:
    pool = _processes()
    _processes.cache_clear()
    running = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in running:
        process.kill()


def ended(main: Callable[[], int]) -> int:
    """Run a program; return its exit code, that of an interrupt for Ctrl-C."""
    try:
        return main()
    except KeyboardInterrupt:
        return INTERRUPTED
