"""The loop closes: a change is found, a model relearned and retrained, and the error comes back.

Two sensors get the same events and labels; for one of them the policy is off.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.brokers import KafkaServer, read_topic
from tests.deployment import Deployment, eventually

pytestmark = pytest.mark.kafka

TS = 1_767_614_400
ON, OFF = "oven-on", "oven-off"
CHANGE, LAST, CHUNK = 600, 1_500, 50


@dataclass
class Story:
    """What happened."""

    deployment: Deployment
    errors: dict[str, list[bool]]
    alerts: list[dict[str, Any]]
    adaptations: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    models: list[dict[str, Any]]

    def share_wrong(self, sensor: str, first: int, last: int) -> float:
        wrong = self.errors[sensor][first:last]
        return sum(wrong) / len(wrong)


@pytest.fixture(scope="module")
def story(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Items judged by their temperature; from one item on, the judgement is turned round."""
    overrides = {
        "checkpoint.interval": 0.1,
        "learner.task": "classification",
        # It never forgets: by itself it would need as many items as before the change.
        "learner.model": {"class": "river.naive_bayes.GaussianNB"},
        "predictions.enabled": True,
        "policy.challenger_events": 100,
        "policy.retrain_min_events": 200,
        "policy.cooldown_events": 300,
        "sensors": [{"match": OFF, "policy": {"enabled": False}}],
    }
    draw = random.Random(1)
    truth: dict[str, int] = {}
    with Deployment(kafka, tmp_path_factory.mktemp("adapts"), **overrides) as deployment:
        worker = deployment.start()
        retrainer = deployment.start("retrain run")
        for start in range(0, LAST, CHUNK):
            events, labels = [], []
            for number in range(start, start + CHUNK):
                temperature = draw.uniform(350.0, 360.0)
                features = {"temperature": temperature, "pressure": draw.gauss(12.0, 1.0)}
                name = f"item-{number}"
                truth[name] = int((temperature > 355.0) is (number < CHANGE))
                common = {"event_id": name, "ts": TS + number}
                for sensor in (ON, OFF):
                    events.append({"sensor_id": sensor, **common, "features": features})
                    labels.append({"sensor_id": sensor, **common, "label": truth[name]})
            deployment.produce("sensors", *events)
            deployment.wait_until_done()
            deployment.produce("labels", *labels)
            deployment.wait_until_done()
        eventually(
            lambda: len(deployment.values("models")) >= len(deployment.values("retrain")) + 1,
            message=f"a request has no answer:\n{deployment.logs()}",
        )
        deployment.wait_until_done()
        errors: dict[str, list[bool]] = {ON: [], OFF: []}
        for prediction in deployment.values("predictions"):
            right = prediction["prediction"] == truth[prediction["event_id"]]
            errors[prediction["sensor_id"]].append(not right)
        yield Story(
            deployment,
            errors,
            deployment.values("alerts"),
            deployment.values("adaptations"),
            deployment.values("retrain"),
            deployment.values("models"),
        )
        assert worker.stop() == 0, worker.tail()
        assert retrainer.stop() == 0, retrainer.tail()


def test_the_error_rises_after_the_change_and_comes_back_after_adaptation(story: Story) -> None:
    for sensor in (ON, OFF):
        assert len(story.errors[sensor]) == LAST
        assert story.share_wrong(sensor, CHANGE - 200, CHANGE) < 0.05
        assert story.share_wrong(sensor, CHANGE, CHANGE + 100) > 0.5
    assert story.share_wrong(ON, LAST - 200, LAST) < 0.05


def test_with_the_policy_off_it_stays_worse(story: Story) -> None:
    assert story.share_wrong(OFF, LAST - 400, LAST - 200) > 0.3
    after = [story.share_wrong(sensor, CHANGE, LAST) for sensor in (ON, OFF)]
    assert after[0] < after[1] / 2


def test_every_step_names_its_drift_event_and_both_model_versions(story: Story) -> None:
    drifts = {d["id"]: d for d in story.alerts if d["kind"] == "drift"}
    assert {a["sensor_id"] for a in story.adaptations} == {ON}
    actions = [a["action"] for a in story.adaptations]
    assert actions[0] == "relearn"
    assert {"relearn", "promote", "retrain"} <= set(actions)
    for adaptation in story.adaptations:
        assert adaptation["drift_event_id"] in drifts
        assert drifts[adaptation["drift_event_id"]]["sensor_id"] == ON
        before, after = adaptation["model_before"], adaptation["model_after"]
        assert before["name"] == after["name"] == ON
        if adaptation["action"] == "promote":
            assert before["version"] < after["version"]
        else:
            assert before["version"] == after["version"]
    promoted = [a for a in story.adaptations if a["action"] == "promote"]
    production = [m["version"] for m in story.models if m["stage"] == "production"]
    assert production == [a["model_after"]["version"] for a in promoted]


def test_a_retrain_request_names_the_exact_events_since_the_change_point(story: Story) -> None:
    drifts = {d["id"]: d for d in story.alerts}
    settings = story.deployment.settings
    assert story.requests
    for request in story.requests:
        drift = drifts[request["drift_event_id"]]
        span = request["range"]
        assert span["topic"] == settings.topic("sensors")
        assert span["partition"] == drift["source"]["partition"]
        assert span["from_offset"] == drift["change_point"]["offset"]
        items = {
            message.offset(): message.key()
            for message in read_topic(settings.kafka.bootstrap_servers, span["topic"])
            if message.partition() == span["partition"]
        }
        assert items[span["to_offset"] - 1] == ON.encode()  # the last one that was labelled
        taken = [key for at, key in items.items() if span["from_offset"] <= at < span["to_offset"]]
        assert taken.count(ON.encode()) >= settings.policy.retrain_min_events


def test_the_owner_takes_a_retrained_model_only_if_it_is_better(story: Story) -> None:
    requests = {r["id"] for r in story.requests}
    answers = {m["request_id"]: m for m in story.models if m["request_id"] in requests}
    assert answers.keys() == requests
    decided = [a for a in story.adaptations if a["rule"] == "retrain"]
    assert len(decided) == len(requests)
    for adaptation in decided:
        assert adaptation["action"] in ("promote", "reject")
        assert adaptation["reason"]
