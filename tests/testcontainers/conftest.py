"""Images and a Kafka container; without a Docker daemon these tests are skipped, loudly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pytest
from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from tests.brokers import admin, free_ports, wait_for
from tests.testcontainers import images

START_SECONDS = 60.0


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        pytest.skip(f"NO DOCKER DAEMON CAN BE REACHED: the images are not tested: {error}")
    # Its watchdog image can't be pulled everywhere; the fixtures clean up themselves.
    testcontainers_config.ryuk_disabled = True
    yield client
    client.close()


@pytest.fixture(scope="session")
def kafka_image(docker_client: docker.DockerClient) -> str:
    return images.kafka(docker_client)


@pytest.fixture(scope="session")
def driftline_image(docker_client: docker.DockerClient) -> str:
    return images.driftline(docker_client)


@dataclass(frozen=True)
class KafkaContainer:
    """Where Kafka is: for clients on this machine, and for containers of its network."""

    network: Network
    bootstrap_servers: str
    inside: str = "kafka:19092"


@pytest.fixture(scope="session")
def kafka_container(kafka_image: str) -> Iterator[KafkaContainer]:
    (port,) = free_ports(1)
    with Network() as network:
        container = (
            DockerContainer(kafka_image)
            .with_network(network)
            .with_network_aliases("kafka")
            .with_envs(
                KAFKA_NODE_ID="1",
                KAFKA_PROCESS_ROLES="broker,controller",
                KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:19093",
                KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
                KAFKA_LISTENERS="INSIDE://:19092,CONTROLLER://:19093,HOST://:9092",
                KAFKA_ADVERTISED_LISTENERS=f"INSIDE://kafka:19092,HOST://127.0.0.1:{port}",
                KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,"
                "HOST:PLAINTEXT",
                KAFKA_INTER_BROKER_LISTENER_NAME="INSIDE",
                KAFKA_LOG_DIRS="/var/lib/kafka/data",
                KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
                KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
                KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
                KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            )
        )
        container.ports["9092/tcp"] = ("127.0.0.1", port)
        with container:
            address = f"127.0.0.1:{port}"
            wait_for(lambda: _serves(address), START_SECONDS, f"{kafka_image} does not serve")
            yield KafkaContainer(network, address)


def _serves(address: str) -> bool:
    from confluent_kafka import KafkaException

    try:
        return bool(admin(address).list_topics(timeout=2.0).brokers)
    except KafkaException:
        return False


@pytest.fixture(scope="session")
def compose_command(docker_client: docker.DockerClient) -> list[str]:
    """Docker Compose: the plugin, else Debian's `docker-compose`."""
    import shutil
    import subprocess

    plugin = ["docker", "compose"]
    if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
        return plugin
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip(f"NO DOCKER COMPOSE HERE (PATH={os.environ['PATH']}): it is not tested")
