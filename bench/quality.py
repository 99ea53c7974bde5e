"""Delay, missed changes and false alarms of the defaults, of River's, and of a dummy.

On series of the Numenta Anomaly Benchmark, on series that come with River, on the set-ups of the
OPTWIN paper, and on sensors that are drawn; and our detectors beside River's and MOA's, index by
index. Prints the tables of docs/quality.md and docs/detection-quality.md, and with --page writes
them there.

    python -m bench.quality [--nab FOLDER] [--small] [--json FILE] [--page FILE]...
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench import annotated, concepts, conformance, detection, false_alarms, quality_tables
from bench.concepts import first_of_each
from bench.drawn import STREAMS
from bench.parallel import ended, side_by_side
from bench.quality_methods import on_errors, on_readings
from bench.quality_nab import PROFILES, SHIPPED, Series, normalised, raw_score, read_series
from bench.quality_streams import error_streams
from bench.quality_tables import Table
from schemas.errors import ConfigurationError
from streams.cli.scores import figures
from streams.comparison import Method
from streams.scoring import Score, evenly_spaced, score, total

SEED = 1
ERROR_RUNS = 30
"""As many as in the paper."""

SMALL_RUNS = 2
SMALL_SENSORS, SMALL_EVENTS, SMALL_CHANGING, SMALL_ITEMS = 2, 2000, 1, 5000

LOOKED_AT = "machine_temperature_system_failure"
"""The series of the demo."""

TUNED_ON = {
    "nab": "how far limits keep from what was no alarm, and when a season ends, were chosen while "
    "looking at the demo's series, nyc_taxi, ambient_temperature and art_daily_jumpsup",
    "annotated": "none",
    "errors": "none",
    "concepts": "none",
    "drawn": "these distributions",
}

Results = dict[str, Any]
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


def measure_nab(series: Sequence[Series]) -> Results:
    """Score every method on every series, and on all together."""
    tally = Tally()
    raw: dict[str, dict[str, dict[str, float]]] = {}
    alarms: dict[str, Mapping[str, list[int]]] = {}
    found = side_by_side(on_readings, [(one.values, one.times) for one in series], "NAB")
    for one, by_method in zip(series, found, strict=True):
        alarms[one.name] = by_method
        tally.add(
            one.name, len(one.times), alarms[one.name], partial(score, one.times, one.windows)
        )
        for name, raised in alarms[one.name].items():
            raw.setdefault(name, {})[one.name] = {
                profile: raw_score(one.times, one.windows, raised, costs)
                for profile, costs in PROFILES.items()
            }
    methods = tally.methods()
    names = [one.name for one in series]
    unseen = [name for name in names if name != LOOKED_AT]
    return {
        "groups": {
            what: {method.name: _nab_total(method, raw[method.name], chosen) for method in methods}
            for what, chosen in (("all", names), ("without the demo's", unseen))
            if chosen and (what == "all" or len(chosen) < len(names))
        },
        "series": {
            name: {
                method.name: {
                    "raised_at": alarms[name][method.name],
                    "nab_raw": raw[method.name][name],
                    **figures(method.by_sensor[name]),
                }
                for method in methods
            }
            for name in names
        },
        "tuned_on": TUNED_ON["nab"],
    }


def _nab_total(
    method: Method, raw: Mapping[str, Mapping[str, float]], names: Sequence[str]
) -> Results:
    chosen = Method(
        method.name,
        {name: method.by_sensor[name] for name in names},
        {name: method.dummies[name] for name in names},
    )
    return {
        "series": len(names),
        "nab": {
            profile: normalised(
                sum(raw[name][profile] for name in names), chosen.total.windows, costs
            )
            for profile, costs in PROFILES.items()
        },
        **_figures(chosen),
    }


def measure_errors(runs: int) -> Results:
    """Run every method on the streams of the OPTWIN paper, and count as MOA does.

    The first alarm after the change finds it, whenever it comes; every other one is false.
    """
    streams = error_streams()
    # Without noise one run is as good as thirty.
    cells = [
        (number, run)
        for number, stream in enumerate(streams)
        for run in range(runs if stream.binary else 1)
    ]
    found = side_by_side(_on_errors, cells, "errors")
    tallies = [Tally() for _ in streams]
    for (number, run), by_method in zip(cells, found, strict=True):
        stream = streams[number]
        n = len(stream.rates)
        tallies[number].add(str(run), n, by_method, partial(first_of_each, [stream.change], n))
    rows = [
        {"stream": stream.name, "methods": _by_run(tally)}
        for stream, tally in zip(streams, tallies, strict=True)
    ]
    return {"streams": rows, "runs": runs, "tuned_on": TUNED_ON["errors"]}


def _on_errors(number: int, run: int) -> Mapping[str, Sequence[int] | None]:
    stream = error_streams()[number]
    values = stream.draw(np.random.default_rng([SEED, number, run])).tolist()
    return on_errors(values, binary=stream.binary)


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


def parts(series: Sequence[Series], *, small: bool) -> dict[str, Callable[[], Any]]:
    """Return what can be measured, by its name in the results."""
    sensors, events = false_alarms.SENSORS, false_alarms.EVENTS
    if small:
        sensors, events = SMALL_SENSORS, SMALL_EVENTS
    changing = SMALL_CHANGING if small else false_alarms.RUNS
    return {
        "conformance": lambda: conformance.measure(1) if small else conformance.measure(),
        "nab": lambda: measure_nab(series),
        "annotated": annotated.measure,
        "errors": lambda: measure_errors(SMALL_RUNS if small else ERROR_RUNS),
        "concepts": lambda: (
            concepts.measure(1, SMALL_ITEMS) if small else concepts.measure(concepts.RUNS)
        ),
        "stationary": lambda: detection.measure_false_alarms(STREAMS, sensors, events, SEED),
        "changes": lambda: detection.measure_changes(STREAMS, changing, SEED, alone=False),
    }


def about() -> Results:
    """Return what the results were made with."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("driftline", "numpy", "river")},
        },
        "seed": SEED,
        "tuned_on": TUNED_ON,
    }


def tables(results: Mapping[str, Any]) -> dict[str, Table]:
    """Return every table by the name of its place in a page."""
    made: dict[str, Callable[[Any], Table]] = {
        "conformance": conformance.table,
        "nab": quality_tables.nab,
        "nab-series": quality_tables.nab_series,
        "annotated": annotated.table,
        "errors": quality_tables.errors,
        "concepts": concepts.table,
    }
    found = {name: results.get(name.partition("-")[0]) for name in made}
    own = {name: made[name](rows) for name, rows in found.items() if rows}
    return {**own, **false_alarms.tables(results)}


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
    parser.add_argument(
        "--only",
        action="append",
        choices=list(parts((), small=True)),
        metavar="PART",
        help="measure this part, and take the others from the file of --json; may be repeated: "
        + ", ".join(parts((), small=True)),
    )
    parser.add_argument("--small", action="store_true", help="few runs, and short ones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw results")
    parser.add_argument(
        "--page",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="put the tables that have a place in this page there; may be repeated",
    )
    options = parser.parse_args(arguments)
    try:
        series = read_series(options.nab)
    except (FileNotFoundError, ConfigurationError) as error:
        parser.error(f"--nab: {error}")
    results: Results = {}
    if options.only and options.json is not None and options.json.is_file():
        results = json.loads(options.json.read_text("utf-8"))
    results |= about()
    for name, measured in parts(series, small=options.small).items():
        if not options.only or name in options.only:
            results[name] = measured()
    made = tables(results)
    for table in made.values():
        Console(width=None if sys.stdout.isatty() else 200).print(table.rich())
    if options.json is not None:
        options.json.write_text(json.dumps(results, separators=(",", ":")) + "\n", "utf-8")
    for page in options.page:
        page.write_text(quality_tables.put(page.read_text("utf-8"), made), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(ended(main))
