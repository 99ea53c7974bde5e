"""What MOA found: ``indices.json``, written anew by ``python -m tests.moa.recorded``.

A test of the lane ``moa`` holds it against MOA; others hold our detectors against it, without Java.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detectors import create
from tests.moa import oracle
from tests.moa.cases import CASES, SEEDS, Case

FILE = Path(__file__).parent / "indices.json"


@dataclass(frozen=True)
class Found:
    """What a detector reports on a stream.

    Parameters
    ----------
    changes
        Indices.
    warnings
        First and last index of each stretch; an index that is a change is in none.
    """

    changes: list[int]
    warnings: list[list[int]]


Recorded = dict[str, dict[str, list[dict[str, Found]]]]
"""By label of the case, stream and seed: ``moa``, and ``ours`` if that is not the same."""


def read() -> Recorded:
    """Return what is recorded."""
    return {
        label: {
            name: [{who: Found(**found) for who, found in run.items()} for run in runs]
            for name, runs in streams.items()
        }
        for label, streams in json.loads(FILE.read_text("utf-8")).items()
    }


def by_moa() -> dict[tuple[str, str, int], Found]:
    """Ask MOA, for each label, stream and seed.

    Raises
    ------
    NoOracle
        MOA can't be run here.
    """
    asked = [(case, name, seed) for case in CASES for name in case.streams for seed in SEEDS]
    answers = oracle.run([(case.moa, case.stream(name, seed)) for case, name, seed in asked])
    return {
        (case.label, name, seed): Found(changes, _stretches(warnings))
        for (case, name, seed), (changes, warnings) in zip(asked, answers, strict=True)
    }


def found_by(case: Case, detector: Any, values: list[float]) -> Found:
    """Return what a detector of ours, or of River, reports."""
    changes, warnings = [], []
    for index, x in enumerate(values):
        detector.update(x)
        if detector.drift_detected:
            changes.append(index)
            if case.moa.startswith("first "):
                break
        elif getattr(detector, "warning_detected", False):
            warnings.append(index)
    return Found(changes, _stretches(warnings))


def found_by_us(case: Case, name: str, seed: int) -> Found:
    """Return what our detector reports on a stream of a case."""
    return found_by(case, create(case.name, **case.params), case.stream(name, seed))


def _stretches(indices: list[int]) -> list[list[int]]:
    made: list[list[int]] = []
    for index in indices:
        if made and index == made[-1][1] + 1:
            made[-1][1] = index
        else:
            made.append([index, index])
    return made


def _write() -> None:
    moas = by_moa()
    rows = []
    for case in CASES:
        streams: dict[str, list[dict[str, Any]]] = {}
        for name in case.streams:
            for seed in SEEDS:
                moa, ours = moas[case.label, name, seed], found_by_us(case, name, seed)
                both = {"moa": moa} if moa == ours else {"moa": moa, "ours": ours}
                run = {who: asdict(found) for who, found in both.items()}
                streams.setdefault(name, []).append(run)
        rows.append(f"{json.dumps(case.label)}: {json.dumps(streams, separators=(',', ':'))}")
    joined = ",\n".join(rows)
    FILE.write_text(f"{{\n{joined}\n}}\n", "utf-8")


if __name__ == "__main__":
    _write()
