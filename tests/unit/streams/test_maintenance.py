"""What a sensor sends while it is being worked on says nothing of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigurationError
from schemas.settings import load_settings
from schemas.timestamps import format_timestamp
from tests.pipelines import START, Partition, command, configured, reading

BEGIN, END = 150, 250


def moment(n: int) -> str:
    return format_timestamp((START + n) * 1_000_000)


def planned(match: str = "press-*", **sections: Any) -> Any:
    window = {"match": match, "from": moment(BEGIN), "until": moment(END)}
    return configured(maintenance=[window], **sections)


def repaired(after: float = 20.0, sensor: str = "press-7") -> list[bytes]:
    """Values around 20; far from there while the sensor is repaired; then around `after`."""
    draw = random.Random(4)
    return [
        reading(
            sensor,
            draw.gauss(80.0, 5.0)
            if BEGIN <= n < END
            else draw.gauss(20.0 if n < BEGIN else after, 1.0),
            n=n,
        )
        for n in range(500)
    ]


def kinds(partition: Partition) -> list[str]:
    return [event["kind"] for event in partition.written("alerts")]


def test_nothing_is_told_of_what_happens_within_a_window_or_right_after_it() -> None:
    partition = Partition(planned())
    partition.feed("sensors", *repaired())
    assert partition.written("alerts") == []
    assert partition.counts.scored == 500
    unplanned = Partition(configured())
    unplanned.feed("sensors", *repaired())
    assert "drift" in kinds(unplanned)


def test_nothing_is_learned_within_a_window() -> None:
    partition = Partition(planned())
    partition.feed("sensors", *repaired()[:BEGIN])
    before = partition.sensor()
    partition.feed("sensors", *repaired()[BEGIN:END])
    after = partition.sensor()
    assert after.events == before.events + END - BEGIN
    assert after.last_offset == END - 1
    assert after.champion.learner.learned == before.champion.learner.learned
    assert after.monitors["value"].usual == before.monitors["value"].usual


def test_a_sensor_that_comes_back_on_another_level_is_told() -> None:
    partition = Partition(planned())
    partition.feed("sensors", *repaired(after=26.0))
    first = partition.written("alerts")[0]
    assert first["kind"] == "drift"
    assert first["source"]["offset"] >= END
    assert first["before"]["mean"] == pytest.approx(20.0, abs=0.5)


def test_sensors_that_do_not_match_go_on_as_ever() -> None:
    partition, without = Partition(planned("oven-*")), Partition(configured())
    for one in (partition, without):
        one.feed("sensors", *repaired())
    assert partition.written("alerts") == without.written("alerts") != []


def test_events_that_come_one_by_one_are_taken_as_those_that_come_at_once() -> None:
    at_once, one_by_one = Partition(planned()), Partition(planned())
    at_once.feed("sensors", *repaired(after=26.0))
    for event in repaired(after=26.0):
        one_by_one.feed("sensors", event)
    assert one_by_one.written("alerts") == at_once.written("alerts")
    assert one_by_one.state() == at_once.state()


def test_an_open_episode_does_not_grow_old_within_a_window() -> None:
    draw = random.Random(5)
    partition = Partition(planned(episodes={"quiet_events": 120}))
    events = [reading(value=draw.gauss(20.0 if n < 120 else 26.0, 1.0), n=n) for n in range(400)]
    partition.feed("sensors", *events[:END])
    assert kinds(partition) == ["drift"]
    partition.feed("sensors", *events[END:])
    assert kinds(partition) == ["drift", "recovered"]
    drift, recovered = partition.written("alerts")
    quiet = recovered["source"]["offset"] - drift["source"]["offset"] - (END - BEGIN)
    assert quiet >= 120


def test_commands_are_carried_out_within_a_window() -> None:
    partition = Partition(planned())
    partition.feed("sensors", *repaired()[: BEGIN + 10])
    partition.feed("control", command("reset"))
    assert partition.sensor().monitors == {}


def test_what_a_labelled_sensor_sends_within_a_window_waits_for_no_label() -> None:
    settings = planned("oven-*", learner={"task": "classification"})
    partition = Partition(settings)
    for n in range(BEGIN - 5, BEGIN + 5):
        event = reading("oven-1", features={"heat": 1.0, "lot": "A"}, event_id=f"b-{n}", n=n)
        partition.feed("sensors", event)
    assert len(partition.sensor("oven-1").pending) == 5


def test_a_window_is_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "driftline.toml"
    file.write_text(
        '[[maintenance]]\nmatch = "press-*"\n'
        'from = 2026-01-05T22:00:00Z\nuntil = "2026-01-06T00:00:00+01:00"\n'
    )
    (window,) = load_settings(file).maintenance
    assert window.until - window.from_ == 3600 * 1_000_000
    (masked,) = load_settings(file).masked()["maintenance"]
    assert masked["from"] == "2026-01-05T22:00:00Z"


@pytest.mark.parametrize(
    ("window", "place"),
    [
        ({"match": "", "from": moment(0), "until": moment(1)}, "match"),
        ({"match": "a", "from": "tomorrow", "until": moment(1)}, "from"),
        ({"match": "a", "from": "2026-01-05T22:00:00", "until": moment(1)}, "from"),
        ({"match": "a", "from": moment(1), "until": moment(1)}, "until"),
        ({"match": "a", "from": moment(1)}, "until"),
        ({"match": "a", "from": moment(0), "until": 17}, "until"),
    ],
)
def test_a_window_that_is_none_is_refused(window: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^maintenance\[0\]\.{place}: "):
        load_settings(None, {"maintenance": [window]})
