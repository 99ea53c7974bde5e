"""Fixtures that every lane shares: the brokers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import EmbeddedServer, KafkaServer

# A shell starts what it puts into the background with SIGINT ignored, and all that is started
# from there inherits it: Ctrl-C could not be tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedServer]:
    """The embedded broker, one for the session."""
    from streams.broker import EmbeddedBroker

    with EmbeddedBroker() as broker:
        yield EmbeddedServer(broker)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A real Apache Kafka 4.1.1, one for the session: leave it running."""
    server = KafkaServer(tmp_path_factory.mktemp("kafka")).start()
    yield server
    server.kill()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """A real Apache Kafka of the test's own, to be killed, frozen and started again."""
    server = KafkaServer(tmp_path / "kafka").start()
    yield server
    server.kill()


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("kafka", marks=pytest.mark.kafka),
    ]
)
def broker(request: pytest.FixtureRequest) -> EmbeddedServer | KafkaServer:
    """Both brokers in turn: one body, two runs."""
    fixture = {"embedded": "embedded_broker", "kafka": "kafka"}[request.param]
    server: EmbeddedServer | KafkaServer = request.getfixturevalue(fixture)
    return server
