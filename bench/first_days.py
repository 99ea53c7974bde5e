"""The first two days of a sensor: waves that are to be silent, and steps that are to be found.

A time of day that nobody knows yet looks like a change, and a change like a time of day. Each
sensor is drawn and run through the whole pipeline of a worker, with the built-in settings; it
begins at a random time of day.

    python -m bench.first_days [--runs 12] [--page FILE]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bench.drawn import DAY, MONDAY, SECOND
from bench.parallel import ended, side_by_side
from bench.quality_methods import pipeline_drifts
from bench.quality_tables import Table, put

RUNS, SEED = 12, 7
DAYS = 2.0
MOST_EVENTS = 6000
AFTER = 1000
WITHIN = 500
SPACINGS = (20, 60, 150)
"""Seconds between two events: of sensors with more than 500 a day, which are judged at once."""
AMPLITUDES = (1.0, 3.0, 10.0)
SIZES = (0.5, 1.0, 2.0, 3.0)

Values = NDArray[np.float64]

SHAPES: Mapping[str, Callable[[Values], Values]] = MappingProxyType(
    {
        "sine": np.sin,
        "days and nights": lambda phase: np.tanh(3.0 * np.sin(phase)),
        "two peaks": lambda phase: 0.7 * np.sin(phase) + 0.5 * np.sin(2.0 * phase + 1.0),
    }
)
"""Of a day, by its phase."""


def _times(rng: np.random.Generator, spacing: int, n: int) -> NDArray[np.int64]:
    begin = MONDAY + int(rng.integers(0, DAY // SECOND)) * SECOND
    return begin + spacing * SECOND * np.arange(n, dtype=np.int64)


def wave(shape: str, amplitude: float, spacing: int, run: int) -> int:
    """Return how many drifts are told of a wave of so many standard deviations of the noise."""
    rng = np.random.default_rng([SEED, list(SHAPES).index(shape), int(amplitude), spacing, run])
    n = min(int(DAYS * DAY / SECOND / spacing), MOST_EVENTS)
    times = _times(rng, spacing, n)
    phase = 2.0 * np.pi * (times % DAY) / DAY
    values = 20.0 + amplitude * SHAPES[shape](phase) + rng.normal(size=n)
    return len(pipeline_drifts(values.tolist(), times.tolist()))


def step(size: float, spacing: int, run: int) -> int | None:
    """Return after how many events a step of the mean of N(20, 1) is found; None if it is not."""
    rng = np.random.default_rng([SEED, int(10 * size), spacing, run])
    at = int(rng.integers(600, 1400))
    values = 20.0 + rng.normal(size=at + AFTER)
    values[at:] += size * rng.choice([-1.0, 1.0])
    drifts = pipeline_drifts(values.tolist(), _times(rng, spacing, len(values)).tolist())
    return next((drift.index - at for drift in drifts if drift.index >= at), None)


def waves(runs: int) -> Table:
    """Measure what is told of waves."""
    kinds = [(amplitude, spacing) for amplitude in AMPLITUDES for spacing in SPACINGS]
    tasks = [(shape, *kind, run) for kind in kinds for shape in SHAPES for run in range(runs)]
    counts = side_by_side(wave, tasks, "waves")
    rows = []
    for amplitude, spacing in kinds:
        own = [
            count
            for task, count in zip(tasks, counts, strict=True)
            if task[1:3] == (amplitude, spacing)
        ]
        silent = sum(count == 0 for count in own)
        rows.append(
            (f"{amplitude:g} sigma", f"{spacing} s", f"{silent} of {len(own)}", str(sum(own)))
        )
    title = f"Waves in the first {DAYS:g} days"
    return Table(title, ("amplitude", "an event in", "sensors that are silent", "drifts"), rows, 2)


def steps(runs: int) -> Table:
    """Measure how soon steps are found."""
    kinds = [(size, spacing) for size in SIZES for spacing in (1, *SPACINGS[:2])]
    tasks = [(*kind, run) for kind in kinds for run in range(runs)]
    delays = side_by_side(step, tasks, "steps")
    rows = []
    for kind in kinds:
        own = [delay for task, delay in zip(tasks, delays, strict=True) if task[:2] == kind]
        found = sorted(delay for delay in own if delay is not None)
        soon = sum(delay <= WITHIN for delay in found)
        delay = f"{median(found):.0f}" if found else "-"
        rows.append((f"{kind[0]:g} sigma", f"{kind[1]} s", f"{soon} of {len(own)}", delay))
    headers = ("step of the mean", "an event in", f"found within {WITHIN} events", "median delay")
    return Table("Steps in the first day, after 600 to 1,400 events", headers, rows, 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        "python -m bench.first_days", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="of each kind")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the tables into this page")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs: expected an integer from 1")
    made = {"first-waves": waves(options.runs), "first-steps": steps(3 * options.runs)}
    for table in made.values():
        Console(width=None if sys.stdout.isatty() else 120).print(table.rich())
    if options.page is not None:
        options.page.write_text(put(options.page.read_text("utf-8"), made), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
