"""The brokers that the other tests stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from streams.broker import EmbeddedBroker
from tests.brokers import ROOT, KafkaServer, Server, admin, committed, produce, read_topic, wait_for

MESSAGES = [(b"press-%d" % (n % 5), b"%d" % n) for n in range(200)]


def a_topic() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


def test_what_is_produced_is_read_back_once_and_in_order_of_each_key(broker: Server) -> None:
    topic = a_topic()
    produce(broker.bootstrap_servers, topic, MESSAGES)
    read = [(m.key(), m.value()) for m in read_topic(broker.bootstrap_servers, topic)]
    assert sorted(read) == sorted(MESSAGES)
    for key in {key for key, _ in MESSAGES}:
        assert [pair for pair in read if pair[0] == key] == [p for p in MESSAGES if p[0] == key]


def test_a_group_that_committed_nothing_has_no_committed_offset(broker: Server) -> None:
    topic = a_topic()
    produce(broker.bootstrap_servers, topic, MESSAGES[:1])
    assert committed(broker.bootstrap_servers, f"group-{topic}", topic) == {}


@pytest.mark.embedded
def test_the_embedded_broker_creates_topics_with_as_many_partitions_as_asked() -> None:
    with EmbeddedBroker({"eight": 8}) as server:
        assert server.create_topics({"eight": 8, "three": 3}) == ["three"]
        topics = admin(server.bootstrap_servers).list_topics(timeout=10.0).topics
        assert {name: len(topic.partitions) for name, topic in topics.items()} == {
            "eight": 8,
            "three": 3,
        }


@pytest.mark.embedded
def test_the_embedded_broker_is_gone_after_the_with_block() -> None:
    with EmbeddedBroker() as server:
        pid = server.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.embedded
def test_the_embedded_broker_dies_with_a_parent_that_is_killed() -> None:
    script = (
        "from streams.broker import EmbeddedBroker\n"
        "import time\n"
        "broker = EmbeddedBroker().start()\n"
        "print(broker.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
    wait_for(lambda: not _runs(pid), 10.0, "the embedded broker outlives its parent")


@pytest.mark.embedded
def test_the_module_prints_its_bootstrap_address_and_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "streams.broker", "--topic", "eight=8"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        produce(address, "eight", MESSAGES[:10])
        assert len(read_topic(address, "eight")) == 10
        process.send_signal(signal.SIGTERM)
        assert process.wait(10.0) == 0


@pytest.mark.kafka
def test_a_killed_kafka_comes_back_on_the_same_address_with_what_it_had_acknowledged(
    own_kafka: KafkaServer,
) -> None:
    topic = a_topic()
    produce(own_kafka.bootstrap_servers, topic, MESSAGES)
    own_kafka.kill()
    assert not own_kafka.alive
    own_kafka.start()
    produce(own_kafka.bootstrap_servers, topic, MESSAGES)
    assert len(read_topic(own_kafka.bootstrap_servers, topic)) == 2 * len(MESSAGES)


@pytest.mark.kafka
def test_a_frozen_kafka_answers_again_once_it_is_woken(own_kafka: KafkaServer) -> None:
    topic = a_topic()
    produce(own_kafka.bootstrap_servers, topic, MESSAGES)
    own_kafka.pause()
    with pytest.raises(AssertionError, match="not sent"):
        produce(own_kafka.bootstrap_servers, topic, [(None, b"x")], **{"message.timeout.ms": 1500})
    own_kafka.resume()
    assert len(read_topic(own_kafka.bootstrap_servers, topic)) >= len(MESSAGES)


@pytest.mark.kafka
def test_kafka_dies_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.brokers import KafkaServer\n"
        "print(KafkaServer(Path(sys.argv[1])).start().pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _runs(pid)
        parent.kill()
    wait_for(lambda: not _runs(pid), 20.0, "Kafka outlives its test run")


@pytest.mark.kafka
def test_kafka_ends_by_itself_on_sigterm(own_kafka: KafkaServer) -> None:
    own_kafka.stop()
    assert not own_kafka.alive


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
