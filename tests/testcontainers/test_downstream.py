"""What someone who uses Driftline would write: containers, events in, drift events out."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from testcontainers.core.container import DockerContainer

from tests.brokers import produce, read_topic, wait_for
from tests.testcontainers.conftest import KafkaContainer

pytestmark = [pytest.mark.testcontainers, pytest.mark.timeout(600)]

SENSORS = "driftline.sensors"
ALERTS = "driftline.alerts"
CHANGE_AT = 600


def driftline(image: str, kafka: KafkaContainer, *command: str) -> DockerContainer:
    return (
        DockerContainer(image)
        .with_network(kafka.network)
        .with_env("DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS", kafka.inside)
        .with_command(list(command))
    )


def finish(container: DockerContainer) -> tuple[int, str]:
    """Run a container to its end; its exit code and all its output."""
    with container:
        wrapped = container.get_wrapped_container()
        return int(wrapped.wait(timeout=120)["StatusCode"]), wrapped.logs().decode()


@pytest.fixture(scope="module")
def worker(driftline_image: str, kafka_container: KafkaContainer) -> Iterator[DockerContainer]:
    code, log = finish(driftline(driftline_image, kafka_container, "topics", "create"))
    assert code == 0, log
    with driftline(driftline_image, kafka_container, "run") as container:
        yield container


def log_of(container: DockerContainer) -> str:
    return str(container.get_wrapped_container().logs(tail=40).decode())


def health(container: DockerContainer) -> str:
    wrapped = container.get_wrapped_container()
    wrapped.reload()
    return str(wrapped.attrs["State"]["Health"]["Status"])


def events(sensor_id: str, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """1,200 readings whose mean rises by four standard deviations in the middle."""
    rng = random.Random(seed)
    for second in range(2 * CHANGE_AT):
        mean = 20.0 if second < CHANGE_AT else 24.0
        event = {
            "sensor_id": sensor_id,
            "ts": 1_767_614_400 + second,
            "value": rng.gauss(mean, 1.0),
        }
        yield sensor_id.encode(), json.dumps(event).encode()


def alerts_of(kafka: KafkaContainer, sensor_id: str) -> list[Any]:
    messages = read_topic(kafka.bootstrap_servers, ALERTS)
    return [message for message in messages if message.key() == sensor_id.encode()]


def test_a_change_of_a_sensor_becomes_a_drift_event(
    worker: DockerContainer, kafka_container: KafkaContainer
) -> None:
    assert produce(kafka_container.bootstrap_servers, SENSORS, events("press-7", seed=7)) == 1200

    def drifted() -> bool:
        found = [json.loads(message.value()) for message in alerts_of(kafka_container, "press-7")]
        return any(event["kind"] == "drift" for event in found)

    wait_for(drifted, 90.0, lambda: f"no drift event; {log_of(worker)}")
    drifts = [
        (message, event)
        for message in alerts_of(kafka_container, "press-7")
        if (event := json.loads(message.value()))["kind"] == "drift"
    ]
    message, event = drifts[0]
    headers = dict(message.headers())
    assert headers["ce_type"] == b"driftline.drift.v1"
    assert headers["ce_subject"] == b"press-7"
    assert headers["ce_id"].decode() == event["id"]
    assert event["source"]["topic"] == SENSORS
    assert event["source"]["offset"] >= CHANGE_AT
    assert event["direction"] in ("up", "none")
    assert len({entry["id"] for _, entry in drifts}) == len(drifts)


def test_an_unreadable_event_becomes_a_dead_letter_and_the_worker_goes_on(
    worker: DockerContainer, kafka_container: KafkaContainer
) -> None:
    bad = b'{"sensor_id":"press-8","ts":1767614400,"value":"warm"}'
    produce(kafka_container.bootstrap_servers, SENSORS, [(b"press-8", bad)])

    def letters() -> list[Any]:
        return read_topic(kafka_container.bootstrap_servers, "driftline.dead-letters")

    wait_for(lambda: len(letters()) == 1, 60.0, lambda: f"no dead letter; {log_of(worker)}")
    (letter,) = letters()
    assert letter.value() == bad
    reason = dict(letter.headers())["__connect.errors.exception.message"].decode()
    assert reason.startswith("$.value: expected ")
    worker.reload()
    assert worker.status == "running"


def test_the_container_reports_itself_healthy(worker: DockerContainer) -> None:
    wait_for(lambda: health(worker) == "healthy", 90.0, "the container is not healthy")


def test_nothing_in_the_container_runs_as_root(worker: DockerContainer) -> None:
    assert worker.exec(["id", "-u"]).output.strip() == b"10001"


def test_the_container_ends_within_fifteen_seconds_of_sigterm_with_exit_code_0(
    driftline_image: str, kafka_container: KafkaContainer, worker: DockerContainer
) -> None:
    with driftline(driftline_image, kafka_container, "run") as second:
        wait_for(lambda: health(second) == "healthy", 90.0, "the second worker is not healthy")
        wrapped = second.get_wrapped_container()
        wrapped.kill("SIGTERM")
        assert wrapped.wait(timeout=15)["StatusCode"] == 0, log_of(second)


def test_the_demo_runs_in_the_image_alone(driftline_image: str) -> None:
    container = DockerContainer(driftline_image).with_command(["demo", "--json"])
    code, log = finish(container.with_kwargs(network_mode="none"))
    assert code == 0, log
    summary = json.loads(log.splitlines()[-1])
    assert summary["events"] == summary["scored"] + summary["dead_letters"]
    assert summary["alerts"] > 0
