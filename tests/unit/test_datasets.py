"""The data sets of the demo."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from schemas.codec import decode_label, decode_reading
from schemas.errors import ConfigurationError
from streams import datasets
from streams.datasets import load

_ITEMS = 7999
_PERIOD = 450
_START = int(datetime(2019, 7, 1, tzinfo=UTC).timestamp())
_DAY = 86_400


@pytest.mark.parametrize("name", datasets.NAMES)
def test_every_message_is_one_that_a_worker_takes(name: str) -> None:
    for message in load(name, 3).messages():
        decoded = (
            decode_reading(message.value)
            if message.kind == "sensors"
            else decode_label(message.value)
        )
        assert decoded.sensor_id == message.sensor_id
        assert decoded.ts == message.ts


@pytest.mark.parametrize("name", ["glassware", "fleet"])
def test_the_same_seed_makes_the_same_bytes_and_another_seed_others(name: str) -> None:
    first = [message.value for message in load(name, 1).messages()]
    assert first == [message.value for message in load(name, 1).messages()]
    assert first != [message.value for message in load(name, 2).messages()]


@pytest.mark.parametrize("name", ["glassware", "fleet"])
def test_generated_messages_come_in_the_order_of_their_time(name: str) -> None:
    times = [message.ts for message in load(name, 0).messages()]
    assert times == sorted(times)


def test_an_unknown_data_set_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="machine-temperature, glassware, fleet"):
        load("iris")


def test_the_machine_temperature_is_nabs_series_with_its_licence_beside_it() -> None:
    messages = list(load("machine-temperature").messages())
    assert len(messages) == 22_695
    first = decode_reading(messages[0].value)
    assert (first.value, first.ts) == (73.96732207, 1_386_018_900_000_000)
    assert "Numenta" in (files("streams") / "data" / "nab" / "LICENSE.txt").read_text()


def test_glassware_is_one_item_per_450_seconds_with_jitter() -> None:
    items = [m for m in load("glassware", 5).messages() if m.kind == "sensors"]
    assert len(items) == _ITEMS
    for number, item in enumerate(items):
        assert 0 <= item.ts / 1e6 - (_START + number * _PERIOD) < _PERIOD


def test_a_glassware_label_comes_at_midnight_two_days_after_its_item() -> None:
    made = {}
    labels = 0
    for message in load("glassware", 5).messages():
        if message.kind == "sensors":
            made[decode_reading(message.value).event_id] = message.ts // 1_000_000
        else:
            labels += 1
            at = made[decode_label(message.value).event_id]
            assert message.ts // 1_000_000 == at - at % _DAY + 2 * _DAY
    assert labels == _ITEMS


def test_glassware_quality_follows_the_rule_of_its_time() -> None:
    """The sensors see what an item went through with noise, so margins of 1 are left out."""
    features, verdicts = {}, {}
    for message in load("glassware", 5).messages():
        if message.kind == "sensors":
            reading = decode_reading(message.value)
            features[reading.event_id] = reading.features
        else:
            label = decode_label(message.value)
            verdicts[label.event_id] = label.label
    checked = Counter[tuple[int, int]]()
    for number in range(1, _ITEMS + 1):
        seen = features[f"item-{number}"]
        assert seen is not None
        low = 351 if number <= 3400 else 354
        least = 8 if number <= 6500 else 12
        limits = {"temperature": (low, 359), "pressure": (least, 15), "duration": (28, 32)}
        distances = [
            min(float(seen[name]) - a, b - float(seen[name]))  # type: ignore[arg-type]
            for name, (a, b) in limits.items()
        ]
        if abs(min(distances)) > 1:
            expected = int(min(distances) > 0)
            assert verdicts[f"item-{number}"] == expected
            era = (number > 3400) + (number > 6500)
            checked[era, expected] += 1
    assert all(checked[era, 0] > 50 for era in range(3))
    assert checked[0, 1] > 50


def test_the_fleet_has_hundreds_of_sensors_most_of_which_never_change() -> None:
    fleet = load("fleet", 2)
    counts = Counter(message.sensor_id for message in fleet.messages())
    changed = {change.sensor_id for change in fleet.truth}
    assert len(counts) == 200
    assert len(set(counts.values())) == 1
    assert changed <= set(counts)
    assert len(changed) == len(fleet.truth) < len(counts) / 5
    assert len({change.kind for change in fleet.truth}) >= 5


def test_a_stationary_sensor_of_the_fleet_keeps_its_mean_and_a_shifted_one_does_not() -> None:
    fleet = load("fleet", 2)
    changes = {change.sensor_id: change for change in fleet.truth}
    values: dict[str, list[float]] = {}
    for message in fleet.messages():
        value = decode_reading(message.value).value
        if value is not None:
            values.setdefault(message.sensor_id, []).append(value)

    def moved(sensor: str) -> float:
        series = values[sensor]
        early, late = series[:100], series[-60:]
        mean = sum(early) / len(early)
        spread = (sum((x - mean) ** 2 for x in early) / len(early)) ** 0.5
        return abs(sum(late) / len(late) - mean) / spread

    assert all(moved(s) < 1.5 for s in values if s not in changes)
    assert all(moved(s) > 3 for s, c in changes.items() if c.kind in ("mean shift", "unit"))
