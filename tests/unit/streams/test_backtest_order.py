"""A backtest finds what a worker would find, in the same order, whenever it is run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from streams import backtest as module
from streams.backtest import Backtest, merge
from streams.partitioner import partition_for
from tests.pipelines import START, Partition, configured, label, reading

PARTITIONS = 8


def shifted(n: int = 200) -> list[bytes]:
    """Three sensors whose values jump one after the other."""
    draw = random.Random(11)
    return [
        reading(f"press-{k}", draw.gauss(20.0 if i < n // 2 + 10 * k else 30.0, 1.0), n=i)
        for i in range(n)
        for k in range(3)
    ]


def test_a_backtest_finds_the_same_drift_events_as_the_owners_of_the_partitions() -> None:
    chosen = configured(policy={"enabled": False})
    owners: dict[int, Partition] = {}
    for message in shifted():
        key = orjson.loads(message)["sensor_id"].encode()
        number = partition_for(key, PARTITIONS)
        owner = owners.setdefault(number, Partition(chosen, number))
        owner.work("sensors", [owner.record("sensors", message, key=key)])
    for owner in owners.values():
        owner.checkpoint()
    backtest = Backtest(chosen)
    found = [alert for message in shifted() for alert in backtest.feed("sensors", message)]
    by_partition = {
        number: [a for a in found if orjson.loads(a)["source"]["partition"] == number]
        for number in owners
    }
    assert backtest.totals.alerts == len(found) >= 3
    assert by_partition == {
        number: [e.value for e in owner.effects if e.topic == "driftline.alerts"]
        for number, owner in owners.items()
    }


def test_offsets_are_those_of_a_partition_that_was_empty() -> None:
    backtest = Backtest(configured())
    found = [orjson.loads(a) for m in shifted() for a in backtest.feed("sensors", m)]
    points = [(e["change_point"]["offset"], e["source"]["offset"]) for e in found if e["after"]]
    assert len(points) >= 3
    assert all(0 <= point <= source < 600 for point, source in points)


def test_two_runs_print_the_same_bytes(tmp_path: Path) -> None:
    events, labels = tmp_path / "events.jsonl", tmp_path / "labels.jsonl"
    draw = random.Random(3)
    rows, verdicts = [], []
    for n in range(700):
        features = {"a": draw.gauss(0.0, 1.0), "b": draw.gauss(0.0, 1.0), "lot": draw.choice("xyz")}
        wet = (float(features["a"]) > 0.0) ^ (n > 400)
        rows.append(reading("oven-2", n=n, features=features, event_id=f"e-{n}"))
        verdicts.append(label("oven-2", f"e-{n}", "wet" if wet else "dry", n=n + 3))
    events.write_bytes(b"\n".join(rows) + b"\n")
    labels.write_bytes(b"\n".join(verdicts) + b"\n")
    command = [sys.executable, "-m", "streams", "backtest", str(events), "--labels", str(labels)]
    command += ["--json", "--set", "learner.task=classification"]
    runs = [
        subprocess.run(
            command,
            capture_output=True,
            timeout=120,
            check=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": seed, "XDG_STATE_HOME": str(tmp_path)},
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert b'"kind":"drift"' in runs[0].stdout


def test_a_label_that_the_model_cannot_learn_is_named_and_changes_nothing() -> None:
    chosen = configured(learner={"task": "regression"})
    one, other = Backtest(chosen), Backtest(chosen)
    for n in range(60):
        event = reading("oven-2", n=n, features={"a": float(n)}, event_id=f"e-{n}")
        verdict = label("oven-2", f"e-{n}", 3.0 * n, n=n)
        for backtest in (one, other):
            assert list(backtest.feed("sensors", event)) == []
            list(backtest.feed("labels", verdict))
        if n == 40:
            assert list(one.feed("labels", label("oven-2", "e-1", "wet", n=n))) == []
            assert one.refusals == ["labels record 41: $.label: expected a finite number"]
    assert one.refusals == []
    assert one.totals.dead_letters == 1
    assert one.totals.labels == other.totals.labels
    (mine,), (others,) = one._pipelines.values(), other._pipelines.values()
    sensors = mine.sensor("oven-2"), others.sensor("oven-2")
    assert sensors[0] is not None
    assert sensors[1] is not None
    assert sensors[0].prequential == sensors[1].prequential
    assert sensors[0].examples == 60


def test_a_defect_in_a_backtest_costs_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    from streams import pipeline

    genuine = pipeline.HANDLERS["sensors"]

    def broken(sensor: object, event: object, context: object) -> object:
        done = genuine(sensor, event, context)
        if event.value == 666.0:  # type: ignore[attr-defined]
            raise ZeroDivisionError("a defect of ours")
        return done

    monkeypatch.setattr(pipeline, "HANDLERS", {**pipeline.HANDLERS, "sensors": broken})
    monkeypatch.setattr(module, "UNSAVED", 25)
    backtest = Backtest(configured())
    for n in range(60):
        list(backtest.feed("sensors", reading(value=666.0 if n % 10 == 7 else 20.0, n=n)))
    assert backtest.totals.dead_letters == 6
    assert backtest.totals.scored == 54
    (owner,) = backtest._pipelines.values()
    sensor = owner.sensor("press-7")
    assert sensor is not None
    assert sensor.events == 54


def test_a_label_comes_before_the_first_event_that_is_later() -> None:
    sensors = [reading(value=1.0, n=n) for n in (0, 10, 10, 20)]
    labels = [label("press-7", f"e-{n}", 1, n=n) for n in (15, 5, 10, 99, 5)]
    merged = list(merge(sensors, labels))
    times = [(kind, orjson.loads(raw)["ts"] - START) for kind, raw in merged]
    assert times == [
        ("sensors", 0),
        ("labels", 5),
        ("labels", 5),
        ("sensors", 10),
        ("sensors", 10),
        ("labels", 10),
        ("labels", 15),
        ("sensors", 20),
        ("labels", 99),
    ]


def test_events_keep_their_order_even_if_their_times_do_not() -> None:
    sensors = [reading(value=float(n), n=n) for n in (5, 1, 9)]
    assert [raw for _, raw in merge(sensors, [])] == sensors
