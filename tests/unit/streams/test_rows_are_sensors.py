"""Rows of a bank give what the plain path gives: the same effects, the same state, to the last bit.

Every stream here goes both ways: record by record through objects, and in slices of any size
through compiled code. Checkpoints and restarts come in between at random.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.adwin import Adwin
from detectors.bank import monitor
from detectors.strictness import FACTORS
from learners.snapshot import signing_key
from schemas.compiled import AVAILABLE
from schemas.errors import SnapshotError
from schemas.settings import Settings
from streams.bank.bank import MAGIC, Bank, read, split, verified
from streams.bank.layout import bank_layout, layout_of
from streams.bank.names import Names, hash_of
from streams.changelog import Position, Restored
from streams.pipeline import Pipeline
from streams.records import FileRecord, Outgoing
from tests.chaos.verifier import first_difference
from tests.pipelines import START, configured
from tests.slices import slice_of

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

Stream = Iterator[bytes]


def event(value: Any, n: int, sensor: str = "press-7", **more: Any) -> bytes:
    return json.dumps({"sensor_id": sensor, "ts": START + n, "value": value, **more}).encode()


def of_many(draw: random.Random, count: int) -> Stream:
    """Sensors of every kind, mixed: calm, shifting, wild, constant, with gaps and oddities."""
    level = dict.fromkeys(range(8), 20.0)
    for n in range(count):
        sensor = draw.randrange(8)
        if draw.random() < 0.004:
            level[sensor] += draw.choice([-8.0, 3.0, 40.0])
        value: Any = draw.gauss(level[sensor], 1.0)
        if sensor == 5:
            value = 7.0
        elif sensor == 6:
            value = draw.choice([0.0, 0.0, 0.0, 1.0])
        elif sensor == 7 and draw.random() < 0.01:
            value = draw.choice([None, 1e308, -1e308, 1e99, 10**30])
        kind = draw.random()
        if kind < 0.005:
            yield draw.choice([b"", b"{}", b'{"sensor_id":1}', b'{"sensor_id":"\xff"}'])
        elif kind < 0.02:
            yield event(value, n, f"s-{sensor}", note="of another shape")
        elif kind < 0.03:
            yield event(value, n, f"s-{sensor}", event_id=f"e-{n}")
        else:
            yield event(value, n, f"s-{sensor}")


def shifts(draw: random.Random, count: int) -> Stream:
    for n in range(count):
        yield event(draw.gauss(20.0 if n // 300 % 2 else 26.0, 1.0), n)


def bumps(draw: random.Random, count: int) -> Stream:
    """Small and short ones, under way whenever limits are due."""
    for n in range(count):
        bump = 1.5 if n % 400 > 370 or n % 400 < 5 else 0.0
        yield event(draw.gauss(20.0 + bump, 1.0), n)


def noise(draw: random.Random, count: int) -> Stream:
    for n in range(count):
        yield event(draw.gauss(0.0, 1e-9) if n % 2 else draw.lognormvariate(0.0, 2.0), n)


def ramps(draw: random.Random, count: int) -> Stream:
    for n in range(count):
        yield event(n * 0.01 + draw.gauss(0.0, 0.1) + (1e6 if n == 700 else 0.0), n)


def jumps(draw: random.Random, count: int) -> Stream:
    """So far that the model diverges and is replaced."""
    for n in range(count):
        yield event(20.0 + 1000.0 * (n // 400 % 3) + draw.gauss(0.0, 0.01), n)


def stuck(draw: random.Random, count: int) -> Stream:
    """Stuck for a while, now and then, and once in a unit of its own."""
    value = 20.0
    for n in range(count):
        if n % 500 < 420 or n < 600:
            value = round(draw.gauss(20.0, 1.0), 1)
        yield event(value * 1.8 + 32.0 if n > 1300 else value, n)


def gaps(draw: random.Random, count: int) -> Stream:
    """Values that fail to come: now and then, then never, often, and for a while always."""
    for n in range(count):
        share = (0.02, 0.0, 0.3, 0.01)[n // 400 % 4]
        lost = draw.random() < share or 1300 <= n < 1320
        yield event(None if lost else draw.gauss(20.0, 1.0), n, f"s-{n % 2}")


def days(draw: random.Random, count: int) -> Stream:
    """Nights and weekends, an event every twenty minutes, some of them late, and one real shift."""
    for n in range(count):
        minute = 20 * n - (90 if draw.random() < 0.01 else 0)
        hour, day = minute // 60 % 24, minute // 1440
        level = 20.0 + 4.0 * (8 <= hour < 20) - 3.0 * (day % 7 > 4) + 5.0 * (n > 1700)
        yield event(draw.gauss(level, 1.0), 60 * minute)


def clocks(draw: random.Random, count: int) -> Stream:
    """Sending faster, slower, in bursts, late; a clock that jumps both ways or stands still."""
    ts = 0.0
    for n in range(count):
        stretch = n // 150 % 10
        ts += draw.expovariate(1.0) if stretch in (1, 5) else (1.0, 2.0, 0.5)[stretch % 3]
        jump = {3: -5000.0, 6: 90_000.0, 8: -90_000.0}.get(stretch, 0.0) if n % 150 == 20 else 0.0
        ts += jump
        late = 0.0 if draw.random() < 0.95 else draw.choice([-0.5, -3.0, -400.0, 10_000.0])
        at = ts if stretch != 9 else 0.0
        message = {"sensor_id": "press-7", "ts": START + at + late, "value": draw.gauss(20.0, 1.0)}
        yield json.dumps(message).encode()


def impossible(draw: random.Random, count: int) -> Stream:
    """Readings that can't be, one by one and many in a row; see `CONFIGURATIONS`."""
    for n in range(count):
        outside = draw.random() < (0.9 if n // 200 % 3 == 1 else 0.01)
        yield event(draw.choice([-300.0, 999.0]) if outside else draw.gauss(20.0, 1.0), n)


def units(draw: random.Random, count: int) -> Stream:
    """In another unit for a while, or for good."""
    for n in range(count):
        value = draw.gauss(20.0, 1.0)
        stretch = n // 150 % 6
        yield event((value, 1.8 * value + 32.0, value, 1000.0 * value)[min(stretch, 3)], n)


def records(stream: Stream) -> list[FileRecord]:
    return [FileRecord(n, START * 1000 + n, None, value) for n, value in enumerate(stream)]


def plain(deployment: Settings, given: list[FileRecord]) -> tuple[list[Outgoing], Pipeline]:
    """Through objects: a list of records is no slice."""
    pipeline = Pipeline(deployment, 0)
    pipeline.process("sensors", given)
    return pipeline.drain(), pipeline


def in_slices(
    deployment: Settings, given: list[FileRecord], draw: random.Random, *, restarts: bool = True
) -> tuple[list[Outgoing], Pipeline]:
    """Through the bank, in slices of any size, with checkpoints and restarts in between."""
    pipeline, effects, stored = Pipeline(deployment, 0), [], dict[bytes, bytes]()
    at = 0
    while at < len(given):
        size = draw.choice([1, 2, 17, 100, 400])
        pipeline.process("sensors", slice_of(given[at : at + size]))
        at += size
        effects += pipeline.drain()
        if draw.random() < 0.2:
            for key, row in pipeline.take()[1]:
                if row is None:
                    stored.pop(key, None)
                else:
                    stored[key] = row
            if restarts and draw.random() < 0.5:
                position = Position(dict(pipeline.position))
                pipeline = Pipeline(deployment, 0)
                pipeline.restore(Restored(position, dict(stored)))
    return effects, pipeline


def assert_same(
    one: tuple[list[Outgoing], Pipeline], other: tuple[list[Outgoing], Pipeline]
) -> None:
    assert one[0] == other[0]
    names = set(one[1].sensor_ids())
    assert names == set(other[1].sensor_ids())
    assert one[1].sensors == other[1].sensors == len(names)
    for name in names:
        assert first_difference(one[1].sensor(name), other[1].sensor(name)) is None, name


CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {"detectors": {"warmup": 100}, "learner": {"grace": 100}},
    "fast": {},
    "all three on both": {
        "detectors": {
            "value": ["ddm", "adwin", "page-hinkley"],
            "error": ["page-hinkley", "adwin", "ddm"],
        }
    },
    "as River has them": {
        "detectors": {
            "value": ["adwin"],
            "error": ["ddm"],
            "params": {
                "adwin": {"delta": 0.2, "clock": 1, "max_buckets": 3, "min_window_length": 5},
                "ddm": {"warm_start": 10, "warning_threshold": 1.0, "drift_threshold": 1.5},
            },
        }
    },
    "limits": {"hygiene": {"range": {"value": [-20.0, 60.0]}}},
    "no checks": {"hygiene": {"checks": []}},
    "no detector of errors": {"detectors": {"error": []}, "learner": {"lags": 1}},
    "no detector of values": {"detectors": {"value": []}, "learner": {"lags": 7, "grace": 0}},
}


@pytest.mark.parametrize(
    "stream",
    [of_many, shifts, bumps, noise, ramps, jumps, stuck, gaps, days, clocks, impossible, units],
)
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_rows_and_objects_give_the_same(
    configuration: str, stream: Callable[[random.Random, int], Stream]
) -> None:
    deployment = configured(**CONFIGURATIONS[configuration])
    assert bank_layout(deployment) is not None
    given = records(stream(random.Random(3), 1500))
    there = in_slices(deployment, given, random.Random(5))
    assert_same(plain(deployment, given), there)
    assert any(there[1].sensor_ids())


@pytest.mark.parametrize("stream", [of_many, shifts, ramps, gaps])
@pytest.mark.parametrize("configuration", ["fast", "all three on both", "as River has them"])
def test_windows_that_outgrow_their_levels_get_more_of_them(
    configuration: str,
    stream: Callable[[random.Random, int], Stream],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.bank.blocks.SHALLOW", 3)
    monkeypatch.setattr("streams.bank.blocks.DEEPER", 1)
    deployment = configured(**CONFIGURATIONS[configuration])
    given = records(stream(random.Random(3), 1500))
    there = in_slices(deployment, given, random.Random(6))
    assert_same(plain(deployment, given), there)


def test_a_row_of_many_levels_is_restored_among_others() -> None:
    deployment = configured()
    calm = random.Random(9)
    given = records(event(calm.gauss(20.0, 1.0), n, f"s-{min(n % 40, 3)}") for n in range(12_000))
    expected = plain(deployment, given)
    assert_same(expected, in_slices(deployment, given, random.Random(2)))
    sensor = expected[1].sensor("s-3")
    assert sensor is not None
    detector = next(d for d in sensor.monitors["error"].detectors if isinstance(d, Adwin))
    assert detector._river.width > 5115


def test_sensors_take_blocks_as_long_as_they_need_them() -> None:
    pipeline = Pipeline(configured(learner={"grace": 60}), 0)
    calm = random.Random(1)
    given = records(event(calm.gauss(20.0, 1.0), n, f"s-{n % 100}") for n in range(10_000))
    used = []
    for until in (10, 40, 70, 100):
        pipeline.process("sensors", slice_of(given[: 100 * until]))
        assert pipeline.kept.bank is not None
        used.append(len(pipeline.kept.bank.blocks))
    assert used == [100, 0, 100, 100]
    pipeline.kept.forget([f"s-{n}" for n in range(50)])
    assert pipeline.kept.bank is not None
    assert len(pipeline.kept.bank.blocks) == 50


def test_the_streams_above_are_not_all_calm() -> None:
    deployment = configured()
    for stream in (of_many, shifts, ramps, jumps, stuck, gaps, clocks):
        effects, _ = plain(deployment, records(stream(random.Random(3), 1500)))
        assert any(effect.topic.endswith(".alerts") for effect in effects), stream.__name__


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1e101, 1e101) | st.integers(-5, 5) | st.none(), max_size=120),
    st.integers(0, 9),
)
def test_any_numbers_in_any_slices_give_the_same(values: list[float | None], seed: int) -> None:
    deployment = configured(detectors={"warmup": 10}, learner={"grace": 5})
    given = records(event(value, n) for n, value in enumerate(values))
    assert_same(plain(deployment, given), in_slices(deployment, given, random.Random(seed)))


def test_a_usual_event_makes_no_object() -> None:
    deployment = configured()
    pipeline = Pipeline(deployment, 0)
    calm = random.Random(1)
    given = records(event(calm.gauss(20.0, 1.0), n) for n in range(500))
    pipeline.process("sensors", slice_of(given))
    assert pipeline.kept.live == {}
    assert pipeline.kept.bank is not None
    assert pipeline.kept.bank.held == 1


def test_a_sensor_is_a_row_again_after_an_event_without_a_value() -> None:
    deployment = configured()
    pipeline = Pipeline(deployment, 0)
    calm = random.Random(1)
    values = [None if n in (0, 150, 151) else calm.gauss(20.0, 1.0) for n in range(500)]
    pipeline.process("sensors", slice_of(records(event(v, n) for n, v in enumerate(values))))
    assert pipeline.kept.live == {}
    bank = pipeline.kept.bank
    assert bank is not None
    assert bank.held == 1
    assert len(bank.blocks) == 3
    sensor = pipeline.sensor("press-7")
    assert sensor is not None
    usual = sensor.monitors["missing"].usual
    assert usual is not None
    assert (usual.n, usual.mean) == (500, pytest.approx(3 / 500))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=25), st.integers(0, 9))
def test_gaps_anywhere_give_the_same(runs: list[int], seed: int) -> None:
    deployment = configured(
        detectors={"warmup": 10, "params": {"adwin": {"clock": 3, "delta": 0.05}}},
        learner={"grace": 5},
    )
    draw = random.Random(seed)
    values: list[float | None] = []
    for run in runs:
        values += [*(draw.gauss(20.0, 1.0) for _ in range(run)), *[None] * draw.choice([1, 1, 4])]
    given = records(event(value, n) for n, value in enumerate(values))
    assert_same(plain(deployment, given), in_slices(deployment, given, draw))


def test_a_sensor_with_a_challenger_is_a_row_and_takes_one_block_more() -> None:
    deployment = configured()
    pipeline = Pipeline(deployment, 0)
    calm = random.Random(1)
    given = records(event(calm.gauss(20.0, 1.0), n) for n in range(400))
    pipeline.process("sensors", slice_of(given[:100]))
    bank = pipeline.kept.bank
    assert bank is not None
    before = len(bank.blocks)
    relearn = b'{"command":"relearn","sensor_id":"press-7","ts":0}'
    pipeline.process("control", [FileRecord(0, START * 1000, None, relearn)])
    pipeline.process("sensors", slice_of(given[100:110]))
    assert pipeline.kept.live == {}
    assert len(bank.blocks) == before + 1
    pipeline.process("sensors", slice_of(given[110:]))
    assert pipeline.kept.live == {}
    assert len(bank.blocks) == before
    sensor = pipeline.sensor("press-7")
    assert sensor is not None
    assert sensor.events == 400


def test_a_sensor_with_settings_of_its_own_has_no_row() -> None:
    deployment = configured(
        sensors=[{"match": "oven-*", "detectors": {"value": ["cusum"]}}],
    )
    pipeline = Pipeline(deployment, 0)
    both = records(event(20.0 + n % 3, n, ("oven-1", "press-7")[n % 2]) for n in range(200))
    pipeline.process("sensors", slice_of(both))
    assert list(pipeline.kept.live) == ["oven-1"]
    assert_same(plain(deployment, both), (pipeline.drain(), pipeline))


@pytest.mark.parametrize(
    "sections",
    [
        {"predictions": {"enabled": True}},
        {"learner": {"task": "anomaly"}},
        {"detectors": {"value": ["cusum"]}},
        {"detectors": {"missing": []}},
        {"detectors": {"prediction": ["adwin"]}},
    ],
)
def test_what_rows_have_no_place_for_has_no_bank(sections: Mapping[str, Any]) -> None:
    assert bank_layout(configured(**sections)) is None


def test_rows_of_a_deployment_without_banks_are_read_all_the_same() -> None:
    banked = configured()
    pipeline = Pipeline(banked, 0)
    given = records(of_many(random.Random(8), 900))
    pipeline.process("sensors", slice_of(given))
    rows = {key: row for key, row in pipeline.take()[1] if row is not None}
    without = configured(predictions={"enabled": True})
    heir = Pipeline(without, 0)
    assert heir.kept.bank is None
    heir.restore(Restored(Position(dict(pipeline.position)), rows))
    for name in pipeline.sensor_ids():
        assert first_difference(pipeline.sensor(name), heir.sensor(name)) is None


# What is stored.


def stored_row(deployment: Settings, events: int = 300) -> bytes:
    pipeline = Pipeline(deployment, 0)
    draw = random.Random(4)
    given = records(event(draw.gauss(20.0, 1.0), n) for n in range(events))
    pipeline.process("sensors", slice_of(given))
    ((_, row),) = pipeline.take()[1]
    assert row is not None
    assert row.startswith(MAGIC)
    return row


def test_a_row_takes_at_most_1500_bytes_after_a_thousand_events() -> None:
    deployment = configured(detectors={"warmup": 100}, learner={"grace": 100})
    assert len(stored_row(deployment, 1000)) <= 1500


@pytest.mark.parametrize("at", [0, 5, 25, 40, 200, -1])
def test_a_changed_row_is_refused(at: int) -> None:
    deployment = configured()
    row = bytearray(stored_row(deployment))
    row[at] ^= 1
    with pytest.raises(SnapshotError):
        verified(bytes(row), signing_key(deployment.state))


def test_a_row_of_another_key_is_refused_at_the_restore() -> None:
    row = stored_row(configured())
    heir = Pipeline(configured(state={"signing_key": "quite another key"}), 0)
    with pytest.raises(SnapshotError, match="signing_key"):
        heir.restore(Restored(Position({}), {b'["sensor","press-7"]': row}))


@pytest.mark.parametrize("at", [0, 5, 25, 40, 200, -1])
def test_one_changed_row_among_many_is_refused_at_the_restore(at: int) -> None:
    deployment = configured()
    pipeline = Pipeline(deployment, 0)
    given = records(event(20.0 + n % 7, n, f"s-{n % 50}") for n in range(2000))
    pipeline.process("sensors", slice_of(given))
    rows = {key: row for key, row in pipeline.take()[1] if row is not None}
    changed = bytearray(rows[b'["sensor","s-17"]'])
    changed[at] ^= 1
    heir = Pipeline(deployment, 0)
    with pytest.raises(SnapshotError):
        heir.restore(Restored(Position({}), rows | {b'["sensor","s-17"]': bytes(changed)}))


def test_rows_of_other_detectors_are_restored_among_those_that_fit() -> None:
    before = configured(detectors={"error": ["ddm"]})
    deployment = configured()
    rows: dict[bytes, bytes] = {}
    for settings_then, names in ((before, "ab"), (deployment, "cd")):
        pipeline = Pipeline(settings_then, 0)
        given = records(event(20.0 + n % 7, n, names[n % 2]) for n in range(200))
        pipeline.process("sensors", slice_of(given))
        rows |= {key: row for key, row in pipeline.take()[1] if row is not None}
    heir = Pipeline(deployment, 0)
    heir.restore(Restored(Position({}), rows))
    assert heir.kept.bank is not None
    assert sorted(heir.kept.bank.ids()) == ["c", "d"]
    assert sorted(heir.sensor_ids()) == ["a", "b", "c", "d"]
    assert heir.sensors == 4
    for name, monitors in (("a", set()), ("c", {"missing", "value", "error"})):
        sensor = heir.sensor(name)
        assert sensor is not None
        assert sensor.events == 100
        assert sensor.monitors.keys() == monitors


def test_what_stands_beside_a_row_is_kept() -> None:
    deployment = configured()
    pipeline = Pipeline(deployment, 0)
    pipeline.process("sensors", slice_of(records(shifts(random.Random(2), 700))))
    sensor = pipeline.sensor("press-7")
    assert sensor is not None
    key = signing_key(deployment.state)
    row = dict(pipeline.take()[1])[b'["sensor","press-7"]']
    assert row is not None
    assert split(row)[1] != b""
    again = read(row, key, "press-7", deployment.for_sensor("press-7"))
    assert first_difference(sensor, again) is None


# The parts.


def test_ids_keep_their_rows_however_many_there_are() -> None:
    names = Names()
    ids = [f"sensor-{n}".encode() for n in range(5000)] + ["Öfen/7".encode(), b"x" * 200]
    for number, name in enumerate(ids):
        assert names.find(name) == -1
        assert names.add(name) == number
    assert [names.find(name) for name in ids] == list(range(len(ids)))
    assert [names[number] for number in range(len(ids))] == ids
    assert len(names) == len(ids)


@pytest.mark.parametrize("before", [0, 3, 700])
def test_many_ids_at_once_are_numbered_as_one_by_one(before: int) -> None:
    ids = [f"sensor-{n}".encode() for n in range(3000)] + ["Öfen/7".encode(), b"x" * 200, b'a"b']
    one_by_one, at_once = Names(), Names()
    for name in ids:
        one_by_one.add(name)
    for name in ids[:before]:
        at_once.add(name)
    at_once.add_many(ids[before:])
    assert len(at_once) == len(ids)
    for number, name in enumerate(ids):
        assert at_once[number] == name
        assert at_once.find(name) == one_by_one.find(name) == number


def test_an_id_has_the_same_number_however_it_comes() -> None:
    pipeline = Pipeline(configured(), 0)
    odd = 'a"b\\ö'
    given = records(event(20.0, n, name) for n, name in enumerate(["a b", odd, "a b", odd]))
    pipeline.process("sensors", slice_of(given))
    assert sorted(pipeline.sensor_ids()) == sorted(["a b", odd])
    assert hash_of(b"a b") != hash_of(odd.encode())


def test_two_ids_of_one_hash_are_two_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.bank.names.hash_of", lambda name: np.uint64(7))
    names = Names()
    assert [names.add(name) for name in (b"one", b"two", b"three")] == [0, 1, 2]
    assert [names.find(name) for name in (b"one", b"two", b"three", b"four")] == [0, 1, 2, -1]


def test_a_bank_grows_without_losing_a_row() -> None:
    deployment = configured()
    given = records(event(20.0 + n % 7, n, f"s-{n % 700}") for n in range(2100))
    assert_same(
        plain(deployment, given), in_slices(deployment, given, random.Random(1), restarts=False)
    )


def test_the_layout_says_what_the_settings_say() -> None:
    deployment = configured(learner={"lags": 5, "grace": 17}, episodes={"quiet_events": 70})
    layout = layout_of(deployment.variants()[0])
    assert layout is not None
    assert (layout.lags, layout.grace, layout.quiet_events, layout.warmup) == (5, 17, 70, 30)
    assert (layout.value_adwin, layout.error_adwin) == (False, True)
    assert layout.parameters.shape == (len(FACTORS), 3, monitor.PARAMETERS)
    assert len(Bank(layout, deployment.variants()[0], b"k" * 32)) == 0
