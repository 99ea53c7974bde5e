"""What commands on the control topic do, and what retrained models on the models topic do."""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
from typing import Any

import pytest

from learners import create
from learners.snapshot import dumps, signing_key
from streams.inspection import show
from tests.deployment import Deployment

TS = 1_767_614_400
NUMBERS = itertools.count(1)


@pytest.fixture
def managed() -> str:
    """A sensor of the test's own."""
    return f"managed-{next(NUMBERS)}"


def values(sensor: str, *levels: float, n: int = 80, after: int = 0) -> list[dict[str, Any]]:
    """`n` values around each level in turn, one a second; `after` so many others."""
    draw = random.Random(5)
    return [
        {"sensor_id": sensor, "ts": TS + after + number, "value": draw.gauss(level, 1.0)}
        for number, level in enumerate(level for level in levels for _ in range(n))
    ]


def send(deployment: Deployment, topic: Any, *messages: dict[str, Any]) -> None:
    deployment.produce(topic, *messages)
    deployment.wait_until_done()


def command(deployment: Deployment, name: str, sensor: str, **fields: Any) -> None:
    send(deployment, "control", {"command": name, "sensor_id": sensor, **fields})


def of(deployment: Deployment, topic: Any, sensor: str) -> list[dict[str, Any]]:
    return [m for m in deployment.values(topic) if m["sensor_id"] == sensor]


def state(deployment: Deployment, sensor: str) -> dict[str, Any]:
    shown = show(deployment.settings, sensor)
    assert shown is not None
    return shown


def test_a_muted_sensor_is_scored_without_drift_events_until_it_is_unmuted(
    at_work: Deployment, managed: str
) -> None:
    send(at_work, "sensors", *values(managed, 20.0))
    command(at_work, "mute", managed)
    send(at_work, "sensors", *values(managed, 30.0, 20.0, 30.0))
    assert of(at_work, "alerts", managed) == []
    assert state(at_work, managed)["muted"] is True
    command(at_work, "unmute", managed)
    send(at_work, "sensors", *values(managed, 30.0, 20.0))
    assert [d["kind"] for d in of(at_work, "alerts", managed)].count("drift") >= 1
    assert state(at_work, managed)["events"] == 6 * 80


def test_a_mute_ends_by_itself_at_its_time(at_work: Deployment, managed: str) -> None:
    send(at_work, "sensors", *values(managed, 20.0))
    command(at_work, "mute", managed, until="2026-01-01T00:00:00Z")  # over already
    send(at_work, "sensors", *values(managed, 30.0))
    assert [d["kind"] for d in of(at_work, "alerts", managed)].count("drift") == 1


def test_an_acknowledged_episode_says_nothing_more_until_it_is_over(at_work: Deployment) -> None:
    draws = {sensor: random.Random(0) for sensor in ("warned-1", "warned-2")}
    readings = [
        {
            "sensor_id": sensor,
            "ts": TS + n,
            "value": draws[sensor].gauss(20 + (n > 150) * min(2.0, (n - 150) / 40), 1),
        }
        for n in range(400)
        for sensor in draws
    ]
    send(at_work, "sensors", *readings[: 2 * 224])
    (warning,) = of(at_work, "alerts", "warned-1")
    assert warning["kind"] == "warning"
    command(at_work, "ack", "warned-1", episode_id=warning["episode_id"])
    send(at_work, "sensors", *readings[2 * 224 :])
    assert [d["kind"] for d in of(at_work, "alerts", "warned-1")] == ["warning", "recovered"]
    assert [d["kind"] for d in of(at_work, "alerts", "warned-2")] == [
        "warning",
        "drift",
        "recovered",
    ]


def test_a_false_alarm_raises_thresholds_so_that_the_same_change_is_not_told_again(
    at_work: Deployment,
) -> None:
    sensors = ("managed-loose", "managed-strict")
    for sensor in sensors:
        send(at_work, "sensors", *values(sensor, 20.0))
    for number in range(5):
        command(
            at_work,
            "feedback",
            "managed-loose",
            verdict="false_alarm",
            signal="value",
            drift_event_id=f"drift-{number}",
        )
    assert state(at_work, "managed-loose")["loosened"] == {"value": 3.0}
    actions = [a["action"] for a in of(at_work, "adaptations", "managed-loose")]
    assert actions == ["loosen"] * 5
    for sensor in sensors:
        calm, moved = values(sensor, 20.0, after=80), values(sensor, 21.5, n=14, after=160)
        send(at_work, "sensors", *calm, *moved)
    assert of(at_work, "alerts", "managed-loose") == []
    assert [d["kind"] for d in of(at_work, "alerts", "managed-strict")] == ["drift"]


def test_a_reset_forgets_what_the_detectors_have_seen(at_work: Deployment, managed: str) -> None:
    send(at_work, "sensors", *values(managed, 20.0))
    assert "value" in state(at_work, managed)["references"]
    command(at_work, "reset", managed, reason="a new tool was mounted")
    assert state(at_work, managed)["detectors"] == {}
    (done,) = of(at_work, "adaptations", managed)
    assert done["action"] == "reset"
    assert done["reason"] == "a new tool was mounted"
    assert done["model_before"] == done["model_after"] == {"name": managed, "version": 1}
    # After it, the new level is what is normal.
    send(at_work, "sensors", *values(managed, 30.0))
    assert of(at_work, "alerts", managed) == []


def test_a_relearn_is_judged_on_the_events_that_follow(at_work: Deployment, managed: str) -> None:
    send(at_work, "sensors", *values(managed, 20.0))
    command(at_work, "relearn", managed)
    assert state(at_work, managed)["model"]["challenger"] is True
    send(at_work, "sensors", *values(managed, 20.0, n=400))
    actions = [a["action"] for a in of(at_work, "adaptations", managed)]
    assert actions in (["relearn", "reject"], ["relearn", "promote"])
    assert state(at_work, managed)["model"]["challenger"] is False


def test_promote_and_rollback_change_the_version_in_use(at_work: Deployment, managed: str) -> None:
    send(at_work, "sensors", *values(managed, 20.0))
    command(at_work, "relearn", managed)
    send(at_work, "sensors", *values(managed, 20.0, n=10))
    command(at_work, "promote", managed)
    assert state(at_work, managed)["model"]["version"] == 2
    command(at_work, "rollback", managed)
    assert state(at_work, managed)["model"]["version"] == 1
    command(at_work, "rollback", managed)
    assert state(at_work, managed)["model"]["version"] == 2
    changes = [
        (a["action"], a["model_before"]["version"], a["model_after"]["version"])
        for a in of(at_work, "adaptations", managed)
    ]
    assert changes == [
        ("relearn", 1, 1),
        ("promote", 1, 2),
        ("rollback", 2, 1),
        ("rollback", 1, 2),
    ]
    stages = [(m["stage"], m["version"]) for m in of(at_work, "models", managed)]
    assert stages == [("production", 2), ("production", 1), ("production", 2)]


def test_what_cannot_be_done_is_a_reject_with_its_reason(at_work: Deployment, managed: str) -> None:
    command(at_work, "relearn", managed)
    send(at_work, "sensors", *values(managed, 20.0, n=5))
    command(at_work, "promote", managed)
    command(at_work, "promote", managed, version=7)
    command(at_work, "rollback", managed)
    reasons = [(a["action"], a["reason"]) for a in of(at_work, "adaptations", managed)]
    assert reasons == [
        ("reject", "no such sensor here"),
        ("reject", "no candidate"),
        ("reject", "version 7 is not held here"),
        ("reject", "no earlier model"),
    ]


def candidate(deployment: Deployment, sensor: str, error: float, request: str) -> dict[str, Any]:
    """A retrained model as the retrain worker publishes it."""
    settings = deployment.settings
    learner = create(settings.for_sensor(sensor).learner, 0)
    for number in range(50):
        learner.learn({"value": 20.0 + number % 3})
    artifact = dumps(learner, signing_key(settings.state))
    return {
        "name": sensor,
        "version": 2,
        "stage": "candidate",
        "sensor_id": sensor,
        "ts": TS,
        "metrics": {"error": error, "champion_error": 1.0},
        "training_range": None,
        "reason": None,
        "digest": hashlib.sha256(artifact).hexdigest(),
        "artifact": base64.b64encode(artifact).decode(),
        "drift_event_id": "a drift event",
        "request_id": request,
    }


def test_a_better_candidate_is_taken_into_use_and_a_worse_one_is_rejected(
    at_work: Deployment, managed: str
) -> None:
    send(at_work, "sensors", *values(managed, 20.0))
    send(at_work, "models", candidate(at_work, managed, error=0.99, request="first"))
    send(at_work, "models", candidate(at_work, managed, error=0.5, request="second"))
    found = of(at_work, "adaptations", managed)
    assert [(a["action"], a["rule"], a["drift_event_id"]) for a in found] == [
        ("reject", "retrain", "a drift event"),
        ("promote", "retrain", "a drift event"),
    ]
    assert found[0]["model_after"]["version"] == 1
    assert found[1]["model_before"]["version"] == 1
    assert found[1]["model_after"]["version"] == state(at_work, managed)["model"]["version"] > 1


def test_the_same_answer_twice_changes_nothing_twice(at_work: Deployment, managed: str) -> None:
    send(at_work, "sensors", *values(managed, 20.0))
    answer = candidate(at_work, managed, error=0.5, request="once")
    send(at_work, "models", answer)
    send(at_work, "models", answer)
    assert [a["action"] for a in of(at_work, "adaptations", managed)] == ["promote"]


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("signed by another", "$.artifact"),
        ("changed on the way", "$.digest"),
        ("no base64", "$.artifact"),
    ],
)
def test_a_candidate_that_cannot_be_trusted_is_a_dead_letter(
    at_work: Deployment, managed: str, fault: str, place: str
) -> None:
    send(at_work, "sensors", *values(managed, 20.0, n=5))
    answer = candidate(at_work, managed, error=0.1, request="forged")
    if fault == "signed by another":
        forged = dumps(create(at_work.settings.learner, 0), b"x" * 32)
        answer["artifact"] = base64.b64encode(forged).decode()
        answer["digest"] = hashlib.sha256(forged).hexdigest()
    elif fault == "changed on the way":
        answer["digest"] = "0" * 64
    else:
        answer["artifact"] = "not base64!"
    send(at_work, "models", answer)
    assert state(at_work, managed)["model"]["version"] == 1
    (letter,) = [m for m in at_work.read("dead-letters") if m.key() == managed.encode()]
    message = dict(letter.headers() or ())["__connect.errors.exception.message"] or b""
    assert message.decode().startswith(f"{place}: expected")
