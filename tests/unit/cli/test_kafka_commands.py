"""The commands that talk to Kafka, on the embedded broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import encode
from schemas.dead_letter import DeadLetter
from schemas.events import (
    ChangePoint,
    DriftEvent,
    ModelRecord,
    ModelRef,
    SourceRange,
    SourceRef,
    Statistics,
)
from schemas.settings import Settings
from streams.partitioner import partition_for
from tests.brokers import produce, read_topic
from tests.unit.cli.conftest import Driftline

pytestmark = pytest.mark.embedded

HOUR = 3_600_000_000
NOON = 1_767_614_400_000_000


def drift_event(number: int, sensor: str = "press-7", **fields: Any) -> DriftEvent:
    given: dict[str, Any] = {
        "id": f"{number:032x}"[::-1],
        "sensor_id": sensor,
        "ts": NOON + number * HOUR,
        "kind": "drift",
        "detector": "adwin",
        "signal": "value",
        "direction": "up",
        "diagnosis": "data",
        "severity": "high",
        "episode_id": f"episode-{number}",
        "score": 0.9,
        "threshold": 0.4,
        "change_point": ChangePoint(ts=NOON, offset=3),
        "before": Statistics(n=100, mean=20.0, std=1.0),
        "after": Statistics(n=30, mean=26.0, std=1.0),
        "model": ModelRef(name=sensor, version=1),
        "source": SourceRef(topic="sensors", partition=0, offset=number),
    }
    return DriftEvent(**(given | fields))


def put(settings: Settings, topic: str, *messages: tuple[str, bytes]) -> None:
    pairs = [(key.encode(), value) for key, value in messages]
    produce(settings.kafka.bootstrap_servers, settings.topic(topic), pairs)  # type: ignore[arg-type]


def put_alerts(settings: Settings, *events: DriftEvent) -> None:
    put(settings, "alerts", *((event.sensor_id, encode(event)) for event in events))


def read(settings: Settings, topic: str) -> list[Any]:
    return read_topic(settings.kafka.bootstrap_servers, settings.topic(topic))  # type: ignore[arg-type]


def only(settings: Settings, topic: str) -> dict[str, Any]:
    (message,) = read(settings, topic)
    found: dict[str, Any] = json.loads(message.value())
    assert message.key() == found["sensor_id"].encode()
    return found


# --- produce -----------------------------------------------------------------------------


def test_produce_keys_by_sensor_and_partitions_as_java_does(
    driftline: Driftline, deployment: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    rows = [f"sensor-{n % 50},2026-01-05 12:00:{n % 60:02},{n}" for n in range(500)]
    path.write_text("sensor_id,ts,value\n" + "\n".join(rows))
    result = driftline("produce", path, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.lines == [{"sent": 500, "invalid": 0, "failed": 0}]
    messages = read(deployment, "sensors")
    assert sorted(json.loads(m.value())["value"] for m in messages) == list(range(500))
    for message in messages:
        assert message.partition() == partition_for(message.key(), deployment.topics.partitions)
        assert json.loads(message.value())["sensor_id"] == message.key().decode()


def test_produce_names_a_bad_line_sends_the_rest_and_ends_with_1(
    driftline: Driftline, deployment: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,value\n2026-01-05,1\n2026-01-05,oops\n2026-01-05,3\n")
    result = driftline("produce", path)
    assert result.code == 1
    assert result.err.splitlines()[0] == "line 3: $.value: expected a finite number"
    assert "2 messages sent" in result.out
    assert [json.loads(m.value())["value"] for m in read(deployment, "sensors")] == [1, 3]


def test_produce_sends_labels_too(
    driftline: Driftline, deployment: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "labels.jsonl"
    line = '{"sensor_id":"o","event_id":"e1","ts":"2026-01-05T12:00:00Z","label":1}'
    path.write_text(line)
    assert driftline("produce", path, "--topic", "labels").code == 0
    (message,) = read(deployment, "labels")
    assert (message.key(), message.value()) == (b"o", line.encode())


def test_produce_does_not_bring_a_missing_topic_into_being(
    driftline: Driftline, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,value\n2026-01-05,1\n")
    for _ in range(2):
        result = driftline("produce", path)
        assert (result.code, result.err.count("\n")) == (1, 1)
        assert "driftline topics create" in result.err


# --- topics, check -----------------------------------------------------------------------


def test_topics_that_are_missing_are_reported_and_change_the_exit_code(
    driftline: Driftline, settings: Settings
) -> None:
    for command in (["topics", "check"], ["check"]):
        result = driftline(*command)
        assert result.code == 1
        assert settings.topic("sensors") in result.out


def test_topics_that_are_there_pass_both_checks(driftline: Driftline, deployment: Settings) -> None:
    assert driftline("topics", "check").code == 0
    result = driftline("check", "--json")
    assert (result.code, result.err) == (0, "")
    assert [(line["check"], line["ok"]) for line in result.lines] == [
        ("configuration", True),
        ("brokers", True),
        ("topics", True),
    ]


def test_creating_topics_that_are_there_changes_nothing(
    driftline: Driftline, deployment: Settings
) -> None:
    result = driftline("topics", "create", "--json")
    assert result.code == 0
    assert {line["created"] for line in result.lines} == {False}
    assert len(result.lines) == 10


# --- alerts ------------------------------------------------------------------------------


def test_alerts_are_listed_by_time_as_they_stand_on_the_topic(
    driftline: Driftline, deployment: Settings
) -> None:
    events = [drift_event(n, f"sensor-{n % 5}") for n in (4, 1, 3, 0, 2)]
    put_alerts(deployment, *events)
    result = driftline("alerts", "list", "--json")
    expected = sorted(events, key=lambda event: event.ts)
    assert result.code == 0
    assert result.out.splitlines() == [encode(event).decode() for event in expected]


def test_alerts_can_be_chosen_by_sensor_kind_time_and_number(
    driftline: Driftline, deployment: Settings
) -> None:
    put_alerts(
        deployment,
        drift_event(0, "a"),
        drift_event(1, "b"),
        drift_event(2, "a", kind="warning"),
        drift_event(3, "a"),
    )

    def numbers(*options: str) -> list[int]:
        lines = driftline("alerts", "list", "--json", *options).lines
        return [line["source"]["offset"] for line in lines]

    assert numbers("--sensor", "a") == [0, 2, 3]
    assert numbers("--kind", "warning") == [2]
    assert numbers("--since", "2026-01-05T13:00:00Z") == [1, 2, 3]
    assert numbers("--since", "1h") == []
    assert numbers("--limit", "2") == [2, 3]


def test_an_alert_is_told_in_plain_words(driftline: Driftline, deployment: Settings) -> None:
    put_alerts(deployment, drift_event(1))
    (line,) = driftline("alerts", "list").out.splitlines()
    for part in ("2026-01-05T13:00:00Z", "drift", "high", "press-7", "mean 20 before, 26 since"):
        assert part in line


def test_data_of_others_cannot_steer_the_terminal(
    driftline: Driftline, deployment: Settings
) -> None:
    put_alerts(deployment, drift_event(1, "a\x1b[2J\nb"))
    (line,) = driftline("alerts", "list").out.splitlines()
    assert "\x1b" not in line


def test_an_acknowledged_alert_is_shown_as_such(driftline: Driftline, deployment: Settings) -> None:
    event = drift_event(1)
    put_alerts(deployment, event, drift_event(2))
    result = driftline("alerts", "ack", event.id[:12], "--reason", "bearing replaced")
    assert result.code == 0
    control = only(deployment, "control")
    assert control["command"] == "ack"
    assert control["alert_id"] == event.id
    assert control["episode_id"] == event.episode_id
    assert control["reason"] == "bearing replaced"
    listed = driftline("alerts", "list").out.splitlines()
    assert [line.endswith(f"acknowledged at {control['ts']}") for line in listed] == [True, False]


def test_who_acknowledged_an_alert_is_shown(driftline: Driftline, deployment: Settings) -> None:
    event = drift_event(1)
    put_alerts(deployment, event)
    assert driftline("alerts", "ack", event.id[:12], "--by", "anna").code == 0
    assert "  acknowledged by anna at 2" in driftline("alerts", "list").out


@pytest.mark.parametrize("name", ["id", "episode_id"])
def test_a_false_alarm_is_a_control_event_that_names_the_signal(
    driftline: Driftline, deployment: Settings, name: str
) -> None:
    warning = drift_event(1, kind="warning")
    drift = drift_event(2, episode_id="episode-1", signal="error")
    put_alerts(deployment, warning, drift)
    arguments = ("--false-alarm", "--by", "anna", "--reason", "door was open")
    result = driftline("alerts", "feedback", getattr(drift, name), *arguments)
    assert result.out == "false alarm: thresholds of error of press-7 are raised\n"
    (sent,) = read(deployment, "control")
    control = json.loads(sent.value() or b"")
    assert (sent.key(), control["command"], control["verdict"]) == (
        b"press-7",
        "feedback",
        "false_alarm",
    )
    assert (control["signal"], control["drift_event_id"]) == ("error", drift.id)
    assert (control["by"], control["reason"]) == ("anna", "door was open")


def test_a_false_alarm_of_the_fleet_goes_to_each_of_its_members(
    driftline: Driftline, deployment: Settings
) -> None:
    members = ["press-1", "press-2", "press-7"]
    event = drift_event(1, detector="fleet", members=members, member_count=3)
    put_alerts(deployment, event)
    assert driftline("alerts", "feedback", event.id, "--false-alarm").code == 0
    assert {sent.key() for sent in read(deployment, "control")} == {m.encode() for m in members}


def test_feedback_without_a_verdict_is_bad_usage(
    driftline: Driftline, deployment: Settings
) -> None:
    result = driftline("alerts", "feedback", "0123456789")
    assert result.code == 2
    assert result.err.startswith("driftline: --false-alarm: nothing is not allowed")


def test_a_check_without_a_threshold_has_none_to_raise(
    driftline: Driftline, deployment: Settings
) -> None:
    event = drift_event(1, detector="stuck")
    put_alerts(deployment, event)
    result = driftline("alerts", "feedback", event.id, "--false-alarm")
    assert result.code == 1
    assert "the check stuck has no threshold to raise" in result.err
    assert read(deployment, "control") == []


@pytest.mark.parametrize(("alert_id", "code"), [("ffffffff", 1), ("0000000000", 2), ("00", 2)])
def test_an_id_of_no_alert_or_of_several_is_refused(
    driftline: Driftline, deployment: Settings, alert_id: str, code: int
) -> None:
    put_alerts(deployment, drift_event(0), drift_event(1, id="0" * 31 + "1"))
    result = driftline("alerts", "ack", alert_id)
    assert (result.code, result.err.count("\n")) == (code, 1)
    assert read(deployment, "control") == []


def test_mute_says_until_when_and_unmute_ends_it(
    driftline: Driftline, deployment: Settings
) -> None:
    first = driftline("alerts", "mute", "press-7", "--for", "1h30m", "--json").lines[0]
    assert first["command"] == "mute"
    assert first["until"] > first["ts"]
    assert "until" not in driftline("alerts", "mute", "press-7", "--json").lines[0]
    assert driftline("alerts", "unmute", "press-7").code == 0
    commands = [json.loads(m.value())["command"] for m in read(deployment, "control")]
    assert commands == ["mute", "mute", "unmute"]


def test_tail_shows_the_last_alerts_then_each_new_one(deployment: Settings) -> None:
    put_alerts(deployment, *(drift_event(n, f"sensor-{n}") for n in range(8)))
    command = [sys.executable, "-m", "streams", "alerts", "tail", "-n", "3", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=dict(os.environ), text=True
    ) as process:
        assert process.stdout is not None
        history = [json.loads(process.stdout.readline())["source"]["offset"] for _ in range(3)]
        put_alerts(deployment, drift_event(9, "late"))
        news = json.loads(process.stdout.readline())["source"]["offset"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=15)
    assert (history, news, process.returncode) == ([5, 6, 7], 9, 130)


# --- dead letters ------------------------------------------------------------------------


def put_letters(settings: Settings, *values: bytes | None) -> list[DeadLetter]:
    letters = [
        DeadLetter(
            key=b"k" if number % 2 else None,
            value=value,
            timestamp_ms=NOON // 1000,
            headers=[("trace", b"\x00\xff"), ("__connect.errors.topic", b"theirs")],
            topic=settings.topic("sensors"),
            partition=number % settings.topics.partitions,
            offset=100 + number,
            stage="decode",
            exception_class="schemas.errors.InvalidMessage",
            message="$.value: expected a finite number",
        )
        for number, value in enumerate(values)
    ]
    for letter in letters:
        _produce_letter(settings, letter)
    return letters


def _produce_letter(settings: Settings, letter: DeadLetter) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "log_level": 0})
    producer.produce(
        settings.topic("dead-letters"),
        key=letter.key,
        value=letter.value,
        partition=letter.partition,
        headers=letter.to_headers(),
    )
    assert producer.flush(30) == 0


def test_dead_letters_are_listed_with_their_reason(
    driftline: Driftline, deployment: Settings
) -> None:
    put_letters(deployment, b'{"value":NaN}', b"\xff\xfe", None)
    lines = sorted(driftline("dlq", "list", "--json").lines, key=lambda line: line["offset"])
    assert [line["value"] for line in lines] == ['{"value":NaN}', None, None]
    assert lines[1]["value_base64"] == "//4="
    assert [line["key"] for line in lines] == [None, "k", None]
    assert {line["message"] for line in lines} == {"$.value: expected a finite number"}
    assert {line["stage"] for line in lines} == {"decode"}
    shown = driftline("dlq", "list")
    assert shown.code == 0
    assert shown.out.count("$.value: expected a finite number") == 3


def test_replay_puts_bytes_key_headers_and_partition_back_once(
    driftline: Driftline, deployment: Settings
) -> None:
    letters = put_letters(deployment, b'{"value":NaN}', b"\xff\xfe", None)
    assert driftline("dlq", "replay", "--json").lines == [{"replayed": 3}]
    back = read(deployment, "sensors")
    assert [(m.partition(), m.key(), m.value(), [tuple(h) for h in m.headers()]) for m in back] == [
        (x.partition, x.key, x.value, list(x.headers)) for x in letters
    ]
    assert driftline("dlq", "replay", "--json").lines == [{"replayed": 0}]
    put_letters(deployment, b"{}")
    assert driftline("dlq", "replay", "--json").lines == [{"replayed": 1}]
    assert len(read(deployment, "sensors")) == 4


def test_replay_of_one_dead_letter_by_its_id(driftline: Driftline, deployment: Settings) -> None:
    put_letters(deployment, b"a", b"b")
    (wanted,) = [x["id"] for x in driftline("dlq", "list", "--json").lines if x["value"] == "b"]
    assert driftline("dlq", "replay", wanted).code == 0
    assert [m.value() for m in read(deployment, "sensors")] == [b"b"]
    missing = driftline("dlq", "replay", "0-999")
    assert (missing.code, missing.err.count("\n")) == (1, 1)


# --- models, retrain ---------------------------------------------------------------------


def model(version: int, stage: str = "candidate") -> ModelRecord:
    return ModelRecord(
        name="press-7",
        version=version,
        stage=stage,
        sensor_id="press-7",
        ts=NOON,
        metrics={"mae": 0.25, "n": 300},
        training_range=SourceRange(topic="t", partition=0, from_offset=1, to_offset=9),
        digest="00" * 32,
        artifact="QUJD",
        reason=None,
        drift_event_id=None,
        request_id=None,
    )


def put_models(settings: Settings, *records: ModelRecord) -> None:
    put(settings, "models", *((record.name, encode(record)) for record in records))


def test_models_show_the_latest_stage_of_each_version(
    driftline: Driftline, deployment: Settings
) -> None:
    put_models(deployment, model(1), model(2), model(2, "production"))
    lines = driftline("models", "list", "--json").lines
    assert [(line["version"], line["stage"]) for line in lines] == [
        (1, "candidate"),
        (2, "production"),
    ]
    assert "artifact" not in lines[0]
    assert "press-7" in driftline("models", "list").out
    shown = driftline("models", "show", "press-7", "--version", "1", "--json").lines
    assert shown == lines[:1]
    missing = driftline("models", "show", "press-7", "--version", "5")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "it has 1, 2" in missing.err


def test_one_version_of_a_model_is_in_production(
    driftline: Driftline, deployment: Settings
) -> None:
    put_models(deployment, *(model(n, "production") for n in (2, 3, 2)), model(4))
    lines = driftline("models", "list", "--json").lines
    assert [(line["version"], line["stage"]) for line in lines] == [
        (2, "production"),
        (3, "archived"),
        (4, "candidate"),
    ]


def test_promote_and_rollback_are_control_events_of_the_sensor(
    driftline: Driftline, deployment: Settings
) -> None:
    put_models(deployment, model(1), model(2))
    assert driftline("models", "promote", "press-7", "--version", "1").code == 0
    assert driftline("models", "rollback", "press-7", "--reason", "worse").code == 0
    first, second = (json.loads(m.value()) for m in read(deployment, "control"))
    assert (first["command"], first["sensor_id"], first["version"]) == ("promote", "press-7", 1)
    assert (second["command"], second["sensor_id"]) == ("rollback", "press-7")
    assert second["reason"] == "worse"
    assert driftline("models", "promote", "other").code == 1


def test_a_rejected_attempt_is_no_version_to_promote(
    driftline: Driftline, deployment: Settings
) -> None:
    rejected = model(0, "rejected").model_copy(update={"artifact": None, "digest": None})
    put_models(deployment, rejected, model(1))
    assert driftline("models", "promote", "press-7").code == 0
    assert only(deployment, "control")["version"] == 1
    put_models(deployment, rejected.model_copy(update={"name": "b", "sensor_id": "b"}))
    result = driftline("models", "promote", "b")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "b has no version that could be used" in result.err


def test_a_retrain_request_names_the_exact_range_since_the_change_point(
    driftline: Driftline, deployment: Settings
) -> None:
    put(deployment, "sensors", *[("press-7", b"{}")] * 10)
    put_alerts(deployment, drift_event(5))
    result = driftline("retrain", "request", "press-7", "--reason", "new tool")
    assert result.code == 0
    request = only(deployment, "retrain")
    assert request["range"] == {
        "topic": deployment.topic("sensors"),
        "partition": partition_for(b"press-7", deployment.topics.partitions),
        "from_offset": 3,
        "to_offset": 10,
    }
    assert request["reason"] == "new tool"
    assert request["drift_event_id"] == drift_event(5).id


def test_a_retrain_request_may_name_its_range_itself(
    driftline: Driftline, deployment: Settings
) -> None:
    put(deployment, "sensors", *[("press-7", b"{}")] * 10)
    (sent,) = driftline("retrain", "request", "press-7", "--from", "2", "--to", "7", "--json").lines
    assert (sent["range"]["from_offset"], sent["range"]["to_offset"]) == (2, 7)
    assert sent["drift_event_id"] is None
    wrong = driftline("retrain", "request", "press-7", "--from", "10")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)


def test_a_sensor_that_no_checkpoint_knows_is_named(
    driftline: Driftline, deployment: Settings
) -> None:
    result = driftline("state", "show", "nobody", "--json")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert "nobody" in result.err
