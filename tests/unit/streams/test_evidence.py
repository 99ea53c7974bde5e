"""What a drift event says for itself: which inputs moved, how far, and which of them first."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from learners.snapshot import dumps, loads, signing_key
from streams.changelog import parse_key
from streams.stored import snapshot_of
from tests.pipelines import Partition, configured, label, reading

Draw = Callable[[random.Random, int], tuple[dict[str, Any], Any]]


def partition(task: str = "classification", **sections: Any) -> Partition:
    sections = {"detectors": {"warmup": 100}, "learner": {"task": task, "grace": 100}} | sections
    return Partition(configured(**sections))


def feed(at_work: Partition, draw: Draw, events: range, *, late: int = 0) -> None:
    """Feed oven-2, each label so many events after its event."""
    rng, waiting = random.Random(events.start), []
    for n in events:
        x, y = draw(rng, n)
        at_work.work("sensors", [at_work.record("sensors", feature_event(n, x))])
        waiting.append((n, y))
        if y is not None and len(waiting) > late:
            first, truth = waiting.pop(0)
            record = at_work.record("labels", label("oven-2", f"e{first}", truth, n=n))
            at_work.work("labels", [record])
    at_work.checkpoint()


def feature_event(n: int, x: dict[str, Any]) -> bytes:
    return reading("oven-2", n=n, features=x, event_id=f"e{n}")


def drifts(at_work: Partition) -> list[dict[str, Any]]:
    return [a for a in at_work.written("alerts") if a["kind"] == "drift"]


def two_that_move(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
    """From 600 on b moves, from 630 on a, and farther."""
    a, b = rng.gauss(4.0 if n >= 630 else 0.0, 1.0), rng.gauss(1.5 if n >= 600 else 0.0, 1.0)
    return {"a": a, "b": b, "c": rng.gauss(0, 1), "lot": rng.choice("AB")}, int(a + b > 1)


def test_the_farthest_stands_first_and_the_first_to_move_is_marked() -> None:
    at_work = partition("anomaly")
    feed(at_work, lambda rng, n: (two_that_move(rng, n)[0], None), range(700))
    (drift, *_) = drifts(at_work)
    evidence = drift["evidence"]
    inputs = [entry for entry in evidence if entry["subject"] == "feature"]
    assert {entry["name"] for entry in inputs} == {"a", "b", "c", "lot"}
    assert [entry["moved"] for entry in evidence] == sorted(
        (entry["moved"] for entry in evidence), reverse=True
    )
    (first,) = [entry for entry in inputs if entry["first_moved"]]
    assert first["name"] == "b"
    assert 595 <= first["change_point"]["offset"] <= 605
    by_name = {entry["name"]: entry for entry in inputs}
    assert by_name["b"]["moved"]
    assert not by_name["c"]["moved"]
    assert (by_name["c"]["method"], by_name["lot"]["method"]) == ("histogram", "categories")
    assert by_name["lot"]["ks"] is None
    assert by_name["c"]["psi"] < by_name["b"]["psi"]


def test_a_value_has_the_distances_of_normals() -> None:
    at_work = Partition(configured(detectors={"warmup": 100}))
    rng = random.Random(1)
    for n in range(500):
        value = rng.gauss(20.0 if n < 400 else 22.0, 1.0)
        at_work.work("sensors", [at_work.record("sensors", reading(value=value, n=n))])
    at_work.checkpoint()
    (drift, *_) = drifts(at_work)
    (value,) = [entry for entry in drift["evidence"] if entry["subject"] == "value"]
    assert value["method"] == "normal"
    assert value["moved"]
    assert value["wasserstein"] == pytest.approx(2.0, abs=0.5)
    assert value["shift"] == pytest.approx(2.0, abs=0.5)
    assert value["ks"] > 0.5
    assert value["change_point"] == drift["change_point"]
    assert (value["reference_n"], value["recent_n"]) == (drift["before"]["n"], drift["after"]["n"])


def test_missing_readings_are_told_as_shares() -> None:
    at_work = Partition(configured(detectors={"warmup": 100}))
    values = [20.0 + n % 7 if n < 400 or n % 2 else None for n in range(600)]
    at_work.feed("sensors", *(reading(value=v, n=n) for n, v in enumerate(values)))
    (drift, *_) = drifts(at_work)
    (missing,) = [entry for entry in drift["evidence"] if entry["subject"] == "missing"]
    assert missing["method"] == "categories"
    assert missing["psi"] > 0.25


def test_a_recovery_has_no_evidence() -> None:
    at_work = partition("anomaly", episodes={"quiet_events": 40})
    feed(at_work, lambda rng, n: (two_that_move(rng, n)[0], None), range(1000))
    recovered = [a for a in at_work.written("alerts") if a["kind"] == "recovered"]
    assert recovered
    assert all(a["evidence"] == [] for a in recovered)


def test_there_are_ten_entries_at_most() -> None:
    at_work = partition("anomaly")

    def many(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        return {f"x{i}": rng.gauss(3.0 * (n >= 500), 1) for i in range(30)}, None

    feed(at_work, many, range(560))
    assert [len(drift["evidence"]) for drift in drifts(at_work)[:1]] == [10]


def rule(limit: float) -> Draw:
    def draw(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
        x = {"a": rng.gauss(0, 1), "b": rng.gauss(0, 1)}
        return x, "good" if x["a"] > (limit if n >= 1500 else 0.0) else "bad"

    return draw


def test_a_rule_that_changes_under_unchanged_inputs_is_concept() -> None:
    at_work = partition()
    feed(at_work, rule(1.0), range(2200))
    (drift, *_) = drifts(at_work)
    assert drift["source"]["offset"] >= 1500
    assert drift["diagnosis"] == "concept"
    assert not any(e["moved"] for e in drift["evidence"] if e["subject"] == "feature")


def shift_that_fails(rng: random.Random, n: int) -> tuple[dict[str, Any], Any]:
    """From 1500 on the input lies where the model, a line, does not know the curve."""
    a = rng.gauss(0.0 if n < 1500 else 4.0, 1.0)
    return {"a": a}, a * a + rng.gauss(0, 0.3)


@pytest.mark.parametrize("late", [0, 600])
def test_errors_at_inputs_never_seen_before_are_data_however_late_their_labels(late: int) -> None:
    at_work = partition("regression", episodes={"quiet_events": 200})
    feed(at_work, shift_that_fails, range(3000), late=late)
    found = [drift for drift in drifts(at_work) if drift["source"]["offset"] >= 1500]
    assert found
    on_error = [drift["diagnosis"] for drift in found[:2] if drift["signal"] == "error"]
    assert found[0]["diagnosis"] == "data"
    assert set(on_error) <= {"data"}


def test_a_restored_sensor_tells_the_same() -> None:
    going, stopped = partition(), partition()
    feed(going, rule(1.0), range(1000))
    feed(going, rule(1.0), range(1000, 2200))
    feed(stopped, rule(1.0), range(1000))
    stopped.restart()
    feed(stopped, rule(1.0), range(1000, 2200))
    assert stopped.written("alerts") == going.written("alerts")
    assert stopped.state() == going.state()


def test_the_state_of_an_earlier_version_gets_evidence_from_now_on() -> None:
    at_work = partition("anomaly")
    draw: Draw = lambda rng, n: (two_that_move(rng, n - 300)[0], None)  # noqa: E731
    feed(at_work, draw, range(300))
    key = signing_key(at_work.settings.state)
    for name, row in at_work.rows.items():
        if parse_key(name)[0] == "sensor":
            stored = loads(snapshot_of(row), key)
            stored.version = 1
            del stored.values["observed"]
            head = row[: -len(snapshot_of(row))]
            at_work.rows[name] = head + dumps(stored, key)
    at_work.restart()
    assert at_work.sensor("oven-2").observed is None
    feed(at_work, draw, range(300, 1000))
    (drift, *_) = drifts(at_work)
    assert {e["name"] for e in drift["evidence"] if e["moved"]} >= {"b"}
