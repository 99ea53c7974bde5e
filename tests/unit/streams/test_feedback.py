"""What an operator's word on a false alarm does to the sensor."""

from __future__ import annotations

import random
from typing import Any

import pytest

from detectors import NAMES, create
from detectors.defaults import with_defaults
from detectors.strictness import MOST, stricter
from tests.pipelines import START, Partition, command, configured, reading


def calm(n: int, first: int = 0, level: float = 20.0) -> list[bytes]:
    draw = random.Random(first)
    return [reading(value=draw.gauss(level, 1.0), n=first + i) for i in range(n)]


def false_alarm(number: int = 0, **fields: Any) -> bytes:
    given = {
        "verdict": "false_alarm",
        "signal": "value",
        "drift_event_id": f"d-{number}",
        "ts": START,
        **fields,
    }
    return command("feedback", **{name: value for name, value in given.items() if value})


def started() -> Partition:
    partition = Partition(configured())
    partition.feed("sensors", *calm(60))
    return partition


def adapted(partition: Partition) -> list[tuple[str, str, str]]:
    return [
        (record["action"], record["drift_event_id"], record["reason"])
        for record in partition.written("adaptations")
    ]


def threshold(partition: Partition) -> float | None:
    detector = partition.sensor().monitors["value"].detectors[0]
    return detector.parameters["threshold"]  # type: ignore[return-value]


def test_a_false_alarm_raises_the_thresholds_of_its_signal_by_a_quarter() -> None:
    partition = started()
    partition.feed("control", false_alarm(reason="door was open", by="anna"))
    partition.feed("sensors", *calm(1, 60))
    assert threshold(partition) == pytest.approx(1.25 * 70.0)
    assert partition.sensor().monitors["error"].detectors[-1].parameters["threshold"] == 70.0
    assert adapted(partition) == [
        (
            "loosen",
            "d-0",
            "false alarm (door was open), says anna: thresholds of value times 1.25",
        )
    ]


def test_a_change_that_was_told_before_is_not_told_with_higher_thresholds() -> None:
    def found(alarms: int) -> int:
        partition = started()
        for number in range(alarms):
            partition.feed("control", false_alarm(number))
        partition.feed("sensors", *calm(60, 60), *calm(30, 120, level=23.5))
        return len(partition.written("alerts"))

    assert found(0) == 1
    assert found(5) == 0


def test_it_goes_on_up_to_three_times_and_then_says_so() -> None:
    partition = started()
    for number in range(7):
        partition.feed("control", false_alarm(number))
    actions = [action for action, _, _ in adapted(partition)]
    assert actions == ["loosen"] * 5 + ["reject"] * 2
    assert partition.sensor().loosened["value"].factor == MOST
    reason = "thresholds of value are 3 times as high: no threshold is raised further"
    assert adapted(partition)[-1][2] == reason


def test_the_same_false_alarm_twice_counts_once() -> None:
    partition = started()
    partition.feed("control", false_alarm(), false_alarm())
    assert partition.sensor().loosened["value"].factor == 1.25
    assert adapted(partition)[-1][2] == "thresholds of value are 1.25 times as high: counted before"


def test_it_holds_after_a_restart_a_drift_and_a_reset() -> None:
    partition = started()
    partition.feed("control", false_alarm())
    partition.restart()
    partition.feed("sensors", *calm(60, 60), *calm(60, 120, level=40.0))
    assert [event["kind"] for event in partition.written("alerts")][:1] == ["drift"]
    assert threshold(partition) == pytest.approx(1.25 * 70.0)
    partition.feed("control", command("reset"))
    partition.restart()
    partition.feed("sensors", *calm(1, 180))
    assert threshold(partition) == pytest.approx(1.25 * 70.0)


def test_a_signal_that_the_sensor_does_not_have_is_rejected_with_the_reason() -> None:
    partition = started()
    partition.feed("control", false_alarm(signal="feature:heat"))
    assert adapted(partition) == [("reject", "d-0", "no signal 'feature:heat' of this sensor")]


def test_a_sensor_that_is_not_known_is_rejected_with_the_reason() -> None:
    partition = Partition(configured())
    partition.feed("control", false_alarm())
    assert adapted(partition) == [("reject", "d-0", "no such sensor here")]
    assert partition.pipeline.sensors == 0


@pytest.mark.parametrize("field", ["verdict", "signal"])
def test_without_what_it_is_about_it_is_a_dead_letter(field: str) -> None:
    partition = started()
    partition.feed("control", false_alarm(**{field: None}))
    (letter,) = partition.letters()
    message = dict(letter.headers)["__connect.errors.exception.message"] or b""
    assert message.decode().startswith(f"$.{field}: expected one")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", [1.0, 1.25, MOST])
def test_every_detector_can_be_made_with_raised_thresholds(name: str, factor: float) -> None:
    ((_, parameters),) = given = with_defaults([name])
    ((_, raised),) = stricter(given, factor)
    create(name, **raised)
    assert (raised == parameters) == (factor == 1.0)
