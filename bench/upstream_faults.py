"""How soon a fault on the way here is found and named, and how often one is seen that is none.

Draws sensors, each with a fault after 400 events, and runs them through the whole pipeline of a
worker with the built-in settings. Then holds the check of the sampling rate against arrivals of
many kinds whose rate stays. Exits with 1 if the rate of false alarms of one of these exceeds the
budget.

    python -m bench.upstream_faults [--runs 20] [--events 10000] [--page FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from bench.quality_tables import Table, put
from detectors.hygiene.rate import Rate
from detectors.signal import Position
from schemas.settings import Settings, load_settings
from streams.backtest import Backtest

BUDGET = 0.1
"""False alarms of the sampling rate per 10,000 events."""

CHANGE, AFTER = 400, 500
START = 1_767_614_400
PERIOD = 60.0
LIMITS = {"value": [-40.0, 250.0]}

Event = dict[str, Any]
Interval = Callable[[random.Random], float]
Arrivals = Callable[[random.Random, int], list[float]]
"""Times of so many events, in seconds."""


@dataclass(frozen=True)
class Fault:
    """A fault, the check that is to name it, and a sensor that has it from event `CHANGE` on."""

    name: str
    check: str
    draw: Callable[[random.Random], Iterator[Event]]


def readings(draw: random.Random) -> Iterator[float]:
    """Yield the readings of one oven of the fleet of `driftline demo`."""
    mean, std, memory = draw.uniform(40, 90), draw.uniform(0.3, 1.5), draw.choice((0.0, 0.0, 0.5))
    deviation = 0.0
    while True:
        deviation = memory * deviation + math.sqrt(1 - memory**2) * draw.gauss(0.0, std)
        yield mean + deviation


def of_values(change: Callable[[float, int], float | None]) -> Callable[..., Iterator[Event]]:
    """Return a sensor whose readings are changed by a function of reading and event."""

    def sensor(draw: random.Random) -> Iterator[Event]:
        for n, value in enumerate(readings(draw)):
            changed = value if n < CHANGE else change(value, n - CHANGE)
            yield {"ts": START + PERIOD * n, "value": changed}

    return sensor


def stuck(draw: random.Random) -> Iterator[Event]:
    """Repeat the last reading for good."""
    value = 0.0
    for n, reading in enumerate(readings(draw)):
        value = reading if n < CHANGE else value
        yield {"ts": START + PERIOD * n, "value": value}


def of_times(
    interval: Interval, factor: float = 1.0, jump: float = 0.0
) -> Callable[..., Iterator[Event]]:
    """Return a sensor whose intervals become `factor` as long, or whose clock jumps."""

    def sensor(draw: random.Random) -> Iterator[Event]:
        ts = float(START)
        for n, value in enumerate(readings(draw)):
            ts += interval(draw) * (factor if n >= CHANGE else 1.0) + (jump if n == CHANGE else 0.0)
            yield {"ts": ts, "value": value}

    return sensor


def of_features(change: Callable[[Event], object]) -> Callable[..., Iterator[Event]]:
    """Return a sensor whose features are changed by a function."""

    def sensor(draw: random.Random) -> Iterator[Event]:
        for n, value in enumerate(readings(draw)):
            features: Event = {"t": value, "p": draw.gauss(3.0, 0.1), "lot": draw.choice("ABC")}
            if n >= CHANGE:
                change(features)
            yield {"ts": START + PERIOD * n, "features": features}

    return sensor


def regular(draw: random.Random) -> float:
    """Send by the clock."""
    return PERIOD


def jittered(draw: random.Random) -> float:
    """Send at intervals between nothing and twice the usual one."""
    return draw.uniform(0.0, 2.0 * PERIOD)


def at_random(draw: random.Random) -> float:
    """Send at random."""
    return draw.expovariate(1.0 / PERIOD)


FAULTS = (
    Fault("readings are null", "missing", of_values(lambda x, n: None)),
    Fault("the reading stays the same", "stuck", stuck),
    Fault("one impossible reading", "range", of_values(lambda x, n: -127.0 if n == 0 else x)),
    Fault("twice as often, by the clock", "rate", of_times(regular, 0.5)),
    Fault("half as often, by the clock", "rate", of_times(regular, 2.0)),
    Fault("twice as often, jitter of 100 %", "rate", of_times(jittered, 0.5)),
    Fault("half as often, jitter of 100 %", "rate", of_times(jittered, 2.0)),
    Fault("twice as often, at random", "rate", of_times(at_random, 0.5)),
    Fault("half as often, at random", "rate", of_times(at_random, 2.0)),
    Fault("the clock is two hours back", "rate", of_times(regular, jump=-7200.0)),
    Fault("Celsius to Fahrenheit", "unit", of_values(lambda x, n: 1.8 * x + 32.0)),
    Fault("Celsius to kelvin", "unit", of_values(lambda x, n: x + 273.15)),
    Fault("times 1,000", "unit", of_values(lambda x, n: 1000.0 * x)),
    Fault("times 2.54", "unit", of_values(lambda x, n: 2.54 * x)),
    Fault("the process moves by 20 degrees", "unit", of_values(lambda x, n: x + 20.0)),
    Fault("a feature vanishes", "schema", of_features(lambda f: f.pop("p"))),
    Fault("a new feature", "schema", of_features(lambda f: f.update(x=1.0))),
    Fault("a number becomes text", "schema", of_features(lambda f: f.update(p="low"))),
    Fault("a new word", "schema", of_features(lambda f: f.update(lot="Z"))),
)


def alerts(settings: Settings, fault: Fault, seed: int) -> list[tuple[int, str]]:
    """Return event and detector of what is told of one sensor, recoveries left out."""
    run, told = Backtest(settings), []
    sensor = fault.draw(random.Random(f"{seed}/{fault.name}"))
    for n in range(CHANGE + AFTER):
        message = json.dumps({"sensor_id": "oven", **next(sensor)}).encode()
        for raw in run.feed("sensors", message):
            event = json.loads(raw)
            if event["kind"] != "recovered":
                told.append((n, event["detector"]))
    return told


def found(runs: int) -> list[list[str]]:
    """Return a row for each fault."""
    rows = []
    for fault in FAULTS:
        features = "features" in next(fault.draw(random.Random(0)))
        task = {"learner.task": "anomaly"} if features else {}
        limits = {"hygiene.range": LIMITS} if fault.check == "range" else {}
        settings = load_settings(None, {**limits, **task, "state.signing_key": "no secret is kept"})
        delays, others, early = [], 0, 0
        for seed in range(runs):
            told = alerts(settings, fault, seed)
            early += sum(n < CHANGE for n, _ in told)
            after = [(n - CHANGE, name) for n, name in told if n >= CHANGE]
            named = next((n for n, name in after if name == fault.check), None)
            if named is not None:
                delays.append(named)
            others += named is None and bool(after)
        delays.sort()
        worst = delays[min(int(0.95 * len(delays)), len(delays) - 1)] if delays else None
        rows.append(
            [
                fault.name,
                f"`{fault.check}`",
                f"{len(delays) / runs:.0%}",
                f"{others / runs:.0%}",
                f"{median(delays):.0f}, {worst}" if delays else "-",
                str(early),
            ]
        )
    return rows


# Arrivals whose rate stays.


def _gaps(
    interval: Callable[[random.Random], float],
) -> Callable[[random.Random, int], list[float]]:
    return lambda draw, count: list(accumulate(interval(draw) for _ in range(count)))


def _paused(draw: random.Random, count: int) -> list[float]:
    gaps = (30_000.0 if n % 700 == 699 else jittered(draw) for n in range(count))
    return list(accumulate(gaps))


def _overtaking(draw: random.Random, count: int) -> list[float]:
    return [PERIOD * n + draw.uniform(-PERIOD, PERIOD) for n in range(count)]


def _shuffled(draw: random.Random, count: int) -> list[float]:
    times = [PERIOD * n for n in range(count)]
    for begins in range(0, count, 50):
        block = times[begins : begins + 50]
        draw.shuffle(block)
        times[begins : begins + 50] = block
    return times


def _lost(draw: random.Random) -> float:
    interval = PERIOD
    while draw.random() < 0.2:
        interval += PERIOD
    return interval


def _wandering(draw: random.Random, count: int) -> list[float]:
    level, ts, times = 0.0, 0.0, []
    for _ in range(count):
        level = 0.8 * level + draw.gauss(0.0, 0.3)
        ts += PERIOD * math.exp(level)
        times.append(ts)
    return times


ARRIVALS: dict[str, Arrivals] = {
    "by the clock": _gaps(regular),
    "jitter of 100 %": _gaps(jittered),
    "at random": _gaps(at_random),
    "one in five lost": _gaps(_lost),
    "jitter and a pause every 700 events": _paused,
    "times that are off by up to an interval": _overtaking,
    "in any order, 50 at a time": _shuffled,
    "ten a second, times in whole seconds": lambda _, count: [float(n // 10) for n in range(count)],
    "intervals that depend on each other": _wandering,
}


def false_alarms(runs: int, events: int) -> list[tuple[str, float]]:
    """Return false alarms per 10,000 events, by kind of arrivals."""
    rates = []
    for name, draw in ARRIVALS.items():
        alarms = 0
        for seed in range(runs):
            rate, last = Rate(), 0
            for n, time in enumerate(draw(random.Random(f"{seed}/{name}"), events)):
                ts = int((START + time) * 1e6)
                alarms += rate.update(Position(n, ts), last, -1) is not None
                last = ts
        rates.append((name, alarms * 10_000 / (runs * events)))
    return rates


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        "python -m bench.upstream_faults", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--runs", type=int, default=20, help="sensors with each fault")
    parser.add_argument("--events", type=int, default=10_000, help="of each kind of arrivals")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the tables into this page")
    options = parser.parse_args(arguments)
    if options.runs < 1 or options.events < 1:
        parser.error("--runs and --events: expected an integer from 1")
    rates = false_alarms(options.runs, options.events)
    made = {
        "faults": Table(
            "Faults on the way here",
            ("fault", "check", "named", "told as another", "after events", "before it"),
            found(options.runs),
            left=2,
        ),
        "arrivals": Table(
            "Arrivals whose rate stays",
            ("arrivals", "false alarms per 10,000"),
            [[name, f"{rate:.2f}"] for name, rate in rates],
        ),
    }
    for table in made.values():
        Console(width=None if sys.stdout.isatty() else 200).print(table.rich())
    if options.page is not None:
        options.page.write_text(put(options.page.read_text("utf-8"), made), "utf-8")
    beyond = [name for name, rate in rates if rate > BUDGET]
    for name in beyond:
        print(f"{name}: more than {BUDGET} false alarms per 10,000 events", file=sys.stderr)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
