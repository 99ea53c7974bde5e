"""Keys and positions on the state topic."""

from __future__ import annotations

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SnapshotError, TopicError
from streams.changelog import (
    LAYOUT,
    POSITION_KEY,
    Position,
    Restored,
    _check_position,
    decode_position,
    parse_key,
    pending_key,
    sensor_key,
)
from streams.pipeline import Pipeline
from tests.pipelines import Partition, configured, reading

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(names, names)
def test_any_sensor_and_event_id_can_stand_in_a_key(sensor: str, event: str) -> None:
    assert parse_key(sensor_key(sensor)) == ["sensor", sensor]
    assert parse_key(pending_key(sensor, event)) == ["pending", sensor, event]


@given(st.lists(st.tuples(names, names), unique=True, max_size=10))
def test_no_two_rows_share_a_key(pairs: list[tuple[str, str]]) -> None:
    keys = [pending_key(*pair) for pair in pairs] + [sensor_key(n) for n in {p[0] for p in pairs}]
    assert len({*keys, POSITION_KEY}) == len(keys) + 1


def test_rows_stand_under_the_keys_that_readers_look_for() -> None:
    partition = Partition(configured(learner={"task": "regression"}))
    partition.feed("sensors", reading('o"ven,\n', features={"a": 1.0}, event_id="b-1"))
    assert set(partition.rows) == {sensor_key('o"ven,\n'), pending_key('o"ven,\n', "b-1")}


@given(st.dictionaries(names, st.integers(0, 2**62), max_size=5))
def test_a_position_is_read_as_it_was_written(offsets: dict[str, int]) -> None:
    position = Position(offsets, partitions=8)
    assert decode_position(position.encode()) == position


def test_a_partition_that_never_was_begins_at_nothing() -> None:
    assert decode_position(None) == Position({}, 0, LAYOUT)


def test_a_position_of_a_later_version_may_say_more() -> None:
    raw = orjson.dumps({"layout": 1, "partitions": 8, "offsets": {"t": 3}, "more": [1]})
    assert decode_position(raw).offsets == {"t": 3}


def test_a_position_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_position(b"\x00")


def test_a_layout_of_a_newer_version_is_refused() -> None:
    with pytest.raises(TopicError, match=r"newer version .*upgrade this worker"):
        _check_position(configured(), 0, Position({}, 8, LAYOUT + 1))


def test_another_partition_count_is_refused_with_the_way_out() -> None:
    with pytest.raises(TopicError, match=r"topics\.partitions: 8 is not allowed.*keep that number"):
        _check_position(configured(), 0, Position({}, 12))


def test_rows_of_another_key_are_refused_at_once() -> None:
    partition = Partition(configured())
    partition.feed("sensors", reading(value=1.0))
    other = Pipeline(configured(state={"signing_key": "the key of somebody else"}), 0)
    with pytest.raises(SnapshotError, match="another key"):
        other.restore(Restored(Position(), dict(partition.rows)))
