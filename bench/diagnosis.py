"""How often a drift is laid to the right cause: a confusion matrix over made-up changes.

Each case is run through the whole pipeline with the built-in settings, labels one event late; what
counts is the diagnosis of the first drift event after the change.

    python -m bench.diagnosis [--runs 8] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable

import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.diagnosis_cases import CALM, CASES, Case
from schemas.settings import load_settings
from streams.backtest import Backtest

DIAGNOSES = ("data", "concept", "prior", "upstream")
NOTHING = "nothing"
AIM = 0.85
"""Part of the changes of each kind that must be laid to the right cause."""

START = 1_767_614_400


def diagnosis(case: Case, seed: int) -> str:
    """Return the diagnosis of the first drift event after the change, ``nothing`` if none came."""
    settings = {"learner.task": case.task, "state.signing_key": "a key for measurements only"}
    backtest = Backtest(load_settings(None, settings))
    for n, (reading, label) in enumerate(case.events(seed)):
        event = {"sensor_id": "s", "event_id": f"e{n}", "ts": START + 60 * n}
        event["features" if isinstance(reading, dict) else "value"] = reading
        messages = [("sensors", orjson.dumps(event))]
        if label is not None:
            truth = {"sensor_id": "s", "event_id": f"e{n}", "ts": START + 60 * n, "label": label}
            messages.append(("labels", orjson.dumps(truth)))
        for kind, message in messages:
            for raw in backtest.feed(kind, message):
                drift = orjson.loads(raw)
                if drift["kind"] == "drift" and drift["source"]["offset"] >= CALM:
                    return str(drift["diagnosis"])
    return NOTHING


def measured(runs: int, seed: int, cases: Iterable[Case] = CASES) -> dict[Case, Counter[str]]:
    """Return what each case was taken for, over so many runs of it."""
    return {
        case: Counter(diagnosis(case, seed + run) for run in range(runs))
        for case in track(
            list(cases),
            "cases",
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
    }


def on_the_diagonal(found: dict[Case, Counter[str]], truth: str) -> float:
    """Return the part of the changes of one kind that was laid to the right cause."""
    rows = [counter for case, counter in found.items() if case.truth == truth]
    return sum(row[truth] for row in rows) / sum(row.total() for row in rows)


def main() -> int:
    """Print the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8, help="runs of each case (default 8)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs: expected an integer from 1")
    found = measured(options.runs, options.seed)
    columns = (*DIAGNOSES, NOTHING)
    each = Table(title=f"What was said of each change; {options.runs} runs of each")
    for heading in ("task", "truth", "change"):
        each.add_column(heading, no_wrap=True)
    for heading in columns:
        each.add_column(heading, justify="right", no_wrap=True)
    for case, said in found.items():
        cells = [str(said[name]) if said[name] else "" for name in columns]
        style = None if said[case.truth] >= AIM * options.runs else "red"
        each.add_row(case.task, case.truth, case.name, *cells, style=style)
    matrix = Table(title="Truth in rows, what was said in columns")
    matrix.add_column("truth")
    for heading in (*columns, "right"):
        matrix.add_column(heading, justify="right")
    missed = 0
    for truth in DIAGNOSES:
        counts = Counter[str]()
        for case, said in found.items():
            if case.truth == truth:
                counts += said
        right = on_the_diagonal(found, truth)
        missed += right < AIM
        matrix.add_row(truth, *(str(counts[name]) for name in columns), f"{right:.0%}")
    console = Console(width=max(Console().width, 120))
    console.print(each)
    console.print(matrix)
    print(f"{missed} kinds miss: at least {AIM:.0%} right")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
