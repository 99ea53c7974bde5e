"""The central law: slices, checkpoints and restarts change nothing in what is found and kept."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from schemas.settings import Settings
from streams import pipeline as module
from streams.records import FileRecord
from tests.pipelines import Partition, command, configured, label, reading

Slice = tuple[str, list[FileRecord]]

TASKS: dict[str, dict[str, Any]] = {
    "forecast": {},
    "anomaly": {"learner": {"task": "anomaly"}},
    "classification": {"learner": {"task": "classification"}, "labels": {"max_pending": 20}},
    "regression": {"learner": {"task": "regression"}, "labels": {"max_pending": 20}},
}


def deployment(task: str) -> Settings:
    sections = dict(TASKS[task])
    sections["learner"] = {"grace": 5, **sections.get("learner", {})}
    sections["detectors"] = {
        "warmup": 10,
        "missing": ["adwin", "page-hinkley"],
        "params": {"page-hinkley": {"threshold": 8.0}},
    }
    sections["episodes"] = {"quiet_events": 15}
    sections["policy"] = {
        "cooldown_events": 20,
        "challenger_events": 15,
        "retrain_min_events": 20,
    }
    sections["predictions"] = {"enabled": True}
    return configured(**sections)


def history(task: str, seed: int) -> list[tuple[str, bytes | None]]:
    """Readings of two sensors that change, with labels, commands, gaps and rubbish among them."""
    draw = random.Random(seed)
    inputs: list[tuple[str, bytes | None]] = []
    truths: list[bytes] = []
    labelled = task in ("classification", "regression")
    for n in range(160):
        sensor = draw.choice(["press-7", "oven-2"])
        x = draw.gauss(20.0 if n < 60 else 30.0, 1.0)
        if draw.random() < 0.05:
            inputs.append(("sensors", reading(sensor, None, n=n)))
        elif labelled:
            features = {"a": x, "lot": draw.choice("xyz")}
            event_id = None if draw.random() < 0.5 else f"e-{n}"
            inputs.append(("sensors", reading(sensor, n=n, features=features, event_id=event_id)))
            truth = int((x > 20.0) ^ (n > 90)) if task == "classification" else 3 * x - n // 90 * 50
            offset = sum(kind == "sensors" for kind, _ in inputs) - 1
            truths.append(label(sensor, event_id or f"0-{offset}", truth, n=n))
            draw.shuffle(truths)
            if draw.random() < 0.8:
                inputs.append(("labels", truths.pop()))
        else:
            inputs.append(("sensors", reading(sensor, x, n=n)))
        if draw.random() < 0.06:
            name = draw.choice(["relearn", "promote", "rollback", "unmute", "unmute", "mute"])
            inputs.append(("control", command(name, sensor)))
        if draw.random() < 0.04:
            kind = draw.choice(["sensors", "labels", "control", "alerts", "models"])
            inputs.append((kind, draw.choice([None, b"", b"{}", b"\xff", b'{"sensor_id":"x"}'])))
    return inputs


def played(
    settings: Settings,
    inputs: Sequence[tuple[str, bytes | None]],
    checkpoints: set[int] | None = None,
    restarts: set[int] | None = None,
    slices: int = 1,
) -> Partition:
    """Play a history with checkpoints and restarts after the given numbers of records."""
    partition = Partition(settings)
    waiting: Slice = ("sensors", [])
    checkpoints, restarts = checkpoints or set(), restarts or set()
    for number, (kind, value) in enumerate(inputs):
        record = partition.record(kind, value)
        if waiting[0] != kind or len(waiting[1]) >= slices:
            partition.work(*waiting)
            waiting = (kind, [])
        waiting[1].append(record)
        if number in checkpoints | restarts:
            partition.work(*waiting)
            waiting = (kind, [])
            partition.checkpoint()
        if number in restarts:
            partition.restart()
    partition.work(*waiting)
    partition.checkpoint()
    return partition


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(
    seed=st.integers(0, 10**6),
    checkpoints=st.sets(st.integers(0, 200), max_size=6),
    restarts=st.sets(st.integers(0, 200), max_size=4),
    slices=st.integers(1, 60),
)
def test_slices_checkpoints_and_restarts_change_neither_effects_nor_state(
    task: str, seed: int, checkpoints: set[int], restarts: set[int], slices: int
) -> None:
    chosen = deployment(task)
    inputs = history(task, seed)
    once = played(chosen, inputs)
    often = played(chosen, inputs, checkpoints, restarts, slices)
    assert often.effects == once.effects
    assert often.counts == once.counts
    assert often.state() == once.state()
    assert often.pipeline.position == once.pipeline.position


@pytest.mark.parametrize("task", TASKS)
def test_the_histories_that_are_replayed_hold_drift_and_adaptation(task: str) -> None:
    found = [played(deployment(task), history(task, seed)) for seed in range(4)]
    assert any(p.written("alerts") for p in found)
    assert any(p.written("adaptations") for p in found)
    assert any(p.letters() for p in found)


def test_each_record_is_scored_or_on_the_dead_letters() -> None:
    inputs = history("forecast", 5)
    done = played(deployment("forecast"), inputs)
    refused = sum(done.counts.dead_letters.values())
    letters = done.letters()
    others = sum(kind != "sensors" for kind, _ in inputs)
    bad_sensors = sum(b"sensors" in dict(e.headers)["__connect.errors.topic"] for e in letters)
    assert len(letters) == refused
    assert done.counts.scored + bad_sensors + others == len(inputs)


def test_a_replay_of_old_offsets_is_skipped() -> None:
    partition = Partition(configured())
    records = [partition.record("sensors", reading(value=20.0 + n % 3, n=n)) for n in range(50)]
    partition.process("sensors", records)
    before = partition.state()
    effects = partition.process("sensors", records[10:])
    assert effects == []
    assert partition.counts.skipped == 40
    assert partition.counts.scored == 50
    assert partition.state() == before


def test_a_replay_that_reaches_beyond_the_position_goes_on_from_there() -> None:
    partition = Partition(configured())
    records = [partition.record("sensors", reading(value=20.0 + n % 3, n=n)) for n in range(50)]
    partition.process("sensors", records[:30])
    partition.restart()
    partition.process("sensors", records[10:])
    assert partition.counts.scored == 50
    assert partition.sensor().events == 50


# A defect in our own code.


def of_another_shape(event: bytes) -> bytes:
    """The same event with a key that nobody knows: it is decoded the plain way."""
    return event.replace(b"{", b'{"note":"see manual",', 1)


def poisoned(n: int) -> bytes:
    return of_another_shape(reading(value=666.0, n=n))


def defect(monkeypatch: pytest.MonkeyPatch, poison: float) -> None:
    """Let scoring fail half-way for one value, after the state has been changed."""
    genuine = module.HANDLERS["sensors"]

    def broken(sensor: Any, event: Any, context: Any) -> Any:
        done = genuine(sensor, event, context)
        if event.value == poison:
            raise ZeroDivisionError("a defect of ours")
        return done

    monkeypatch.setattr(module, "HANDLERS", {**module.HANDLERS, "sensors": broken})


@pytest.mark.parametrize("checkpoint_before", [False, True])
@pytest.mark.parametrize("restart_before", [False, True])
def test_a_defect_on_one_record_leaves_the_sensor_as_before_that_record(
    monkeypatch: pytest.MonkeyPatch, checkpoint_before: bool, restart_before: bool
) -> None:
    defect(monkeypatch, 666.0)
    draw = random.Random(1)
    values = [draw.gauss(20.0, 1.0) for _ in range(60)]
    healthy, struck = Partition(configured()), Partition(configured())
    for n, value in enumerate(values):
        event = reading(value=value, n=n)
        healthy.work("sensors", [healthy.record("sensors", event)])
        struck.work("sensors", [struck.record("sensors", event)])
        if n == 40:
            if checkpoint_before or restart_before:
                struck.checkpoint()
            if restart_before:
                struck.restart()
            # the same offset on both sides, so that all that follows has the same
            healthy.record("sensors", poisoned(n))
            struck.work("sensors", [struck.record("sensors", poisoned(n))])
    healthy.checkpoint()
    struck.checkpoint()
    assert struck.state() == healthy.state()
    assert struck.counts.scored == 60
    assert struck.counts.dead_letters == {"processing": 1}
    headers = dict(struck.effects[-1].headers)
    assert headers["__connect.errors.stage"] == b"processing"
    assert headers["__connect.errors.exception.class.name"] == b"builtins.ZeroDivisionError"
    assert headers["__connect.errors.offset"] == b"41"


def test_a_defect_harms_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch, 666.0)
    partition = Partition(configured())
    events = [
        event
        for n in range(40)
        for event in (
            reading("oven-2", 30.0 + n % 2, n=n),
            poisoned(n),
        )
    ]
    partition.feed("sensors", *events)
    assert partition.sensor("oven-2").events == 40
    assert partition.pipeline.sensor("press-7") is None
    assert partition.counts.dead_letters == {"processing": 40}


def test_a_sensor_struck_by_many_defects_in_a_row_still_takes_linear_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    defect(monkeypatch, 666.0)
    partition = Partition(configured())
    played_again = 0
    genuine = module.Pipeline._handle

    def counted(self: Any, *args: Any) -> Any:
        nonlocal played_again
        played_again += 1
        return genuine(self, *args)

    monkeypatch.setattr(module.Pipeline, "_handle", counted)
    good = [partition.record("sensors", reading(value=20.0 + n % 3, n=n)) for n in range(100)]
    bad = [partition.record("sensors", poisoned(n)) for n in range(100)]
    partition.process("sensors", good + bad)
    assert partition.sensor().events == 100
    assert played_again <= 2 * 200


def test_a_defect_in_decoding_is_a_dead_letter_of_stage_processing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(raw: bytes | None) -> Any:
        raise RecursionError("a defect of ours")

    monkeypatch.setattr(module, "_DECODERS", {**module._DECODERS, "sensors": broken})
    partition = Partition(configured())
    partition.feed("sensors", of_another_shape(reading(value=1.0)))
    assert partition.counts.dead_letters == {"processing": 1}


def test_an_event_that_fails_is_not_counted_as_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(message: Any) -> bytes:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr(module, "encode", broken)
    partition = Partition(configured(predictions={"enabled": True}))
    partition.feed("sensors", reading(value=1.0))
    assert partition.counts.scored == 0
    assert partition.counts.dead_letters == {"processing": 1}


# Bad records.


@pytest.mark.parametrize("kind", ["sensors", "labels", "control", "alerts", "models"])
@pytest.mark.parametrize("value", [None, b"", b"[]", b'{"sensor_id":"\xff"}'])
def test_a_bad_record_is_dead_lettered_with_the_bytes_it_came_with(
    kind: str, value: bytes | None
) -> None:
    partition = Partition(configured(), number=3)
    partition.feed("sensors", reading(value=1.0))
    record = partition.record(
        kind, value, key=b"\x00key", timestamp=1234, headers=[("trace", b"\xfe"), ("none", None)]
    )
    (letter,) = partition.process(kind, [record])
    assert letter.topic == "driftline.dead-letters"
    assert (letter.key, letter.value, letter.timestamp) == (b"\x00key", value, 1234)
    assert list(letter.headers[:2]) == [("trace", b"\xfe"), ("none", None)]
    ours = dict(letter.headers[2:])
    assert ours["__connect.errors.topic"] == f"driftline.{kind}".encode()
    assert ours["__connect.errors.partition"] == b"3"
    assert ours["__connect.errors.offset"] == str(record.offset).encode()
    assert ours["__connect.errors.stage"] == b"decode"
    assert ours["__connect.errors.exception.message"].startswith(b"$")  # type: ignore[union-attr]


def test_a_model_of_no_sensor_is_a_dead_letter() -> None:
    partition = Partition(configured())
    model = orjson.loads(partition.candidate("anything")) | {"sensor_id": None}
    (letter,) = partition.feed("models", orjson.dumps(model))
    message = dict(letter.headers)["__connect.errors.exception.message"]
    assert message == b"$.sensor_id: expected the id of a sensor"


def test_a_record_with_an_absurd_kafka_time_is_scored() -> None:
    partition = Partition(configured())
    partition.feed("sensors", reading(value=1.0))
    for timestamp in (-1, 2**62):
        partition.process(
            "control", [partition.record("control", command("reset"), timestamp=timestamp)]
        )
    assert partition.counts.dead_letters == {}
    assert len(partition.written("adaptations")) == 2


def test_a_label_of_the_wrong_type_changes_nothing_and_costs_no_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partition = Partition(deployment("regression"))
    partition.work(
        "sensors",
        [
            partition.record("sensors", reading(n=n, features={"a": 1.0 * n}, event_id=f"e-{n}"))
            for n in range(20)
        ],
    )

    def never(*_: Any) -> None:
        raise AssertionError("nothing was changed, so there is nothing to undo")

    monkeypatch.setattr(module.Kept, "undo", never)
    partition.work("labels", [partition.record("labels", label("press-7", "e-1", "wet"))])
    partition.checkpoint()
    (letter,) = partition.letters()
    headers = dict(letter.headers)
    assert headers["__connect.errors.exception.message"] == b"$.label: expected a finite number"
    assert headers["__connect.errors.stage"] == b"decode"
    assert len(partition.sensor().pending) == 20


# Sensors of which nothing is known.


def test_a_command_for_a_sensor_that_never_was_leaves_no_state() -> None:
    partition = Partition(configured())
    partition.feed("control", command("reset", "nobody"), command("unmute", "nobody"))
    assert partition.rows == {}
    assert partition.pipeline.sensors == 0
    (record,) = partition.written("adaptations")
    assert (record["action"], record["reason"]) == ("reject", "no such sensor here")


def test_a_sensor_that_is_muted_before_its_first_event_can_be_unmuted() -> None:
    partition = Partition(configured())
    partition.feed("control", command("mute"))
    partition.restart()
    partition.feed("control", command("unmute"))
    partition.feed("sensors", reading(value=1.0))
    assert partition.sensor().muted_until is None


def test_what_is_unmuted_before_its_first_event_leaves_no_state() -> None:
    partition = Partition(configured())
    partition.feed("control", command("mute"))
    assert partition.pipeline.sensors == 1
    partition.feed("control", command("unmute"))
    assert partition.rows == {}
    assert partition.pipeline.sensors == 0
