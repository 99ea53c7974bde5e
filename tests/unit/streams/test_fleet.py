"""Many sensors that change at once are one drift event of the fleet."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from schemas.codec import decode
from schemas.events import DriftEvent
from schemas.settings import Fleet as Chosen
from schemas.settings import Settings
from schemas.timestamps import MAX_US
from streams.backtest import Backtest
from streams.fleet import Fleet
from streams.partitioner import partition_for
from tests.pipelines import FAST, START, Partition, alert, command, configured, reading

CALM, LENGTH = 80, 400
"""When a sensor changes, and how many events it has."""


def sensors(count: int) -> list[str]:
    return [f"press-{number}" for number in range(count)]


def events(
    changes: Mapping[str, int | None], length: int = LENGTH, shift: float = 6.0, seed: int = 3
) -> Iterator[bytes]:
    """One event of each sensor a second; each moves by `shift` at its own second, or never."""
    draws = {sensor: random.Random(f"{sensor} {seed}") for sensor in changes}
    for n in range(length):
        for sensor, change in changes.items():
            moved = change is not None and n >= change
            yield reading(sensor, draws[sensor].gauss(20.0 + shift * moved, 1.0), n=n)


def together(count: int = 10, *, calm: int = 0) -> dict[str, int | None]:
    """Sensors that all change within a few seconds, and others that do not."""
    changed = {sensor: CALM + number % 3 for number, sensor in enumerate(sensors(count))}
    return {**changed, **{f"calm-{number}": None for number in range(calm)}}


def played(messages: Iterator[bytes], settings: Settings | None = None) -> Partition:
    partition = Partition(settings or configured(fleet={"window": 60.0}))
    partition.feed("sensors", *messages)
    return partition


def told(partition: Partition, kind: str = "drift") -> list[dict[str, Any]]:
    return [event for event in partition.written("alerts") if event["kind"] == kind]


def of_fleet(partition: Partition, kind: str = "drift") -> list[dict[str, Any]]:
    return [event for event in told(partition, kind) if event["detector"] == "fleet"]


def test_ten_sensors_that_change_at_once_are_four_drifts_and_one_of_the_fleet() -> None:
    partition = played(events(together()))
    drifts = told(partition)
    assert [event["detector"] == "fleet" for event in drifts] == [False] * 4 + [True]
    fleet = drifts[-1]
    assert fleet["members"][:4] == [event["sensor_id"] for event in drifts[:4]]
    assert fleet["members"][4] == fleet["sensor_id"]
    assert fleet["member_count"] == 5
    assert (fleet["score"], fleet["threshold"]) == (0.5, 0.2)
    assert (fleet["diagnosis"], fleet["severity"], fleet["direction"]) == ("upstream", "high", "up")
    assert fleet["change_point"]["ts"] == min(e["change_point"]["ts"] for e in drifts)
    assert all(event["members"] is None for event in drifts[:4])
    assert len(partition.counts.absorbed) >= 6


def test_when_the_last_absorbed_episode_is_over_the_fleet_has_recovered() -> None:
    partition = played(events(together()))
    recovered = told(partition, "recovered")
    (of_all,) = of_fleet(partition, "recovered")
    (drift,) = of_fleet(partition)
    assert of_all["episode_id"] == drift["episode_id"]
    assert of_all["sensor_id"] == drift["sensor_id"]
    own = {event["sensor_id"] for event in recovered if event["detector"] != "fleet"}
    assert own == set(drift["members"][:4])


def test_a_few_among_many_are_told_one_by_one() -> None:
    partition = played(events(together(6, calm=30)))
    assert of_fleet(partition) == []
    assert {event["sensor_id"] for event in told(partition)} >= set(sensors(6))
    assert partition.counts.absorbed == []


def test_sensors_that_were_silent_since_long_do_not_count_among_those_that_could_change() -> None:
    silent = {f"silent-{number}": None for number in range(40)}
    partition = Partition(configured(fleet={"window": 60.0}))
    partition.feed("sensors", *events(silent, 10))
    partition.feed("sensors", *events(together()))
    assert len(of_fleet(partition)) == 1


def test_changes_that_are_farther_apart_than_the_window_are_told_one_by_one() -> None:
    apart = {sensor: CALM + 40 * number for number, sensor in enumerate(sensors(8))}
    partition = played(events(apart, 500))
    assert of_fleet(partition) == []
    assert {event["sensor_id"] for event in told(partition)} == set(sensors(8))


def test_a_change_after_the_window_is_told_by_itself_again() -> None:
    partition = played(events({**together(), "late": 300}, 400))
    assert "late" in {event["sensor_id"] for event in told(partition)}
    assert len(of_fleet(partition)) == 1


def test_it_can_be_switched_off() -> None:
    partition = played(events(together()), configured(fleet={"enabled": False}))
    assert of_fleet(partition) == []
    assert {event["sensor_id"] for event in told(partition)} == set(sensors(10))
    assert all(name != ("fleet",) for name in partition.state())


def test_a_worker_that_takes_over_at_any_checkpoint_tells_the_same() -> None:
    settings = configured(fleet={"window": 60.0})
    whole = played(events(together(12, calm=3)), settings)
    parts = Partition(settings)
    messages = list(events(together(12, calm=3)))
    for begin in range(0, len(messages), 97):
        parts.feed("sensors", *messages[begin : begin + 97])
        parts.restart()
    assert parts.written("alerts") == whole.written("alerts")
    assert parts.state()[("fleet",)] == whole.state()[("fleet",)]
    assert len(of_fleet(whole)) == 1


def test_sensors_without_rows_are_grouped_as_those_with_rows_are() -> None:
    settings = configured(fleet={"window": 60.0}, sensors=[{"match": "none"}])
    objects = configured(
        fleet={"window": 60.0}, sensors=[{"match": "press-*", "policy": {"enabled": True}}]
    )
    one, other = played(events(together()), settings), played(events(together()), objects)
    assert one.written("alerts") == other.written("alerts")
    other.restart()
    assert other.pipeline.kept.active_since(0) == one.pipeline.kept.active_since(0) == 10


def test_a_backtest_tells_what_a_worker_tells() -> None:
    fast = {**FAST, "state": {"signing_key": "a key for tests only"}}
    settings = Settings(**fast, topics={"partitions": 1}, fleet={"window": 60.0})
    backtest = Backtest(settings)
    found = [drift for event in events(together()) for drift in backtest.feed("sensors", event)]
    worker = Partition(settings)
    for event in events(together()):
        worker.feed("sensors", event)
    assert [effect.value for effect in worker.effects if effect.topic.endswith("alerts")] == found
    assert partition_for(b"press-1", 1) == 0


def test_ids_are_unique_and_the_same_on_every_replay() -> None:
    one, other = played(events(together())), played(events(together()))
    ids = [event["id"] for event in one.written("alerts")]
    assert len(set(ids)) == len(ids)
    assert ids == [event["id"] for event in other.written("alerts")]


def test_a_muted_sensor_takes_no_part() -> None:
    partition = Partition(configured(fleet={"window": 60.0}))
    first = list(events(together(5), CALM))
    partition.feed("sensors", *first)
    partition.feed("control", command("mute", "press-0"))
    partition.feed("sensors", *list(events(together(5)))[len(first) :])
    assert of_fleet(partition) == []
    assert "press-0" not in {event["sensor_id"] for event in told(partition)}


def test_the_recovery_of_an_absorbed_sensor_that_is_muted_counts_for_the_fleet() -> None:
    partition = Partition(configured(fleet={"window": 60.0}))
    messages = list(events(together()))
    until = next(n for n in range(0, len(messages), 10) if _absorbing(partition, messages, n))
    for sensor in sensors(10):
        partition.feed("control", command("mute", sensor))
    partition.feed("sensors", *messages[until + 10 :])
    assert [event["detector"] for event in told(partition, "recovered")] == ["fleet"]


def _absorbing(partition: Partition, messages: list[bytes], n: int) -> bool:
    partition.feed("sensors", *messages[n : n + 10])
    return len(partition.counts.absorbed) >= 6


def test_the_built_in_policy_leaves_the_models_of_the_members_alone() -> None:
    partition = Partition(configured(fleet={"window": 60.0}), loop=True)
    partition.feed("sensors", *events(together()))
    (fleet,) = of_fleet(partition)
    adapted = {record["sensor_id"] for record in partition.written("adaptations")}
    assert adapted <= set(fleet["members"][:4])


def test_a_rule_for_upstream_drifts_is_carried_out_for_each_member() -> None:
    rules = [{"diagnosis": "upstream", "actions": ["reset"]}]
    partition = Partition(configured(fleet={"window": 60.0}, policy={"rules": rules}), loop=True)
    partition.feed("sensors", *events(together()))
    (fleet,) = of_fleet(partition)
    reset = [r for r in partition.written("adaptations") if r["action"] == "reset"]
    assert {record["sensor_id"] for record in reset} == set(sensors(10)) - set(fleet["members"][:4])
    assert {record["drift_event_id"] for record in reset} == {fleet["id"]}


def test_a_forgotten_sensor_is_not_waited_for() -> None:
    partition = played(events(together(), CALM + 40))
    fleet = partition.pipeline.fleet
    assert len(partition.counts.absorbed) >= 6
    fleet.forget(sensors(10))
    partition.checkpoint()
    held = partition.state()[("fleet",)]
    assert (held["openings"], held["groups"], held["absorbed"]) == ({}, {}, {})


def test_one_sensor_with_a_clock_of_its_own_does_not_blind_the_fleet() -> None:
    changes = {"wrong-clock": 20, **together()}
    ahead = 10**8

    def skewed() -> Iterator[bytes]:
        draw = random.Random(1)
        for n in range(LENGTH):
            value = draw.gauss(20.0 + 6.0 * (n >= changes["wrong-clock"]), 1.0)
            yield reading("wrong-clock", value, n=n + ahead)

    partition = Partition(configured(fleet={"window": 60.0}))
    partition.feed("sensors", *list(skewed())[:70])
    partition.feed("sensors", *events(together()))
    assert len(of_fleet(partition)) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("window", 0), ("min_sensors", 1), ("min_share", 0), ("min_share", 1.5), ("min_share", True)],
)
def test_a_section_that_makes_no_sense_is_refused(key: str, value: Any) -> None:
    from schemas.errors import ConfigurationError
    from schemas.settings import load_settings

    with pytest.raises(ConfigurationError, match=rf"^fleet\.{key}: "):
        load_settings(None, {f"fleet.{key}": value})


# Clocks that are wrong.

AHEAD = MAX_US // 1_000_000 - 1
"""In the year 9999, in Unix seconds."""


def opened(times: list[float]) -> list[bool]:
    """Take the first drift of one sensor after another; tell which of them were of the fleet."""
    fleet = Fleet(Chosen(window=60.0), active=lambda since: sum(ts * 1e6 >= since for ts in times))
    found = []
    for number, ts in enumerate(times):
        source = {"topic": "driftline.sensors", "partition": 0, "offset": number}
        raw = alert(
            f"press-{number}", ts=ts, id=f"d-{number}", episode_id=f"e-{number}", source=source
        )
        taken = fleet.take(decode(raw, DriftEvent), opens=True)
        found.append(any(event.detector == "fleet" for event in taken.told))
    return found


@pytest.mark.parametrize("wrong", [AHEAD, 0.0])
@pytest.mark.parametrize("place", range(5))
def test_one_wrong_clock_among_them_changes_nothing(place: int, wrong: float) -> None:
    times: list[float] = [START + n for n in range(5)]
    assert opened(times) == [False] * 4 + [True]
    times.insert(place, wrong)
    assert opened(times) == [False] * 5 + [True]


def test_a_fleet_in_the_far_future_is_another_one() -> None:
    now, ahead = [START + n for n in range(7)], [AHEAD + 0.0] * 5
    assert opened([*ahead, *now]) == [*[False] * 4, True, *[False] * 4, True, False, False]


def test_changes_of_another_time_are_forgotten_with_the_second_one_after_them() -> None:
    later = START + 86_400.0
    assert sum(opened([*[START + n for n in range(4)], later, later + 1, START + 5.0])) == 0
