"""Measurements in processes of their own, as many at a time as there are cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, TypeVar

from bench.progress import display

Result = TypeVar("Result")


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
    cores = len(os.sched_getaffinity(0))
    # Forked processes would inherit the threads of a progress bar, halfway through anything.
    pool = ProcessPoolExecutor(min(cores, len(tasks)), mp_context=get_context("spawn"))
    with pool, display(len(tasks)) as shown:
        shown.begins(what)
        waiting = {pool.submit(measure, *task): place for place, task in enumerate(tasks)}
        done: dict[int, Result] = {}
        try:
            for future in as_completed(waiting):
                done[waiting[future]] = future.result()
                shown.counts()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[place] for place in range(len(tasks))]
