"""Drift events as a subscriber sees them."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from streams.records import Outgoing
from tests.pipelines import START, Partition, configured, reading

KEYS = [
    "id",
    "sensor_id",
    "ts",
    "kind",
    "detector",
    "signal",
    "direction",
    "diagnosis",
    "severity",
    "episode_id",
    "score",
    "threshold",
    "change_point",
    "before",
    "after",
    "model",
    "source",
    "evidence",
    "members",
    "member_count",
]
QUIET = 40


def written(number: int = 0) -> list[Outgoing]:
    """Drift events of a sensor whose level moves up and stays."""
    draw = random.Random(6)
    partition = Partition(configured(episodes={"quiet_events": QUIET}), number)
    for n in range(400):
        value = draw.gauss(20.0 if n < 200 else 26.0, 1.0)
        partition.feed("sensors", reading(value=value, n=10 * n))
    return [e for e in partition.effects if e.topic == "driftline.alerts"]


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return [orjson.loads(e.value or b"") for e in written()]


def test_all_keys_are_there_in_their_order(events: list[dict[str, Any]]) -> None:
    assert {e["kind"] for e in events} == {"drift", "recovered"}
    for event in events:
        assert list(event) == KEYS
        assert list(event["source"]) == ["topic", "partition", "offset"]
        assert list(event["model"]) == ["name", "version"]


def test_a_drift_says_what_was_before_and_what_is_after(events: list[dict[str, Any]]) -> None:
    drift = events[0]
    assert (drift["signal"], drift["detector"], drift["direction"]) == (
        "value",
        "page-hinkley",
        "up",
    )
    assert (drift["diagnosis"], drift["severity"]) == ("data", "high")
    assert list(drift["before"]) == list(drift["after"]) == ["n", "mean", "std"]
    assert abs(drift["before"]["mean"] - 20.0) < 0.5
    assert abs(drift["after"]["mean"] - 26.0) < 0.8
    assert drift["score"] > drift["threshold"]


def test_the_change_point_lies_within_the_data_and_its_time_is_that_of_its_event(
    events: list[dict[str, Any]],
) -> None:
    drift = events[0]
    point = drift["change_point"]
    assert list(point) == ["ts", "offset"]
    assert 195 <= point["offset"] <= 205
    assert point["offset"] <= drift["source"]["offset"] < 220
    minutes, seconds = divmod(10 * point["offset"], 60)
    assert point["ts"] == f"2026-01-05T12:{minutes:02}:{seconds:02}Z"
    assert drift["after"]["n"] == drift["source"]["offset"] - point["offset"] + 1


def test_its_time_is_that_of_the_event_that_fired(events: list[dict[str, Any]]) -> None:
    for event in events:
        minutes, seconds = divmod(10 * event["source"]["offset"], 60)
        hours, minutes = divmod(minutes, 60)
        assert event["ts"] == f"2026-01-05T{12 + hours}:{minutes:02}:{seconds:02}Z"


def test_a_recovery_ends_the_episode_that_the_drift_began(events: list[dict[str, Any]]) -> None:
    drift, recovered = events[0], events[1]
    assert recovered["kind"] == "recovered"
    assert recovered["episode_id"] == drift["episode_id"]
    assert (recovered["signal"], recovered["detector"]) == (drift["signal"], drift["detector"])
    assert recovered["source"]["offset"] >= drift["source"]["offset"] + QUIET
    assert [recovered[k] for k in ("change_point", "before", "after", "score", "threshold")] == [
        None
    ] * 5


def test_ids_are_the_same_on_each_replay_and_others_on_another_partition() -> None:
    first, again, other = written(), written(), written(number=1)
    assert [e.value for e in first] == [e.value for e in again]
    ids = [[orjson.loads(e.value or b"")["id"] for e in run] for run in (first, other)]
    assert len(set(ids[0])) == len(first)
    assert not set(ids[0]) & set(ids[1])


def test_the_headers_are_those_of_cloud_events_in_binary_mode() -> None:
    event = written()[0]
    body = orjson.loads(event.value or b"")
    assert event.key == b"press-7"
    assert event.timestamp is None
    assert dict(event.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": body["id"].encode(),
        "ce_type": b"driftline.drift.v1",
        "ce_source": dict(event.headers)["ce_source"],
        "ce_subject": b"press-7",
        "ce_time": body["ts"].encode(),
        "content-type": b"application/json",
    }
    assert dict(event.headers)["ce_source"]


def test_events_out_of_order_in_time_are_reported_with_their_own_times() -> None:
    draw = random.Random(6)
    partition = Partition(configured())
    times = {}
    for n in range(300):
        times[n] = 1000 - n
        value = draw.gauss(20.0 if n < 200 else 40.0, 1.0)
        partition.feed("sensors", reading(value=value, n=times[n]))
    drift = next(e for e in partition.written("alerts") if e["kind"] == "drift")
    elapsed = times[drift["source"]["offset"]]
    assert drift["ts"] == f"2026-01-05T12:{elapsed // 60:02}:{elapsed % 60:02}Z"
    assert START == 1_767_614_400
