"""How often the default detectors alarm for nothing, and how soon they find a change.

Feeds stationary streams to the monitors that every sensor has (value, and error of the naive
forecast, which is the last value), and counts drifts per 10,000 events. Then shifts the mean by
one standard deviation, and doubles the error, and measures the delay. Exits with 1 when the
false alarms of a stream exceed the budget or fewer than 95 % of the changes are found in time.

    python -m bench.false_alarms [--runs 20] [--events 10000] [--seed 1]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detectors.defaults import DETECTORS, with_defaults
from detectors.signal import Finding, Position, SignalMonitor

BUDGET = 0.5
"""Drifts per 10,000 stationary events, over all default detectors of a sensor."""

IN_TIME = 500
"""Events within which a change must be found, in 95 % of the runs."""

WARMUP = 100
AT = Position(0, 0)
Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]


def autoregression(rng: np.random.Generator, n: int, phi: float = 0.9) -> Values:
    """Return a stationary first-order autoregression."""
    noise = rng.normal(size=n)
    values = np.empty(n)
    last = rng.normal() / math.sqrt(1 - phi * phi)
    for i in range(n):
        last = phi * last + noise[i]
        values[i] = last
    return values


@dataclass(frozen=True)
class Stream:
    """A stationary stream, and its standard deviation (0: no change is tried)."""

    name: str
    draw: Draw
    std: float
    shift_in_time: bool = True
    doubling_in_time: bool = True


STREAMS = (
    Stream("N(0, 1)", lambda rng, n: rng.normal(size=n), 1.0),
    Stream("N(20, 1)", lambda rng, n: rng.normal(20, 1, n), 1.0),
    Stream("N(1000, 0.01)", lambda rng, n: rng.normal(1000, 0.01, n), 0.01),
    Stream("lognormal(0, 1)", lambda rng, n: rng.lognormal(size=n), 2.161),
    Stream("Student t, 3 d.f.", lambda rng, n: rng.standard_t(3, n), math.sqrt(3)),
    # Of dependent values 19 count as one: a standard deviation is 0.23 of the long-run scale.
    Stream("AR(1), 0.9", autoregression, 2.294, shift_in_time=False),
    Stream("Bernoulli(0.5)", lambda rng, n: rng.binomial(1, 0.5, n).astype(float), 0.5),
    # Twice of what is mostly nothing is less than half a standard deviation more.
    Stream(
        "Bernoulli(0.1)",
        lambda rng, n: rng.binomial(1, 0.1, n).astype(float),
        0.3,
        doubling_in_time=False,
    ),
    Stream(
        "Bernoulli(0.02)",
        lambda rng, n: rng.binomial(1, 0.02, n).astype(float),
        0.14,
        doubling_in_time=False,
    ),
    Stream("Poisson(3)", lambda rng, n: rng.poisson(3, n).astype(float), math.sqrt(3)),
    Stream("Poisson(0.2)", lambda rng, n: rng.poisson(0.2, n).astype(float), math.sqrt(0.2)),
    Stream("constant", lambda rng, n: np.full(n, 7.0), 0.0),
)


def monitor(signal: str) -> SignalMonitor:
    """Return the monitor that a sensor has for `signal`."""
    return SignalMonitor(
        with_defaults(DETECTORS[signal]),
        WARMUP,
        alarm_on="up" if signal == "error" else "both",
    )


def findings(signal: str, values: Values) -> list[tuple[int, Finding]]:
    """Return index and finding of all that the defaults find."""
    update = monitor(signal).update
    return [(i, finding) for i, x in enumerate(values.tolist()) for finding in update(x, AT)]


def delay(signal: str, values: Values, change: int) -> float:
    """Return the number of events from `change` to the first drift after it."""
    found = (i for i, item in findings(signal, values) if item.kind == "drift" and i >= change)
    return next(found, math.inf) - change


def in_time(delays: list[float]) -> float:
    """Return the share of the delays that are short enough."""
    return sum(d < IN_TIME for d in delays) / len(delays)


def told(delays: list[float]) -> str:
    """Return median delay and share found in time, as text."""
    middle = sorted(delays)[len(delays) // 2]
    return f"{'never' if math.isinf(middle) else f'{middle:.0f}'} ({in_time(delays):.0%})"


def rows(runs: int, events: int, seed: int, show: bool) -> Iterable[tuple[list[str], bool]]:
    """Measure stream by stream: the table's row, and whether it keeps the budget."""
    progress = track(
        list(enumerate(STREAMS)),
        "streams",
        console=Console(stderr=True),
        disable=not show,
        transient=True,
    )
    for index, stream in progress:
        drifts = {"value": 0, "error": 0}
        warnings = 0
        shifted: list[float] = []
        doubled: list[float] = []
        for run in range(runs):
            rng = np.random.default_rng([seed, index, run])
            values = stream.draw(rng, events + 1)
            for signal, x in (("value", values[1:]), ("error", np.abs(np.diff(values)))):
                kinds = [item.kind for _, item in findings(signal, x)]
                drifts[signal] += kinds.count("drift")
                warnings += kinds.count("warning")
            if stream.std:
                change = int(rng.integers(300, 3000))
                x = stream.draw(rng, change + 1000)
                x[change:] += stream.std * rng.choice([-1.0, 1.0])
                shifted.append(delay("value", x, change))
                x = np.abs(np.diff(stream.draw(rng, change + 1001)))
                x[change:] *= 2.0
                doubled.append(delay("error", x, change))
        per = 10_000 / (runs * events)
        rate = sum(drifts.values()) * per
        kept = (
            rate <= BUDGET
            and (not (shifted and stream.shift_in_time) or in_time(shifted) >= 0.95)
            and (not (doubled and stream.doubling_in_time) or in_time(doubled) >= 0.95)
        )
        yield (
            [
                stream.name,
                f"{drifts['value'] * per:.2f}",
                f"{drifts['error'] * per:.2f}",
                f"{rate:.2f}",
                f"{warnings * per:.2f}",
                told(shifted) if shifted else "-",
                told(doubled) if doubled else "-",
            ],
            kept,
        )


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="runs of each stream (default 20)")
    parser.add_argument("--events", type=int, default=10_000, help="events of a run")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.runs < 1 or options.events < 1:
        parser.error("--runs and --events: expected an integer from 1")
    table = Table(title=f"Per 10,000 events; {options.runs} runs of {options.events} events each")
    for heading in (
        "stream",
        "drifts\nvalue",
        "drifts\nerror",
        "drifts\nin all",
        "warnings",
        "found after\nmean+-std",
        "found after\nerror x2",
    ):
        table.add_column(heading, justify="left" if heading == "stream" else "right", no_wrap=True)
    failed = 0
    for cells, kept in rows(options.runs, options.events, options.seed, sys.stderr.isatty()):
        table.add_row(*cells, style=None if kept else "red")
        failed += not kept
    Console(width=max(Console().width, 100)).print(table)
    print(
        f"{failed} streams miss: at most {BUDGET} drifts, 95 % of changes found in {IN_TIME} events"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
