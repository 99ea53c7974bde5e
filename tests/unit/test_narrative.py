"""What the demo says, for someone who sees it for the first time."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from schemas.timestamps import format_timestamp
from streams.datasets import Change, Dataset
from streams.narrative import Narrative
from streams.web.words import strongest

MINUTE = 60_000_000
START = 1_767_614_400_000_000
DATASET = Dataset(
    "ovens",
    "Two ovens",
    lambda: iter(()),
    (
        Change("oven-1", "mean shift", START, "the mean jumps 3 degrees higher"),
        Change("oven-2", "stuck", START + MINUTE, "the sensor repeats itself", START + 9 * MINUTE),
    ),
    calm_sensors=7,
)


def drift(sensor: str, minute: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"{sensor}@{minute}",
        "sensor_id": sensor,
        "ts": format_timestamp(START + minute * MINUTE),
        "kind": "drift",
        "detector": "page-hinkley",
        "signal": "value",
        "direction": "up",
        "diagnosis": "data",
        "severity": "high",
        "score": 70.5,
        "threshold": 70.0,
        "change_point": {"ts": format_timestamp(START), "offset": 3},
        "before": {"n": 100, "mean": 20.0, "std": 1.0},
        "after": {"n": 30, "mean": 23.0, "std": 1.0},
        **fields,
    }


def step(action: str, drift_id: str, versions: tuple[int, int] = (1, 1)) -> dict[str, Any]:
    before, after = ({"name": "oven-1", "version": version} for version in versions)
    return {
        "sensor_id": "oven-1",
        "action": action,
        "drift_event_id": drift_id,
        "model_before": before,
        "model_after": after,
        "reason": "error 0.1 against 0.4",
    }


def told(*events: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    with Narrative(Console(file=out, width=200), DATASET) as narrative:
        for event in events:
            if "action" in event:
                narrative.adaptation(event)
            else:
                narrative.alert(event)
    narrative.end(1200, 1199, 1, 12.3)
    return out.getvalue().splitlines()


def test_a_drift_is_told_with_what_when_why_and_what_really_happened() -> None:
    head, *details = told(drift("oven-1", 120))[:6]
    assert head.split() == ["2026-01-05", "14:00", "DRIFT", "oven-1", "severity", "high"]
    assert [line.split(maxsplit=1) for line in details[:2]] == [
        ["what", "The value went up: mean 20 before, 23 since."],
        ["when", "began about 2026-01-05 12:00, noticed 2 hours later"],
    ]
    assert "why        data drift: the input changed" in details[2]
    assert "found by   page-hinkley on value, 70.5 against a limit of 70" in details[3]
    assert "truth      the mean jumps 3 degrees higher" in details[4]


def test_a_step_names_the_drift_it_answers_and_the_versions() -> None:
    lines = told(drift("oven-1", 5), step("promote", "oven-1@5", (1, 2)))
    (line,) = [line for line in lines if "PROMOTE" in line]
    assert "the new model takes over, version 1 -> 2" in line
    assert "(error 0.1 against 0.4, after the drift of 2026-01-05 12:05)" in line


def test_the_summary_counts_what_went_in_and_out() -> None:
    text = "\n".join(told(drift("oven-1", 5), step("relearn", "oven-1@5")))
    assert "1,200 events produced, 1,199 scored, 1 dead letters in 12 s." in text
    assert "1 drifts, 0 warnings, 0 times quiet again." in text
    assert "Steps taken: relearn 1." in text


def test_findings_are_held_against_the_truth() -> None:
    lines = told(drift("oven-1", 5), drift("oven-2", 20), drift("calm-3", 6))
    assert "1 of 2 known changes were found:" in lines
    assert any("oven-1: the mean jumps" in x and x.endswith("found after 5 minutes") for x in lines)
    assert any("oven-2: the sensor" in x and x.endswith("not found") for x in lines)
    assert "Of the 7 sensors that never changed, 1 raised a drift." in lines


def test_the_strongest_evidence_is_told_in_words() -> None:
    far = {"subject": "feature", "name": "b", "moved": True, "shift": -2.5, "psi": 1.25}
    first = {**far, "name": "a", "shift": 0.5, "psi": 0.3, "first_moved": True}
    said = strongest({"evidence": [far, first, {**far, "name": "c", "moved": False}]})
    assert said == "b moved the farthest, down by 2.5 standard deviations (PSI 1.2); a moved first"
    of_a_class = {"subject": "label", "name": "good", "moved": True, "shift": None, "psi": 0.5}
    assert strongest({"evidence": [of_a_class]}) == "the label of class good moved (PSI 0.5)"


@pytest.mark.parametrize("drift", [{}, {"evidence": None}, {"evidence": [{"moved": False}]}])
def test_without_evidence_nothing_is_said(drift: dict[str, Any]) -> None:
    assert strongest(drift) == ""
