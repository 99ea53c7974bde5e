"""Labels that come late, early, twice or for nothing, and the predictions they are for."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from streams.inspection import show
from tests.deployment import Deployment, get

TS = 1_767_614_400
DAY = 86_400
OUTCOMES = ("matched", "early", "duplicate", "orphan", "expired")


NUMBERS = itertools.count(1)


@pytest.fixture
def oven() -> str:
    """A sensor of the test's own, which the deployment classifies."""
    return f"oven-{next(NUMBERS)}"


def items(oven: str, n: int, first: int = 0) -> list[dict[str, Any]]:
    """Events whose class is told by the temperature."""
    draw = random.Random(first)
    return [
        {
            "sensor_id": oven,
            "event_id": f"item-{number}",
            "ts": TS + number,
            "features": {"temperature": draw.gauss(350.0 if number % 2 else 360.0, 1.0)},
        }
        for number in range(first, first + n)
    ]


def label(event: dict[str, Any], after: int = 60) -> dict[str, Any]:
    """The label of an event: a word, as an inspector would write it."""
    good = int(str(event["event_id"]).removeprefix("item-")) % 2
    return {
        "sensor_id": event["sensor_id"],
        "event_id": event["event_id"],
        "ts": event["ts"] + after,
        "label": "good" if good else "bad",
    }


def outcomes(deployment: Deployment) -> dict[str, int]:
    """The counter `driftline_labels_total` by outcome."""
    _, page = get(deployment.overrides["http.port"], "/metrics")
    found = dict.fromkeys(OUTCOMES, 0)
    for line in page.splitlines():
        for outcome in OUTCOMES:
            if line.startswith(f'driftline_labels_total{{outcome="{outcome}"}}'):
                found[outcome] = int(float(line.split()[-1]))
    return found


def counted(deployment: Deployment, before: dict[str, int]) -> dict[str, int]:
    now = outcomes(deployment)
    return {key: now[key] - before[key] for key in OUTCOMES if now[key] != before[key]}


def send(deployment: Deployment, topic: Any, messages: list[dict[str, Any]]) -> None:
    deployment.produce(topic, *messages)
    deployment.wait_until_done()


def test_late_labels_are_learned_and_predictions_become_right(
    at_work: Deployment, oven: str
) -> None:
    before = outcomes(at_work)
    events = items(oven, 200)
    send(at_work, "sensors", events)
    send(at_work, "labels", [label(event) for event in events])
    later = items(oven, 50, first=200)
    send(at_work, "sensors", later)
    assert counted(at_work, before) == {"matched": 200}
    predictions = {
        p["event_id"]: p for p in at_work.values("predictions") if p["sensor_id"] == oven
    }
    assert len(predictions) == 250
    assert all(predictions[e["event_id"]]["prediction"] is None for e in events)
    right = [predictions[e["event_id"]]["prediction"] == label(e)["label"] for e in later]
    assert sum(right) >= 48
    assert predictions["item-249"]["model"] == {"name": oven, "version": 1}
    shown = show(at_work.settings, oven)
    assert shown is not None
    assert shown["model"]["learned"] == 200
    assert shown["waiting_labels"] == 50


def test_labels_that_come_first_are_kept_for_their_events(at_work: Deployment, oven: str) -> None:
    before = outcomes(at_work)
    events = items(oven, 60)
    send(at_work, "labels", [label(event, after=-60) for event in events])
    assert counted(at_work, before) == {"early": 60}
    send(at_work, "sensors", events)
    shown = show(at_work.settings, oven)
    assert shown is not None
    assert shown["model"]["learned"] == 60
    predictions = [p for p in at_work.values("predictions") if p["sensor_id"] == oven]
    # Made before the event's own label was looked at: the first one knows nothing.
    assert predictions[0]["prediction"] is None
    assert predictions[-1]["prediction"] in ("good", "bad")


def test_a_second_label_of_an_event_is_counted_and_not_learned(
    at_work: Deployment, oven: str
) -> None:
    before = outcomes(at_work)
    events = items(oven, 20)
    send(at_work, "sensors", events)
    send(at_work, "labels", [label(event) for event in events])
    send(at_work, "labels", [label(event, after=90) for event in events[:5]])
    assert counted(at_work, before) == {"matched": 20, "duplicate": 5}
    shown = show(at_work.settings, oven)
    assert shown is not None
    assert shown["model"]["learned"] == 20


def test_labels_and_predictions_that_wait_too_long_are_counted_and_let_go(
    at_work: Deployment, oven: str
) -> None:
    before = outcomes(at_work)
    events = items(oven, 10)
    send(at_work, "sensors", events)
    stray = [{**label(events[0]), "event_id": f"never-{n}"} for n in range(3)]
    send(at_work, "labels", stray)
    # The age of what waits is measured in event time, by the median of three events.
    send(
        at_work,
        "sensors",
        [{**e, "ts": e["ts"] + 40 * DAY} for e in items(oven, 5, first=100)],
    )
    found = counted(at_work, before)
    assert (found["early"], found["orphan"]) == (3, 3)
    assert found["expired"] >= 10


def test_labels_of_a_sensor_that_was_never_seen_wait_for_it(at_work: Deployment, oven: str) -> None:
    event = items(oven, 1)[0]
    send(at_work, "labels", [label(event)])
    send(at_work, "sensors", [event])
    shown = show(at_work.settings, oven)
    assert shown is not None
    assert (shown["events"], shown["model"]["learned"]) == (1, 1)
