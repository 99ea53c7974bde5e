"""`docker compose up` for real, without the two images that can't be built from packages."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from tests.brokers import ROOT, admin, free_ports, produce, read_topic, wait_for
from tests.testcontainers.test_downstream import ALERTS, SENSORS, events

pytestmark = [pytest.mark.testcontainers, pytest.mark.timeout(600)]

SERVICES = ("kafka", "topics", "worker-1", "worker-2", "retrain")


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    names = ("KAFKA_PORT", "WORKER_1_PORT", "WORKER_2_PORT")
    return dict(zip(names, free_ports(len(names)), strict=True))


@pytest.fixture(scope="module")
def compose(
    compose_command: list[str], driftline_image: str, kafka_image: str, ports: dict[str, int]
) -> Iterator[list[str]]:
    os.environ.update({name: str(port) for name, port in ports.items()})
    os.environ.update(DRIFTLINE_IMAGE=driftline_image, KAFKA_IMAGE=kafka_image)
    project = f"driftline-test-{uuid.uuid4().hex[:8]}"
    compose = [*compose_command, "--file", str(ROOT / "docker-compose.yml"), "-p", project]
    try:
        call(compose, "up", "--detach", "--no-build", *SERVICES)
        yield compose
    finally:
        call(compose, "down", "--volumes", "--timeout", "20")
        for name in (*ports, "DRIFTLINE_IMAGE", "KAFKA_IMAGE"):
            del os.environ[name]


def call(compose: list[str], *arguments: str) -> str:
    done = subprocess.run([*compose, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)


def test_both_workers_become_ready_and_share_the_partitions(
    compose: list[str], ports: dict[str, int]
) -> None:
    workers = (ports["WORKER_1_PORT"], ports["WORKER_2_PORT"])

    def partitions(port: int) -> float:
        lines = get(port, "/metrics")[1].splitlines()
        values = [line.split()[1] for line in lines if line.startswith("driftline_partitions ")]
        return float(values[0]) if values else 0.0

    def shared() -> bool:
        return (
            all(get(port, "/readyz")[0] == 200 for port in workers)
            and sum(partitions(port) for port in workers) == 8
            and all(partitions(port) > 0 for port in workers)
        )

    wait_for(shared, 90.0, lambda: f"not shared: {[get(port, '/readyz') for port in workers]}")


def test_events_produced_on_the_host_come_back_as_drift_events(
    compose: list[str], ports: dict[str, int]
) -> None:
    address = f"localhost:{ports['KAFKA_PORT']}"
    produce(address, SENSORS, events("oven-2", seed=11))

    def kinds() -> set[str]:
        return {json.loads(message.value())["kind"] for message in read_topic(address, ALERTS)}

    wait_for(lambda: "drift" in kinds(), 90.0, "no drift event")


def test_the_retrain_worker_runs(compose: list[str]) -> None:
    log = call(compose, "logs", "retrain")
    container = call(compose, "ps", "-q", "retrain").strip()
    state = json.loads(call(["docker"], "inspect", container))[0]
    assert (state["State"]["Running"], state["RestartCount"]) == (True, 0), log


def test_a_mistyped_topic_is_not_created_by_asking_for_it(
    compose: list[str], ports: dict[str, int]
) -> None:
    client = admin(f"localhost:{ports['KAFKA_PORT']}")
    client.list_topics("driftline.sensor", timeout=10.0)
    assert "driftline.sensor" not in client.list_topics(timeout=10.0).topics
