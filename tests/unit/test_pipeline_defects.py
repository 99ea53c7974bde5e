"""A defect in our own code on one record costs that record, and nothing else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.settings import Settings, load_settings
from streams import handlers
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.records import FileRecord, Outgoing
from tests.chaos.verifier import first_difference
from tests.deployment import EAGER, SIGNING_KEY

TS = 1_767_614_400
CURSED = 13.0
"""The value that brings the defect out."""


@pytest.fixture(autouse=True)
def defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the handler of readings, after it has changed the sensor."""
    real = handlers.HANDLERS["sensors"]

    def broken(sensor: Any, reading: Any, context: Any) -> Any:
        done = real(sensor, reading, context)
        if reading.value == CURSED:
            raise ZeroDivisionError("a defect")
        return done

    monkeypatch.setitem(handlers.HANDLERS, "sensors", broken)  # type: ignore[arg-type]


def settings(**more: object) -> Settings:
    return load_settings(
        None, {**EAGER, "policy.enabled": False, "state.signing_key": SIGNING_KEY, **more}
    )


def record(offset: int, value: float, sensor: str = "press-1") -> FileRecord:
    event = {"sensor_id": sensor, "ts": TS + offset, "value": value}
    return FileRecord(offset, TS * 1000 + offset, sensor.encode(), orjson.dumps(event))


def calm(first: int, n: int, sensor: str = "press-1") -> list[FileRecord]:
    return [record(offset, 20.0 + offset % 5, sensor) for offset in range(first, first + n)]


def dead(effects: list[Outgoing]) -> list[Outgoing]:
    return [effect for effect in effects if effect.topic == "driftline.dead-letters"]


def as_without_it(pipeline: Pipeline, good: list[FileRecord]) -> str | None:
    """How the pipeline's sensor differs from one that never saw the cursed records."""
    other = Pipeline(settings(), 0)
    other.process("sensors", good)
    return first_difference(other.sensor("press-1"), pipeline.sensor("press-1"))


def test_the_record_is_a_dead_letter_of_the_stage_processing() -> None:
    pipeline = Pipeline(settings(), 0)
    cursed = record(50, CURSED)
    counts = pipeline.process("sensors", [*calm(0, 50), cursed, *calm(51, 50)])
    effects, _ = pipeline.take()
    (letter,) = dead(effects)
    headers = dict(letter.headers)
    assert (letter.key, letter.value, letter.timestamp) == (
        cursed.key,
        cursed.value,
        cursed.timestamp,
    )
    assert headers["__connect.errors.stage"] == b"processing"
    assert headers["__connect.errors.offset"] == b"50"
    assert headers["__connect.errors.exception.class.name"] == b"builtins.ZeroDivisionError"
    assert counts.scored == 100
    assert counts.dead_letters == {"processing": 1}


def test_the_sensor_goes_on_as_if_the_record_had_not_been() -> None:
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", [*calm(0, 50), record(50, CURSED), *calm(51, 50)])
    assert as_without_it(pipeline, calm(0, 50) + calm(51, 50)) is None


def test_so_it_does_where_part_of_its_past_lies_in_a_checkpoint() -> None:
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", calm(0, 40))
    pipeline.take()
    pipeline.process("sensors", [*calm(40, 10), record(50, CURSED), *calm(51, 10)])
    assert as_without_it(pipeline, calm(0, 50) + calm(51, 10)) is None


def test_so_it_does_after_a_restore() -> None:
    before = Pipeline(settings(), 0)
    before.process("sensors", calm(0, 50))
    _, changed = before.take()
    pipeline = Pipeline(settings(), 0)
    pipeline.restore(Restored(Position(dict(before.position)), {k: v for k, v in changed if v}))
    pipeline.process("sensors", [record(50, CURSED), *calm(51, 10)])
    assert as_without_it(pipeline, calm(0, 50) + calm(51, 10)) is None


def test_many_such_records_in_a_row_are_as_many_dead_letters() -> None:
    pipeline = Pipeline(settings(), 0)
    cursed = [record(offset, CURSED) for offset in range(50, 70)]
    pipeline.process("sensors", [*calm(0, 50), *cursed, *calm(70, 30)])
    effects, _ = pipeline.take()
    assert len(dead(effects)) == 20
    assert as_without_it(pipeline, calm(0, 50) + calm(70, 30)) is None


def test_a_checkpoint_right_after_it_holds_what_came_before() -> None:
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", [*calm(0, 50), record(50, CURSED)])
    _, changed = pipeline.take()
    heir = Pipeline(settings(), 0)
    heir.restore(Restored(Position(dict(pipeline.position)), {k: v for k, v in changed if v}))
    assert heir.position == {"driftline.sensors": 51}
    assert as_without_it(heir, calm(0, 50)) is None


def test_the_first_record_of_a_sensor_leaves_no_sensor_behind() -> None:
    pipeline = Pipeline(settings(), 0)
    pipeline.process("sensors", [record(0, CURSED)])
    effects, changed = pipeline.take()
    assert len(dead(effects)) == 1
    assert list(changed) == []
    assert pipeline.sensors == 0


def test_other_sensors_are_not_touched() -> None:
    pipeline, other = Pipeline(settings(), 0), Pipeline(settings(), 0)
    neighbours = calm(0, 50, "press-2")
    pipeline.process("sensors", [*neighbours, record(50, CURSED), *calm(51, 20, "press-2")])
    other.process("sensors", neighbours + calm(51, 20, "press-2"))
    assert first_difference(other.sensor("press-2"), pipeline.sensor("press-2")) is None


def test_the_effects_before_it_are_written_once() -> None:
    jump = [record(offset, 40.0 + offset % 5) for offset in range(100, 160)]
    pipeline, other = Pipeline(settings(), 0), Pipeline(settings(), 0)
    pipeline.process("sensors", [*calm(0, 100), *jump, record(160, CURSED), *calm(161, 60)])
    other.process("sensors", [*calm(0, 100), *jump, *calm(161, 60)])
    found, _ = pipeline.take()
    expected, _ = other.take()
    assert [e for e in found if e not in dead(found)] == expected
    assert expected
