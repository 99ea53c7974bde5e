"""A classifier that is replaced when its errors drift: the other set-ups of the OPTWIN paper.

Tosi and Theobald, "OPTWIN: drift identification with optimal sub-windows" (arXiv 2305.11942): Naive
Bayes on 100,000 items of STAGGER, AGRAWAL and RANDOM RBF, whose concept changes every 20,000 items,
at once or over 1,000. Concepts and their order are those of the scripts that the authors published
(github.com/maurodlt/OptWin), streams and classifiers River's, where theirs are MOA's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Protocol

from river.datasets import synth

from bench.naive_bayes import NaiveBayes
from bench.parallel import side_by_side
from bench.quality_methods import ErrorMonitor
from bench.quality_tables import Table
from detectors import create
from streams.comparison import DRIFTLINE, DUMMY
from streams.scoring import Delay, Score, evenly_spaced, total

Item = tuple[dict[str, Any], Any]
Results = dict[str, Any]

ITEMS: Final = 100_000
CONCEPTS: Final = 5
RUNS: Final = 1
NEVER: Final = "never replaced"
RIVERS: Final = ("adwin", "page-hinkley", "ddm")


class Watch(Protocol):
    """What is told of each error, and says whether there is a warning or a drift."""

    def update(self, error: int) -> str | None:
        """Take an error (1) or a right answer (0)."""


class RiverWatch:
    """A detector of River at River's defaults."""

    def __init__(self, name: str) -> None:
        self._detector = create(name)

    def update(self, error: int) -> str | None:
        """Take an error (1) or a right answer (0)."""
        self._detector.update(error)
        if self._detector.drift_detected:
            return "drift"
        return "warning" if self._detector.warning_detected else None


class NoWatch:
    """Finds nothing."""

    def update(self, error: int) -> str | None:
        """Take an error (1) or a right answer (0)."""
        return None


WATCHES: dict[str, Callable[[], Watch]] = {
    DRIFTLINE: lambda: ErrorMonitor(binary=True),
    **{name: lambda name=name: RiverWatch(name) for name in RIVERS},  # type: ignore[misc]
    NEVER: NoWatch,
}


# --- streams and classifiers -------------------------------------------------------------


def _stagger(seed: int) -> list[Iterable[Item]]:
    return [synth.STAGGER(function, seed=seed) for function in (0, 1, 2, 0, 1)]


def _agrawal(seed: int) -> list[Iterable[Item]]:
    return [synth.Agrawal(function, seed=seed) for function in (4, 3, 2, 1, 0)]


def _random_rbf(seed: int) -> list[Iterable[Item]]:
    return [synth.RandomRBF(seed_model=model, seed_sample=seed) for model in (1, 2, 3, 4, 5)]


STREAMS: dict[str, tuple[Callable[[int], list[Iterable[Item]]], dict[int, int]]] = {
    "STAGGER": (_stagger, {0: 3, 1: 3, 2: 3}),
    # Education, make of car, and zip code.
    "AGRAWAL": (_agrawal, {3: 5, 4: 20, 5: 9}),
    "RANDOM RBF": (_random_rbf, {}),
}
"""Its concepts in their order; which attributes are names, and of how many."""

WIDTHS: Final = {"sudden": 1, "gradual": 1000}


def items(name: str, kind: str, seed: int, count: int) -> Iterator[Item]:
    """Draw a stream whose concept changes four times, at equal distances.

    Parameters
    ----------
    name, kind
        Of `STREAMS` and `WIDTHS`.
    seed
        Of the items, and of which concept an item is drawn from during a change.
    count
        How many items.
    """
    concepts = STREAMS[name][0](seed)
    mixed: Any = concepts[-1]
    for concept in reversed(concepts[:-1]):
        mixed = synth.ConceptDriftStream(
            concept, mixed, position=count // CONCEPTS, width=WIDTHS[kind], seed=seed
        )
    return islice(_calm(mixed), count)


def _calm(mixed: Any) -> Iterator[Item]:
    """Iterate as River does, but for exponents that a float can't hold."""
    if not isinstance(mixed, synth.ConceptDriftStream):
        yield from mixed
        return
    rng = random.Random(mixed.seed)
    before, after = iter(mixed.stream), _calm(mixed.drift_stream)
    number = 0
    while True:
        number += 1
        exponent = -4.0 * (number - mixed.position) / mixed.width
        chance = 0.0 if exponent > 700.0 else 1.0 / (1.0 + math.exp(exponent))
        yield next(before if rng.random() > chance else after)


# --- measurement -------------------------------------------------------------------------


def run(name: str, watched: str, drawn: Iterable[tuple[list[Any], Any]]) -> tuple[list[int], int]:
    """Let a classifier predict, then learn, each item; replace it at a drift of its errors.

    From a warning on, the one that is to replace it learns too, as in MOA's
    ``DriftDetectionMethodClassifier``.

    Returns
    -------
    list of int
        The items at which it was replaced.
    int
        How many it got right.
    """
    names, watch = STREAMS[name][1], WATCHES[watched]()
    model: NaiveBayes = NaiveBayes(names)
    heir: NaiveBayes | None = None
    replaced, right = [], 0
    for index, (x, y) in enumerate(drawn):
        error = int(model.predict(x) != y)
        right += 1 - error
        found = watch.update(error)
        if found == "drift":
            replaced.append(index)
            model, heir = heir or NaiveBayes(names), None
        elif found == "warning" and heir is None:
            heir = NaiveBayes(names)
        model.learn(x, y)
        if heir is not None:
            heir.learn(x, y)
    return replaced, right


def first_of_each(changes: Sequence[int], events: int, alarms: Sequence[int]) -> Score:
    """Score alarms: the first one between a change and the next finds it, every other is false."""
    ends = [*changes[1:], events]
    hits = [
        next((alarm for alarm in sorted(alarms) if begin < alarm <= end), None)
        for begin, end in zip(changes, ends, strict=True)
    ]
    delays = tuple(
        None if hit is None else Delay(hit - begin, float(hit - begin))
        for begin, hit in zip(changes, hits, strict=True)
    )
    false = len(alarms) - sum(hit is not None for hit in hits)
    return Score(events, events, float(events), len(alarms), false, delays)


def _measured(name: str, kind: str, seed: int, count: int) -> Results:
    drawn = [(list(x.values()), y) for x, y in items(name, kind, seed, count)]
    found = {watched: run(name, watched, drawn) for watched in WATCHES}
    return {
        watched: {"alarms": alarms, "accuracy": right / count}
        for watched, (alarms, right) in found.items()
    }


def measure(runs: int, count: int = ITEMS) -> list[Results]:
    """Run every classifier on every stream: a row per stream."""
    cells = [(name, kind) for name in STREAMS for kind in WIDTHS]
    tasks = [(*cell, seed, count) for cell in cells for seed in range(1, runs + 1)]
    parts = side_by_side(_measured, tasks, "classifiers")
    found: dict[tuple[str, str], dict[str, list[Results]]] = {}
    for (name, kind, *_), part in zip(tasks, parts, strict=True):
        for watched, one in part.items():
            found.setdefault((name, kind), {}).setdefault(watched, []).append(one)
    return [
        {
            "stream": f"{name}, {kind}",
            "runs": runs,
            "items": count,
            "methods": _rows(by, _begins(kind, count), count),
        }
        for (name, kind), by in found.items()
    ]


def _begins(kind: str, count: int) -> list[int]:
    """Return where changes begin: at once, or where 2 % of the items are of the next concept."""
    early = WIDTHS[kind] if WIDTHS[kind] > 1 else 0
    return [count // CONCEPTS * number - early for number in range(1, CONCEPTS)]


def _rows(by_watch: dict[str, list[Results]], changes: Sequence[int], count: int) -> Results:
    rows: Results = {}
    for watched, runs in by_watch.items():
        row: Results = {"accuracy": sum(one["accuracy"] for one in runs) / len(runs)}
        if watched != NEVER:
            row |= _scored([one["alarms"] for one in runs], changes, count)
        rows[watched] = row
        if watched == DRIFTLINE:
            spaced = [evenly_spaced(count, len(one["alarms"])) for one in runs]
            rows[DUMMY] = {"accuracy": None, **_scored(spaced, changes, count)}
    return rows


def _scored(alarms: Sequence[Sequence[int]], changes: Sequence[int], count: int) -> Results:
    summed = total(first_of_each(changes, count, one) for one in alarms)
    return {
        "alarms": [list(one) for one in alarms],
        "mtd_events": summed.mtd_events,
        "missed": summed.missed,
        "windows": summed.windows,
        "false_alarms": summed.false_alarms,
        "f1": summed.f1,
    }


def table(rows: Sequence[Results]) -> Table:
    """A row per stream and method."""
    made = []
    for row in rows:
        for name, found in row["methods"].items():
            told = ["-"] * 4
            if "f1" in found:
                delay = found["mtd_events"]
                told = [
                    "-" if delay is None else f"{delay:,.0f}",
                    f"{found['missed']} of {found['windows']}",
                    f"{found['false_alarms'] / row['runs']:.1f}",
                    f"{found['f1']:.2f}",
                ]
            accuracy = found["accuracy"]
            share = "-" if accuracy is None else f"{100 * accuracy:.1f} %"
            made.append([row["stream"], f"`{name}`", *told, share])
    headers = ("stream", "method", "mean delay", "missed", "false per run", "F1", "right answers")
    title = f"Naive Bayes, {rows[0]['items']:,} items, {rows[0]['runs']} runs"
    return Table(title, headers, made, left=2)
