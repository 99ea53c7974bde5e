"""A team's own test: Kafka and a worker in containers, events in, a drift event out.

Needs a Docker daemon, the image of this project (``make image``) and ``pip install pytest
testcontainers confluent-kafka``:

    pytest examples/test_press.py

DRIFTLINE_IMAGE and KAFKA_IMAGE choose other images.
"""

import json
import os
import random
import socket
import time

from confluent_kafka import Consumer, Producer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

KAFKA_IMAGE = os.environ.get("KAFKA_IMAGE", "apache/kafka:4.1.1")
DRIFTLINE_IMAGE = os.environ.get("DRIFTLINE_IMAGE", "driftline:latest")


def kafka(network: Network, port: int) -> DockerContainer:
    """One broker: `kafka:19092` for containers of the network, `127.0.0.1:port` for this test."""
    container = DockerContainer(KAFKA_IMAGE).with_network(network).with_network_aliases("kafka")
    container.with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:19093",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_LISTENERS="INSIDE://:19092,CONTROLLER://:19093,HOST://:9092",
        KAFKA_ADVERTISED_LISTENERS=f"INSIDE://kafka:19092,HOST://127.0.0.1:{port}",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,HOST:PLAINTEXT",
        KAFKA_INTER_BROKER_LISTENER_NAME="INSIDE",
        KAFKA_LOG_DIRS="/var/lib/kafka/data",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
    )
    container.ports["9092/tcp"] = ("127.0.0.1", port)
    return container


def driftline(network: Network, *command: str) -> DockerContainer:
    """Any command of Driftline, in a container beside the broker."""
    return (
        DockerContainer(DRIFTLINE_IMAGE)
        .with_network(network)
        .with_env("DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS", "kafka:19092")
        .with_command(list(command))
    )


def press_that_runs_hot(servers: str) -> None:
    """Produce 1,200 readings whose mean rises from 20 to 24 in the middle."""
    producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2_random"})
    rng = random.Random(7)
    for second in range(1200):
        value = rng.gauss(20.0 if second < 600 else 24.0, 1.0)
        event = {"sensor_id": "press-7", "ts": 1_767_614_400 + second, "value": value}
        producer.produce("driftline.sensors", key=b"press-7", value=json.dumps(event))
    assert producer.flush(60.0) == 0


def first_drift(servers: str, seconds: float) -> dict:
    """Wait for the first drift event."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "test",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(["driftline.alerts"])
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                drift = json.loads(message.value())
                if drift["kind"] == "drift":
                    return drift
    finally:
        consumer.close()
    raise AssertionError(f"no drift event within {seconds:g} s")


def test_a_press_that_runs_hot_is_reported():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    servers = f"127.0.0.1:{port}"
    with Network() as network, kafka(network, port):
        with driftline(network, "topics", "create") as topics:
            assert topics.get_wrapped_container().wait(timeout=60)["StatusCode"] == 0
        with driftline(network, "run"):
            press_that_runs_hot(servers)
            drift = first_drift(servers, 90.0)
    assert drift["sensor_id"] == "press-7"
    assert drift["direction"] == "up"
    assert drift["source"]["offset"] >= 600
