"""A partition that is full forgets the sensors silent for the longest, and says so.

`rows` are sensors in a bank, `objects` those of a deployment that has none.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from schemas.compiled import AVAILABLE
from schemas.errors import SnapshotError
from schemas.settings import SensorSettings, Settings
from streams import handlers, rows, stored
from streams.bank.names import Names
from streams.changelog import Position, Restored
from streams.metrics import Metrics
from streams.pipeline import Pipeline
from streams.records import Counts, FileRecord, Outgoing
from streams.sensor import Fit, Sensor
from streams.status import WorkerStatus
from streams.worker import Worker
from tests.chaos.verifier import first_difference
from tests.pipelines import START, Partition, alert, command, configured, label, reading
from tests.slices import slice_of

CURSED = 13.0

needs_banks = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")


def limited(most: int, **sections: Any) -> Settings:
    key = "a key for tests only"
    return configured(state={"signing_key": key, "max_sensors": most}, **sections)


@pytest.fixture(params=["rows", "objects"])
def full(request: pytest.FixtureRequest) -> Callable[[int], Partition]:
    """Make a partition that keeps so many sensors."""
    sections = {"predictions": {"enabled": request.param == "objects"}}
    return lambda most: Partition(limited(most, **sections))


def send(partition: Partition, *sensors: str, value: float = 20.0) -> None:
    """One event of each sensor, in this order."""
    partition.feed("sensors", *(reading(sensor, value) for sensor in sensors))


def kept(partition: Partition) -> list[str]:
    return sorted(partition.pipeline.sensor_ids())


def forgotten(partition: Partition) -> list[str]:
    records = partition.written("adaptations")
    return [record["sensor_id"] for record in records if record["action"] == "evict"]


# Who is forgotten.


def test_the_sensor_silent_for_the_longest_is_forgotten(full: Callable[[int], Partition]) -> None:
    partition = full(3)
    send(partition, "a", "b", "c", "a", "b", "d")
    assert kept(partition) == ["a", "b", "d"]
    assert forgotten(partition) == ["c"]


def test_nobody_is_forgotten_while_there_is_room(full: Callable[[int], Partition]) -> None:
    partition = full(3)
    send(partition, *"abcabccba")
    assert kept(partition) == ["a", "b", "c"]
    assert forgotten(partition) == []


def test_a_hundredth_of_the_limit_goes_at_once(full: Callable[[int], Partition]) -> None:
    partition = full(300)
    names = [f"s-{n:03}" for n in range(300)]
    send(partition, *names, "new")
    assert forgotten(partition) == names[:3]
    send(partition, "newer", "newest")
    assert len(forgotten(partition)) == 3
    assert partition.pipeline.sensors == 300


def test_a_single_sensor_gives_way_to_the_next(full: Callable[[int], Partition]) -> None:
    partition = full(1)
    send(partition, "a", "b", "c")
    assert kept(partition) == ["c"]
    assert forgotten(partition) == ["a", "b"]


def test_sensors_that_sent_no_event_go_first_in_the_order_of_their_ids() -> None:
    partition = Partition(limited(4))
    send(partition, "a")
    partition.feed("control", *(command("mute", sensor) for sensor in ("z", "y", "x")))
    send(partition, "b", "c")
    assert forgotten(partition) == ["x", "y"]
    assert kept(partition) == ["a", "b", "c", "z"]


def test_one_that_came_without_an_event_is_not_forgotten_for_its_own_sake() -> None:
    partition = Partition(limited(1))
    send(partition, "a")
    partition.feed("control", command("mute", "b"))
    assert kept(partition) == ["b"]
    assert forgotten(partition) == ["a"]


def test_labels_that_wait_are_no_sign_of_life() -> None:
    partition = Partition(limited(2, learner={"task": "classification"}))
    for sensor in ("a", "b"):
        partition.feed("sensors", reading(sensor, features={"x": 1.0}, event_id="e"))
    partition.feed("labels", label("a", "e", 1))
    partition.feed("sensors", reading("c", features={"x": 1.0}))
    assert forgotten(partition) == ["a"]


def test_what_leaves_nothing_behind_takes_no_place() -> None:
    partition = Partition(limited(1))
    send(partition, "a")
    partition.feed("control", command("relearn", "b"), command("unmute", "c"))
    partition.feed("labels", label("d", "e", 1))
    partition.feed("alerts", alert("e"))
    partition.feed("sensors", b'{"sensor_id":"f"}')
    assert kept(partition) == ["a"]
    assert forgotten(partition) == []


def test_a_sensor_whose_mute_ends_before_its_first_event_takes_no_place_any_more() -> None:
    partition = Partition(limited(2))
    send(partition, "a")
    mute = [command("mute", "b"), command("unmute", "b")]
    partition.work("control", [partition.record("control", value) for value in mute])
    partition.work("sensors", [partition.record("sensors", reading("c", 20.0))])
    assert kept(partition) == ["a", "c"]
    partition.checkpoint()
    assert forgotten(partition) == []


def test_where_the_limit_was_lowered_the_next_new_sensor_makes_it_hold(
    full: Callable[[int], Partition],
) -> None:
    partition = full(300)
    send(partition, *(f"s-{n:03}" for n in range(250)))
    settings = partition.settings
    lower = settings.state.model_copy(update={"max_sensors": 20})
    partition.restart(settings.model_copy(update={"state": lower}))
    send(partition, "s-100")
    assert partition.pipeline.sensors == 250
    send(partition, "new")
    assert kept(partition) == ["new", "s-100", *(f"s-{n}" for n in range(232, 250))]


# What is said of it.


def test_each_is_told_of_by_an_adaptation(full: Callable[[int], Partition]) -> None:
    partition = full(2)
    send(partition, "a", "b", "c")
    (record,) = partition.written("adaptations")
    assert record == {
        "id": record["id"],
        "ts": "2026-01-05T12:00:02Z",
        "sensor_id": "a",
        "action": "evict",
        "rule": "state.max_sensors",
        "drift_event_id": None,
        "model_before": {"name": "a", "version": 1},
        "model_after": None,
        "reason": "silent since offset 0, 2026-01-05T12:00:00Z",
    }


def test_the_model_is_named_by_the_version_that_was_in_use(
    full: Callable[[int], Partition],
) -> None:
    partition = full(1)
    send(partition, *["a"] * 10)
    partition.feed("control", command("relearn", "a"))
    send(partition, *["a"] * 10)
    partition.feed("control", command("promote", "a"))
    send(partition, "a")
    partition.restart()
    send(partition, "b")
    assert partition.written("adaptations")[-1]["model_before"] == {"name": "a", "version": 2}


def test_of_a_sensor_without_events_it_is_said_that_there_were_none() -> None:
    partition = Partition(limited(1))
    partition.feed("control", command("mute", "a"))
    send(partition, "b")
    assert partition.written("adaptations")[0]["reason"] == "it has sent no event"


def test_of_many_at_once_each_has_an_id_of_its_own() -> None:
    partition = Partition(limited(300))
    send(partition, *(f"s-{n}" for n in range(301)))
    assert len({record["id"] for record in partition.written("adaptations")}) == 3


def test_they_are_counted_and_logged_once(
    full: Callable[[int], Partition], caplog: pytest.LogCaptureFixture
) -> None:
    partition = full(300)
    send(partition, *(f"s-{n}" for n in range(301)))
    assert partition.counts.adaptations == {"evict": 3}
    (line,) = caplog.records
    told = line.msg
    assert isinstance(told, dict)
    assert line.levelname == "WARNING"
    assert (told["sensors"], told["limit"], told["last_offset"]) == (3, 300, 2)


def test_a_worker_counts_them() -> None:
    metrics = Metrics.create(CollectorRegistry())
    worker = Worker(configured(), metrics, WorkerStatus(configured(), metrics))
    worker._count(Counts(adaptations={"evict": 3, "relearn": 1}))
    worker._count(Counts())
    value = metrics.registry.get_sample_value
    assert value("driftline_evicted_sensors_total") == 3.0
    assert value("driftline_adaptations_total", {"action": "evict"}) == 3.0


# What is left of it.


def test_its_rows_are_deleted_from_the_state(full: Callable[[int], Partition]) -> None:
    partition = full(1)
    send(partition, "a")
    send(partition, "b")
    assert list(partition.state()) == [("sensor", "b")]


def test_so_are_all_parts_of_a_large_row_and_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART_BYTES", 100)
    partition = Partition(limited(1, learner={"task": "classification"}))
    for n in range(5):
        partition.feed("sensors", reading("a", features={"x": 1.0}, event_id=f"e-{n}"))
    partition.feed("labels", label("a", "e-0", 1), label("a", "early", 1))
    assert len(partition.rows) > 7
    partition.feed("control", command("mute", "b"))
    assert list(partition.state()) == [("sensor", "b")]


def test_so_they_are_where_it_was_not_seen_since_a_restart() -> None:
    partition = Partition(limited(1, learner={"task": "classification"}))
    partition.feed("sensors", reading("a", features={"x": 1.0}, event_id="e"))
    partition.restart()
    partition.feed("control", command("mute", "b"))
    assert list(partition.state()) == [("sensor", "b")]


def test_one_that_was_never_stored_leaves_the_state_as_it_is() -> None:
    partition = Partition(limited(1, predictions={"enabled": True}))
    events = [partition.record("sensors", reading(sensor, 20.0)) for sensor in ("a", "b")]
    partition.work("sensors", events)
    _, changed = partition.pipeline.take()
    assert [(key, row is None) for key, row in changed] == [(b'["sensor","b"]', False)]


def test_it_begins_anew_when_it_sends_again(full: Callable[[int], Partition]) -> None:
    partition, other = full(1), full(1)
    send(partition, *["a"] * 50, "b")
    other.feed("sensors", *[b"{}"] * 51)
    for each in (partition, other):
        send(each, "a")
        assert each.sensor("a").events == 1
    assert first_difference(partition.sensor("a"), other.sensor("a")) is None


def test_it_may_come_back_before_the_next_checkpoint(full: Callable[[int], Partition]) -> None:
    partition = full(1)
    send(partition, "a", "a")
    events = [partition.record("sensors", reading(sensor, 20.0)) for sensor in ("b", "a")]
    partition.work("sensors", events)
    partition.checkpoint()
    partition.restart()
    assert kept(partition) == ["a"]
    assert partition.sensor("a").events == 1


@needs_banks
def test_rows_are_used_again_however_many_sensors_come_and_go() -> None:
    pipeline = Pipeline(limited(50), 0)
    for first in range(0, 3000, 100):
        names = [f"{'x' * (n % 7)}{n}" for n in range(first, first + 100)]
        given = [
            FileRecord(first + n, START * 1000, None, reading(name, 20.0))
            for n, name in enumerate(names)
        ]
        pipeline.process("sensors", slice_of(given))
        pipeline.take()
    bank = pipeline.kept.bank
    assert bank is not None
    fresh = Names()
    assert len(bank) == 50
    assert bank._capacity <= 64
    assert bank._beside == {}
    assert len(bank.names.hashes) == len(fresh.hashes)
    assert len(bank.names.arena) == len(fresh.arena)


def test_objects_are_let_go_however_many_come_and_go() -> None:
    partition = Partition(limited(50, learner={"task": "classification"}))
    for n in range(500):
        partition.feed("sensors", reading(f"s-{n}", features={"x": 1.0}))
    pipeline = partition.pipeline
    assert len(pipeline.kept.live) == len(pipeline.kept.stored) == len(pipeline.kept.waiting) == 50
    assert len(partition.state()) == 100


# A defect of our own.


@pytest.fixture
def defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the handler of readings, after it has changed the sensor."""
    real = handlers.HANDLERS["sensors"]

    def broken(sensor: Any, event: Any, context: Any) -> Any:
        done = real(sensor, event, context)
        if event.value == CURSED:
            raise ZeroDivisionError("a defect")
        return done

    monkeypatch.setitem(handlers.HANDLERS, "sensors", broken)


@pytest.mark.usefixtures("defect")
def test_a_first_event_that_fails_forgets_nobody() -> None:
    partition = Partition(limited(2, predictions={"enabled": True}))
    send(partition, "a", "b")
    send(partition, "c", value=CURSED)
    assert kept(partition) == ["a", "b"]
    assert partition.pipeline.sensors == 2
    assert len(partition.letters()) == 1


@pytest.mark.usefixtures("defect")
def test_a_defect_after_the_return_brings_nothing_of_the_past_back() -> None:
    sections = {"predictions": {"enabled": True}}
    partition, other = Partition(limited(1, **sections)), Partition(limited(1, **sections))
    send(partition, *["a"] * 50, "b")
    other.feed("sensors", *[b"{}"] * 51)
    for each in (partition, other):
        events = [reading("a", 20.0), reading("a", CURSED), reading("a", 21.0)]
        each.feed("sensors", *events)
        assert kept(each) == ["a"]
    assert first_difference(partition.sensor("a"), other.sensor("a")) is None


# The same after any restart, in any slices, as rows and as objects.

Step = tuple[str, FileRecord]
KINDS: Mapping[str, Mapping[str, Any]] = {
    "rows": {},
    "objects": {"predictions": {"enabled": True}},
    "both, and labels": {
        "sensors": [{"match": "oven-*", "learner": {"task": "classification"}}],
    },
    "a policy that is quick": {
        "detectors": {"warmup": 10},
        "learner": {"grace": 5},
        "policy": {"relearn": "fresh"},
    },
}


def churn(draw: random.Random, count: int, names: int) -> list[Step]:
    """Sensors that come, go and come back, with commands and labels for them."""
    given: list[Step] = []
    ends: dict[str, int] = {}
    for n in range(count):
        number = min(int(draw.expovariate(4.0 / names)), names - 1)
        sensor = f"oven-{number}" if number % 3 == 0 else f"press-{number}"
        what = draw.random()
        if what < 0.7:
            level = 20.0 if n < count / 2 else 26.0
            more = {"note": "of another shape"} if what < 0.03 else {}
            event = {"sensor_id": sensor, "event_id": f"e-{n % 50}", "ts": START + n}
            kind, value = "sensors", orjson.dumps(event | {"value": draw.gauss(level, 1.0)} | more)
        elif what < 0.85:
            kind, value = "labels", label(sensor, f"e-{draw.randrange(50)}", draw.randrange(2))
        elif what < 0.87:
            kind, value = "sensors", b"{}"
        else:
            name = draw.choice(["mute", "unmute", "relearn", "reset", "promote", "ack"])
            kind, value = "control", command(name, sensor)
        offset = ends.get(kind, 0)
        ends[kind] = offset + 1 + draw.randrange(2)
        given.append((kind, FileRecord(offset, START * 1000 + n, None, value)))
    return given


class Owner:
    """Owns the partition: checkpoints it, loses it, takes it over again."""

    def __init__(self, deployment: Settings) -> None:
        self.deployment = deployment
        self.pipeline = Pipeline(deployment, 0)
        self.effects: list[Outgoing] = []
        self.rows: dict[bytes, bytes] = {}
        self.position = Position({})

    def checkpoint(self) -> None:
        effects, changed = self.pipeline.take()
        self.effects += effects
        for key, row in changed:
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        self.position = Position(dict(self.pipeline.position))

    def restore(self) -> Pipeline:
        self.pipeline = Pipeline(self.deployment, 0)
        self.pipeline.restore(Restored(self.position, dict(self.rows)))
        return self.pipeline


def one_by_one(deployment: Settings, given: list[Step]) -> Owner:
    """Nothing ever fails; the only checkpoint is the last."""
    owner = Owner(deployment)
    for kind, record in given:
        owner.pipeline.process(kind, [record])
        assert owner.pipeline.sensors <= deployment.state.max_sensors
    owner.checkpoint()
    return owner


def as_it_comes(deployment: Settings, given: list[Step], draw: random.Random) -> Owner:
    """In slices of any size, with checkpoints, crashes and hand-overs in between."""
    owner = Owner(deployment)
    at = saved = 0
    while at < len(given):
        kind, size, end = given[at][0], draw.choice([1, 3, 20, 200]), at
        while end < len(given) and end - at < size and given[end][0] == kind:
            end += 1
        records = [record for _, record in given[at:end]]
        owner.pipeline.process(kind, slice_of(records) if draw.random() < 0.9 else records)
        at = end
        what = draw.random()
        if what < 0.2:
            owner.checkpoint()
            saved = at
            if what < 0.1:
                owner.restore()
        elif what < 0.25:
            owner.restore()
            at = max(0, saved - draw.randrange(5))
    owner.checkpoint()
    return owner


def assert_same(one: Owner, other: Owner) -> None:
    assert one.effects == other.effects
    assert one.rows.keys() == other.rows.keys()
    # What was restored is free of what only counts until the next checkpoint.
    here, there = one.restore(), other.restore()
    names = set(here.sensor_ids())
    assert here.sensors == there.sensors == len(names)
    for name in names:
        assert first_difference(here.sensor(name), there.sensor(name)) is None, name


@pytest.mark.parametrize("kind", KINDS)
@tried(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 5, 12]))
def test_what_is_forgotten_follows_from_the_order_of_events_alone(
    kind: str, seed: int, most: int
) -> None:
    deployment = limited(most, **KINDS[kind])
    given = churn(random.Random(seed), 300, 3 * most + 2)
    once = one_by_one(deployment, given)
    assert any(b'"action":"evict"' in (effect.value or b"") for effect in once.effects)
    assert_same(once, as_it_comes(deployment, given, random.Random(seed)))


@pytest.mark.parametrize("kind", KINDS)
def test_so_it_does_where_many_go_at_once(kind: str) -> None:
    deployment = limited(230, **KINDS[kind])
    given = churn(random.Random(7), 3000, 1500)
    once = one_by_one(deployment, given)
    assert sum(b'"action":"evict"' in (effect.value or b"") for effect in once.effects) > 100
    assert_same(once, as_it_comes(deployment, given, random.Random(7)))


@needs_banks
def test_so_it_does_where_banks_are_opened_late_or_not_at_all() -> None:
    banked = limited(40)
    given = churn(random.Random(3), 800, 120)
    once = one_by_one(banked, given)
    late = Owner(banked)
    for n, (kind, record) in enumerate(given):
        ready = n >= 400
        if n % 100 == 0:
            late.checkpoint()
            late.pipeline = Pipeline(banked, 0, lambda ready=ready: ready)  # type: ignore[misc]
            late.pipeline.restore(Restored(late.position, dict(late.rows)))
        late.pipeline.process(kind, slice_of([record]))
    late.checkpoint()
    assert_same(once, late)


# How it is known.


def test_rows_are_not_read_to_learn_who_was_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition(limited(10, predictions={"enabled": True}))
    send(partition, *"abcdefghij")
    partition.restart()
    read: list[str] = []
    real = stored.read

    def counted(
        row: bytes, key: bytes, sensor_id: str, settings: SensorSettings
    ) -> tuple[Sensor, Fit]:
        read.append(sensor_id)
        return real(row, key, sensor_id, settings)

    monkeypatch.setattr(stored, "read", counted)
    send(partition, "k")
    assert read == ["a"]


@pytest.mark.parametrize("sections", [{}, {"predictions": {"enabled": True}}])
@pytest.mark.parametrize("events", [0, 1, 300])
def test_the_last_offset_stands_in_the_row(sections: Mapping[str, Any], events: int) -> None:
    partition = Partition(limited(10, **sections))
    partition.feed("control", command("mute"))
    partition.feed("sensors", *(reading(value=20.0 + n % 3) for n in range(events)))
    (row,) = partition.rows.values()
    assert stored.last_offset(row) == events - 1


def test_a_row_that_says_another_offset_than_its_snapshot_is_refused() -> None:
    partition = Partition(limited(10, predictions={"enabled": True}))
    send(partition, "press-7", "press-7")
    ((key, row),) = partition.rows.items()
    partition.rows[key] = row[:4] + (7).to_bytes(8, "big") + row[12:]
    partition.restart()
    with pytest.raises(SnapshotError, match="last event"):
        partition.sensor()


def test_a_row_of_an_earlier_version_is_refused_at_the_restore() -> None:
    partition = Partition(limited(10, predictions={"enabled": True}))
    send(partition, "press-7")
    ((key, row),) = partition.rows.items()
    partition.rows[key] = stored.snapshot_of(row)
    with pytest.raises(SnapshotError, match="earlier version"):
        partition.restart()


@needs_banks
@given(st.lists(st.text(max_size=6), min_size=1, unique=True), st.randoms())
def test_ids_that_are_kept_are_found_under_their_new_numbers(
    ids: list[str], draw: random.Random
) -> None:
    names = Names()
    raw = [name.encode() for name in ids]
    for name in raw:
        names.add(name)
    order = draw.sample(range(len(raw)), draw.randint(0, len(raw)))
    names.keep(np.array(order, np.int64))
    left = [raw[number] for number in order]
    assert [names[number] for number in range(len(names))] == left
    assert [names.find(name) for name in left] == list(range(len(left)))
    gone = [name for name in raw if name not in left]
    assert {names.find(name) for name in gone} <= {-1}
    assert [names.add(name) for name in gone] == list(range(len(left), len(raw)))
    assert [names.find(name) for name in left + gone] == list(range(len(raw)))
