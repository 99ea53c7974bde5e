"""A start that would lose or misread something ends with 2 and one line that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import NewTopic

from tests.brokers import KafkaServer, Server, admin
from tests.deployment import Deployment, WorkerProcess, eventually

TS = 1_767_614_400


def the_line(worker: WorkerProcess) -> str:
    """The one line that is no log line."""
    assert worker.wait(60.0) == 2, worker.tail()
    lines = [line for line in worker.text().splitlines() if line and not line.startswith("{")]
    assert len(lines) == 1, worker.text()
    assert "Traceback" not in worker.text()
    return lines[0]


def test_a_missing_topic(broker: Server, tmp_path: Path) -> None:
    deployment = Deployment(broker, tmp_path)
    worker = deployment.start()
    try:
        line = the_line(worker)
    finally:
        worker.kill()
    assert deployment.settings.topic("sensors") in line
    assert "driftline topics create" in line


def test_a_topic_with_another_partition_count(kafka: KafkaServer, tmp_path: Path) -> None:
    deployment = Deployment(kafka, tmp_path, **{"topics.partitions": 3})
    labels = deployment.settings.topic("labels")
    client = admin(kafka.bootstrap_servers)
    client.create_topics([NewTopic(labels, 2, 1)])[labels].result()
    with deployment:
        line = the_line(deployment.start())
    assert labels in line
    assert "2" in line
    assert "3" in line


@pytest.fixture
def with_state(kafka: KafkaServer, tmp_path: Path) -> Any:
    """A deployment that has stored something, its worker ended."""
    with Deployment(kafka, tmp_path) as deployment:
        worker = deployment.start()
        deployment.produce(
            "sensors", *({"sensor_id": f"s-{n}", "ts": TS, "value": 1.0} for n in range(20))
        )
        deployment.wait_until_done(topics=("sensors",))
        assert worker.stop() == 0, worker.tail()
        yield deployment


def test_more_partitions_than_the_state_was_written_with(with_state: Deployment) -> None:
    line = the_line(with_state.start(**{"topics.partitions": 8}))
    assert "topics.partitions" in line
    assert "topics.prefix" in line  # the way to migrate


def test_another_signing_key(with_state: Deployment) -> None:
    line = the_line(with_state.start(**{"state.signing_key": "another key than before"}))
    assert line.startswith("state.signing_key")
    assert "another key than before" not in with_state.logs()
    worker = with_state.start()
    eventually(lambda: "partition restored" in worker.text(), message=worker.tail())
    assert worker.stop() == 0, worker.tail()


def test_a_model_that_cannot_be_made(broker: Server, tmp_path: Path) -> None:
    with Deployment(broker, tmp_path) as deployment:
        line = the_line(deployment.start(**{"learner.model": {"class": "os.system"}}))
    assert "learner.model" in line
