"""A retrained model comes back: taken into use if it is better, refused with a reason if not."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson
import pytest

from learners import create
from learners.base import Learner
from learners.snapshot import dumps
from schemas.settings import LearnerSettings
from tests.pipelines import Partition, command, configured, model_record, reading


def partition_at_work(**sections: Any) -> Partition:
    partition = Partition(configured(**sections), loop=True)
    partition.feed("sensors", *(reading(value=20.0 + i % 3, n=i) for i in range(60)))
    partition.effects.clear()
    return partition


def retrained(task: str = "forecast") -> Learner:
    learner = create(LearnerSettings.model_validate({"task": task}), 0)
    for i in range(50):
        x = {"value": 20.0 + i % 3}
        learner.learn(x, float(i % 2) if learner.needs_label else None)
    return learner


def adapted(partition: Partition) -> list[tuple[str, int, int]]:
    return [
        (a["action"], a["model_before"]["version"], a["model_after"]["version"])
        for a in partition.written("adaptations")
    ]


def refusal(partition: Partition) -> bytes:
    (letter,) = partition.letters()
    headers = dict(letter.headers)
    assert headers["__connect.errors.stage"] == b"decode"
    message = headers["__connect.errors.exception.message"]
    assert message is not None
    return message


def test_a_better_model_is_taken_into_use() -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained()))
    assert adapted(partition) == [("promote", 1, 2)]
    assert partition.written("adaptations")[0]["drift_event_id"] == "d-1"
    sensor = partition.sensor()
    assert sensor.champion.learner.learned == 47
    assert sensor.candidate is None
    assert "error" not in sensor.monitors
    (model,) = partition.written("models")
    assert (model["stage"], model["version"]) == ("production", 2)
    assert model["metrics"]["champion_error"] == 1.0


@pytest.mark.parametrize(
    "metrics",
    [
        {"error": 0.99, "champion_error": 1.0},
        {"error": 1.0, "champion_error": 0.0},
        {"error": None, "champion_error": 1.0},
        {"error": 0.1, "champion_error": None},
        {},
    ],
)
def test_a_model_that_is_not_clearly_better_is_rejected_and_kept_for_promotion_by_hand(
    metrics: dict[str, float | None],
) -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained(), metrics=metrics))
    assert adapted(partition) == [("reject", 1, 1)]
    (rejected,) = partition.written("models")
    assert (rejected["stage"], rejected["version"], rejected["artifact"]) == ("rejected", 2, None)
    assert partition.written("adaptations")[0]["reason"].startswith("held-out error")
    partition.feed("control", command("promote", version=2))
    assert adapted(partition)[1:] == [("promote", 1, 2)]


def test_a_rejection_by_the_retrain_worker_is_recorded_with_its_reason() -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained(), stage="rejected", reason="too few"))
    assert adapted(partition) == [("reject", 1, 1)]
    assert partition.written("adaptations")[0]["reason"] == "too few"
    assert partition.written("models") == []


@pytest.mark.parametrize("metrics", [{"error": 0.1, "champion_error": 1.0}, {}])
def test_an_answer_that_is_repeated_changes_nothing(metrics: dict[str, float]) -> None:
    partition = partition_at_work()
    answer = partition.candidate(retrained(), metrics=metrics)
    partition.feed("models", answer)
    state, written = partition.state(), len(partition.effects)
    partition.restart()
    partition.feed("models", answer)
    assert len(partition.effects) == written
    assert partition.state() == state


def test_an_answer_without_a_request_is_rejected_once() -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained(), metrics={}, request_id=None))
    assert adapted(partition) == [("reject", 1, 1)]


@pytest.mark.parametrize("stage", ["production", "archived"])
def test_what_others_say_of_stages_changes_nothing(stage: str) -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained(), stage=stage))
    assert partition.effects == []


def test_a_model_for_a_sensor_that_is_not_here_changes_nothing() -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained(), "nobody"))
    assert partition.effects == []
    assert partition.pipeline.sensors == 1


def changed(partition: Partition, **fields: Any) -> bytes:
    return orjson.dumps(orjson.loads(partition.candidate(retrained())) | fields)


def test_an_artifact_that_was_changed_on_the_way_is_a_dead_letter() -> None:
    partition = partition_at_work()
    before = partition.state()
    partition.feed("models", changed(partition, digest="0" * 64))
    assert refusal(partition) == b"$.digest: expected the SHA-256 of the artifact"
    assert partition.state() == before


@pytest.mark.parametrize("artifact", ["not base64!", "", None])
def test_an_artifact_that_is_no_artifact_is_a_dead_letter(artifact: str | None) -> None:
    partition = partition_at_work()
    digest = hashlib.sha256(b"").hexdigest()
    partition.feed("models", changed(partition, artifact=artifact, digest=digest))
    assert refusal(partition).startswith(b"$.artifact: expected")


def test_a_model_that_was_signed_with_another_key_is_a_dead_letter() -> None:
    partition = partition_at_work()
    partition.feed("models", model_record(retrained(), b"somebody else's key"))
    assert refusal(partition).startswith(b"$.artifact: expected a model of this deployment")


def test_a_model_of_another_task_is_a_dead_letter_and_a_right_one_may_follow() -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained("regression")))
    assert refusal(partition) == b"$.artifact: expected a forecast model"
    partition.feed("models", partition.candidate(retrained()))
    assert adapted(partition) == [("promote", 1, 2)]


def test_a_signed_artifact_that_is_no_learner_is_a_dead_letter() -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate({"not": "a learner"}))
    assert refusal(partition) == b"$.artifact: expected a learner"


def test_a_cut_artifact_is_a_dead_letter() -> None:
    partition = partition_at_work()
    artifact = dumps(retrained(), b"any key")[:60]
    partition.feed(
        "models",
        changed(
            partition,
            artifact=base64.b64encode(artifact).decode(),
            digest=hashlib.sha256(artifact).hexdigest(),
        ),
    )
    assert refusal(partition).startswith(b"$.artifact: expected a model of this deployment")


def test_a_model_in_use_and_a_candidate_survive_a_restart() -> None:
    partition = partition_at_work()
    partition.feed("models", partition.candidate(retrained(), metrics={}))
    partition.restart()
    partition.feed("control", command("promote"))
    partition.restart()
    partition.feed("control", command("rollback"))
    assert adapted(partition) == [("reject", 1, 1), ("promote", 1, 2), ("rollback", 2, 1)]
