"""Delay, missed changes and false alarms of the defaults, of River's, and of a dummy.

On series of the Numenta Anomaly Benchmark, on the error streams of the OPTWIN paper, and on sensors
that are drawn. Prints the tables of docs/quality.md, and with --page writes them there.

    python -m bench.quality [--nab FOLDER] [--small] [--json FILE] [--page FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from bench import quality_tables
from bench.quality_methods import on_errors, on_readings
from bench.quality_nab import SHIPPED, Series, normalised, raw_score, read_series
from bench.quality_streams import AFTER, CHANGES, SENSORS, changed, error_streams
from schemas.errors import ConfigurationError
from streams.cli.scores import figures
from streams.comparison import Method
from streams.scoring import Delay, Score, evenly_spaced, score, total
from streams.windows import Window

SEED = 1
ERROR_RUNS = 30
"""As many as in the paper."""

SENSOR_RUNS = 50
SMALL_RUNS = 2

LOOKED_AT = "machine_temperature_system_failure"
"""The series of the demo."""

TUNED_ON = {
    "nab": f"none; {LOOKED_AT} is the demo's and was looked at, the others were not",
    "errors": "none",
    "sensors": "false alarms and the shift of one sigma of these five distributions, drawn with "
    "other seeds (bench/false_alarms.py)",
}

Results = dict[str, Any]
Show = Callable[[Sequence[Any], str], Iterator[Any]]
Scoring = Callable[[Sequence[int]], Score]


class Tally:
    """Scores of every method on runs or series, each beside as many alarms evenly spaced."""

    def __init__(self) -> None:
        self._scores: dict[str, dict[str, Score]] = {}
        self._dummies: dict[str, dict[str, Score]] = {}

    def add(
        self, run: str, events: int, found: Mapping[str, Sequence[int] | None], scoring: Scoring
    ) -> None:
        """Score the alarms of one run by method."""
        for name, alarms in found.items():
            if alarms is not None:
                self._scores.setdefault(name, {})[run] = scoring(alarms)
                spaced = evenly_spaced(events, len(alarms))
                self._dummies.setdefault(name, {})[run] = scoring(spaced)

    def methods(self) -> list[Method]:
        """Return what each method came to."""
        return [Method(name, runs, self._dummies[name]) for name, runs in self._scores.items()]


def measure_nab(series: Sequence[Series], show: Show) -> Results:
    """Score every method on every series, and on all together."""
    tally = Tally()
    raw: dict[str, dict[str, float]] = {}
    alarms: dict[str, Mapping[str, list[int]]] = {}
    for one in show(series, "NAB"):
        alarms[one.name] = on_readings(one.values, one.times)
        tally.add(
            one.name, len(one.times), alarms[one.name], partial(score, one.times, one.windows)
        )
        for name, raised in alarms[one.name].items():
            raw.setdefault(name, {})[one.name] = raw_score(one.times, one.windows, raised)
    methods = tally.methods()
    names = [one.name for one in series]
    unseen = [name for name in names if name != LOOKED_AT]
    return {
        "groups": {
            what: {method.name: _nab_total(method, raw[method.name], chosen) for method in methods}
            for what, chosen in (("all", names), ("not looked at", unseen))
            if chosen and (what == "all" or len(chosen) < len(names))
        },
        "series": {
            name: {
                method.name: {
                    "alarms": alarms[name][method.name],
                    "nab_raw": raw[method.name][name],
                    **figures(method.by_sensor[name]),
                }
                for method in methods
            }
            for name in names
        },
        "tuned_on": TUNED_ON["nab"],
    }


def _nab_total(method: Method, raw: Mapping[str, float], names: Sequence[str]) -> Results:
    chosen = Method(
        method.name,
        {name: method.by_sensor[name] for name in names},
        {name: method.dummies[name] for name in names},
    )
    points = sum(raw[name] for name in names)
    return {
        "series": len(names),
        "nab": normalised(points, chosen.total.windows),
        **_figures(chosen),
    }


def measure_errors(runs: int, show: Show) -> Results:
    """Run every method on the streams of the OPTWIN paper, and count as MOA does.

    The first alarm after the change finds it, whenever it comes; every other one is false.
    """
    rows = []
    for number, stream in enumerate(show(error_streams(), "errors")):
        tally = Tally()
        scoring = partial(first_counts, stream.change, len(stream.rates))
        # Without noise one run is as good as thirty.
        for run in range(runs if stream.binary else 1):
            values = stream.draw(np.random.default_rng([SEED, number, run])).tolist()
            found = on_errors(values, binary=stream.binary)
            tally.add(str(run), len(values), found, scoring)
        rows.append({"stream": stream.name, "methods": _by_run(tally)})
    return {"streams": rows, "runs": runs, "tuned_on": TUNED_ON["errors"]}


def measure_sensors(runs: int, show: Show) -> Results:
    """Run every method on sensors that change once, at a time that is drawn."""
    rows = []
    cells = [(s, c) for s in range(len(SENSORS)) for c in range(len(CHANGES))]
    for sensor, change in show(cells, "sensors"):
        tally = Tally()
        for run in range(runs):
            rng = np.random.default_rng([SEED, sensor, change, run])
            values, at = changed(SENSORS[sensor], CHANGES[change], rng)
            scoring = partial(score, range(len(values)), [Window(at, at + AFTER - 1)])
            tally.add(str(run), len(values), on_readings(values.tolist()), scoring)
        rows.append(
            {"stream": SENSORS[sensor].name, "change": CHANGES[change], "methods": _by_run(tally)}
        )
    return {"streams": rows, "runs": runs, "in_time": AFTER, "tuned_on": TUNED_ON["sensors"]}


def first_counts(change: int, events: int, alarms: Sequence[int]) -> Score:
    """Score as MOA's `BasicConceptDriftPerformanceEvaluator` does, for a single change."""
    hit = next((alarm for alarm in sorted(alarms) if alarm > change), None)
    delay = None if hit is None else Delay(hit - change, float(hit - change))
    false = len(alarms) - (hit is not None)
    return Score(events, events, float(events), len(alarms), false, (delay,))


def _figures(method: Method) -> Results:
    return {
        **figures(method.total),
        "evenly_spaced_f1": method.dummy_f1(),
        "beats_evenly_spaced": method.beats_dummy(),
    }


def _by_run(tally: Tally) -> Results:
    return {
        method.name: {
            **_figures(method),
            "outside": method.total.outside,
            "evenly_spaced_hits": total(method.dummies.values()).hits,
            "evenly_spaced_false_alarms": total(method.dummies.values()).false_alarms,
            "delays": [d and d.events for run in method.by_sensor.values() for d in run.delays],
            "false_by_run": [run.false_alarms for run in method.by_sensor.values()],
        }
        for method in tally.methods()
    }


def measure(series: Sequence[Series], *, small: bool, show: Show) -> Results:
    """Return everything that is measured, ready for JSON."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("driftline", "numpy", "river")},
        },
        "seed": SEED,
        "nab": measure_nab(series, show),
        "errors": measure_errors(SMALL_RUNS if small else ERROR_RUNS, show),
        "sensors": measure_sensors(SMALL_RUNS if small else SENSOR_RUNS, show),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("python -m bench.quality", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--nab",
        type=Path,
        default=SHIPPED,
        metavar="FOLDER",
        help="series of NAB and their windows (default: the one series that is shipped)",
    )
    parser.add_argument("--small", action="store_true", help=f"{SMALL_RUNS} runs of each stream")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw results")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the tables into this page")
    options = parser.parse_args(arguments)
    try:
        series = read_series(options.nab)
    except (FileNotFoundError, ConfigurationError) as error:
        parser.error(f"--nab: {error}")
    stderr = Console(stderr=True)

    def show(steps: Sequence[Any], what: str) -> Iterator[Any]:
        hidden = not sys.stderr.isatty()
        return iter(track(steps, what, console=stderr, transient=True, disable=hidden))

    results = measure(series, small=options.small, show=show)
    tables = quality_tables.tables(results)
    for table in tables.values():
        Console(width=None if sys.stdout.isatty() else 200).print(table.rich())
    if options.json is not None:
        options.json.write_text(json.dumps(results, separators=(",", ":")) + "\n", "utf-8")
    if options.page is not None:
        page = options.page.read_text("utf-8")
        options.page.write_text(quality_tables.put(page, tables), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
