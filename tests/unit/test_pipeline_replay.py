"""State out, state in: a pipeline that is restored goes on as if nothing had happened."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SnapshotError
from schemas.settings import Settings, load_settings
from streams import rows
from streams import stored as sensor_rows
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.records import FileRecord, Outgoing
from streams.rows import join_parts, split_parts
from tests.chaos.verifier import first_difference
from tests.deployment import EAGER, SIGNING_KEY

TS = 1_767_614_400
SENSORS = "driftline.sensors"


def settings(**more: object) -> Settings:
    return load_settings(
        None, {**EAGER, "policy.enabled": False, "state.signing_key": SIGNING_KEY, **more}
    )


def records(n: int, sensors: int = 3) -> list[FileRecord]:
    """Values of a few sensors that jump now and then; offsets have gaps, as transactions leave."""
    draw = random.Random(4)
    found = []
    for number in range(n):
        name = f"press-{draw.randrange(sensors)}"
        value = draw.gauss(20.0 + 5.0 * (number // 120 % 2), 1.0)
        event = {"sensor_id": name, "ts": TS + number, "value": value}
        offset = number + number // 50
        found.append(FileRecord(offset, TS * 1000, name.encode(), orjson.dumps(event)))
    return found


def stored(pipeline: Pipeline, known: dict[bytes, bytes]) -> tuple[list[Outgoing], Restored]:
    """Take a checkpoint on top of what the state topic holds already."""
    effects, changed = pipeline.take()
    for key, value in changed:
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value
    return effects, Restored(Position(dict(pipeline.position)), dict(known))


def alerts(effects: list[Outgoing]) -> list[bytes | None]:
    return [effect.value for effect in effects if effect.topic == "driftline.alerts"]


@pytest.mark.parametrize("every", [3, 40, 10_000])
def test_however_often_it_is_restored_it_finds_the_same(every: int) -> None:
    events = records(900)
    whole = Pipeline(settings(), 0)
    whole.process("sensors", events)
    expected = alerts(whole.take()[0])
    assert len(expected) >= 6

    found: list[bytes | None] = []
    known: dict[bytes, bytes] = {}
    restored = Restored(Position(), {})
    step = max(every, 30)
    for start in range(0, len(events), step):
        pipeline = Pipeline(settings(), 0)
        pipeline.restore(restored)
        for offset in range(start, min(start + step, len(events)), every):
            pipeline.process("sensors", events[offset : min(offset + every, start + step)])
            effects, restored = stored(pipeline, known)
            found += alerts(effects)
    assert found == expected
    for name in whole.sensor_ids():
        assert first_difference(whole.sensor(name), pipeline.sensor(name)) is None


def test_what_lies_below_the_position_is_skipped() -> None:
    events = records(300)
    pipeline = Pipeline(settings(), 0)
    first = pipeline.process("sensors", events[:200])
    again = pipeline.process("sensors", events[100:250])
    assert (first.scored, first.skipped) == (200, 0)
    assert (again.scored, again.skipped) == (50, 100)
    assert pipeline.position == {SENSORS: events[249].offset + 1}


def test_a_slice_that_was_seen_before_changes_nothing() -> None:
    events = records(300)
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", events)
    pipeline.take()
    before = dict(pipeline.position)
    pipeline.process("sensors", events)
    effects, changes = pipeline.take()
    assert (effects, list(changes)) == ([], [])
    assert pipeline.position == before


def test_a_restore_reads_no_row_before_its_sensor_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", records(300))
    _, restored = stored(pipeline, {})
    read = []
    real = sensor_rows.read
    monkeypatch.setattr(sensor_rows, "read", lambda *given: (read.append(1), real(*given))[1])
    heir = Pipeline(settings(), 0)
    heir.restore(restored)
    assert heir.sensors == 3
    assert read == []
    heir.process("sensors", [records(400)[-1]])
    assert len(read) == 1


@pytest.mark.parametrize("where", [0, 40, -1])
def test_a_restore_verifies_every_row_at_once(where: int) -> None:
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", records(300))
    _, restored = stored(pipeline, {})
    key = sorted(restored.rows)[1]
    changed = bytearray(restored.rows[key])
    changed[where] ^= 1
    restored.rows[key] = bytes(changed)
    with pytest.raises(SnapshotError):
        Pipeline(settings(), 0).restore(restored)


def test_a_row_that_is_too_large_for_a_message_is_stored_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows, "PART_BYTES", 700)
    events = records(500)
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", events)
    _, restored = stored(pipeline, {})
    assert len(restored.rows) > 6
    assert max(map(len, restored.rows.values())) <= 700
    heir = Pipeline(settings(), 0)
    heir.restore(restored)
    for name in pipeline.sensor_ids():
        assert first_difference(pipeline.sensor(name), heir.sensor(name)) is None


@given(st.binary(max_size=400), st.binary(max_size=400), st.integers(1, 60))
def test_parts_of_a_row_that_has_shrunk_are_deleted(old: bytes, new: bytes, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "PART_BYTES", size)
        topic: dict[bytes, bytes] = {}
        for value, before in ((old, b""), (new, old)):
            for key, part in split_parts(["sensor", "press-1"], value, len(before)):
                if part is None:
                    topic.pop(key, None)
                else:
                    topic[key] = part
        assert join_parts(topic) == {("sensor", "press-1"): new}
        for key, part in split_parts(["sensor", "press-1"], None, len(new)):
            assert part is None
            topic.pop(key, None)
        assert topic == {}
