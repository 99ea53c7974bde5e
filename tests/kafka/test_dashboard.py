"""The page beside the workers: what it reads from Kafka, without taking part."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.settings import Settings, load_settings
from streams.web.dashboard import Watch
from tests.brokers import KafkaServer, Server, committed, produce, wait_for

DRIFT = {"id": "1", "sensor_id": "oven-2", "ts": "2026-01-05T12:00:00Z", "kind": "drift"}
SECONDS = 30.0


def settings_for(broker: Server, **more: object) -> Settings:
    prefix = f"t{uuid.uuid4().hex[:8]}"
    settings = load_settings(
        None,
        {
            "kafka.bootstrap_servers": broker.bootstrap_servers,
            "group": prefix,
            "topics.prefix": prefix,
            "topics.partitions": 2,
            "topics.replication_factor": 1,
            "http.port": 0,
            **more,
        },
    )
    broker.create_topics(settings)
    return settings


@contextmanager
def following(settings: Settings) -> Iterator[Watch]:
    watch = Watch(settings)
    thread = threading.Thread(target=watch.follow)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join(SECONDS)
        assert not thread.is_alive()


def commit(settings: Settings, offsets: dict[int, int]) -> None:
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": settings.group}
    )
    topic = settings.topic("sensors")
    consumer.commit(
        offsets=[TopicPartition(topic, p, offset) for p, offset in offsets.items()],
        asynchronous=False,
    )
    consumer.close()


def test_it_shows_how_far_the_group_is_behind(broker: Server) -> None:
    settings = settings_for(broker)
    topic = settings.topic("sensors")
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for n in range(30):
        producer.produce(topic, value=b"{}", partition=0 if n < 20 else 1)
    assert producer.flush(SECONDS) == 0
    commit(settings, {0: 15})
    with following(settings) as watch:
        wait_for(lambda: len(watch.status()["partitions"]) == 2, SECONDS, "no partitions")
        behind = {p["partition"]: p["behind"] for p in watch.status()["partitions"]}
        assert behind == {0: 5, 1: 10}
        assert watch.status()["events"] == 15


def test_it_shows_recent_drift_and_dead_letters_and_leaves_no_trace(broker: Server) -> None:
    settings = settings_for(broker)
    alerts = settings.topic("alerts")
    records = [json.dumps(DRIFT), json.dumps({**DRIFT, "id": "2"}), json.dumps(DRIFT), "nonsense"]
    produce(broker.bootstrap_servers, alerts, [(b"oven-2", r.encode()) for r in records])
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(
        settings.topic("dead-letters"),
        headers=[
            ("__connect.errors.topic", b"elsewhere"),
            ("__connect.errors.topic", settings.topic("sensors").encode()),
            ("__connect.errors.partition", b"1"),
            ("__connect.errors.offset", b"7"),
            ("__connect.errors.exception.message", b"$: expected one JSON object"),
        ],
    )
    assert producer.flush(SECONDS) == 0
    with following(settings) as watch:
        wait_for(lambda: len(watch.status()["recent_drift"]) == 2, SECONDS, "no drift")
        wait_for(lambda: bool(watch.status()["recent_dead_letters"]), SECONDS, "no dead letter")
        (letter,) = watch.status()["recent_dead_letters"]
        assert letter["topic"] == settings.topic("sensors")
        assert (letter["partition"], letter["offset"]) == (1, 7)
        assert letter["message"] == "$: expected one JSON object"
    assert committed(broker.bootstrap_servers, f"{settings.group}-dashboard", alerts) == {}


@pytest.mark.kafka
def test_what_an_aborted_transaction_wrote_is_not_shown(kafka: KafkaServer) -> None:
    settings = settings_for(kafka)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": settings.group}
    )
    producer.init_transactions(SECONDS)
    for name, end in (
        ("aborted", producer.abort_transaction),
        ("kept", producer.commit_transaction),
    ):
        producer.begin_transaction()
        producer.produce(settings.topic("alerts"), json.dumps({**DRIFT, "id": name}).encode())
        producer.flush(SECONDS)
        end(SECONDS)
    with following(settings) as watch:
        wait_for(lambda: bool(watch.status()["recent_drift"]), SECONDS, "no drift")
        assert [drift["id"] for drift in watch.status()["recent_drift"]] == ["kept"]


@pytest.mark.kafka
def test_a_group_without_workers_is_a_reason_not_to_be_ready(kafka: KafkaServer) -> None:
    settings = settings_for(kafka)
    with following(settings) as watch:
        said = [f"no worker is in group {settings.group}"]
        wait_for(lambda: watch.ready == (False, said), SECONDS, "not said")


@pytest.mark.kafka
def test_a_broker_that_is_away_is_said_and_comes_back(own_kafka: KafkaServer) -> None:
    settings = settings_for(own_kafka)
    with following(settings) as watch:
        wait_for(lambda: bool(watch.status()["partitions"]), SECONDS, "no partitions")
        own_kafka.pause()
        wait_for(lambda: "Kafka does not answer" in watch.ready[1][0], SECONDS, "not said")
        assert watch.alive
        own_kafka.resume()
        wait_for(lambda: "no worker" in watch.ready[1][0], SECONDS, "never came back")


@pytest.mark.embedded
def test_the_process_serves_the_page_and_ends_on_sigterm(embedded_broker: Server) -> None:
    settings = settings_for(embedded_broker)
    script = (
        "import sys, json\n"
        "from schemas.settings import load_settings\n"
        "from streams.web.dashboard import run_dashboard\n"
        "settings = load_settings(None, json.loads(sys.argv[1]))\n"
        "run_dashboard(settings, lambda url: print(url, flush=True))\n"
    )
    given = {
        "kafka.bootstrap_servers": settings.kafka.bootstrap_servers,
        "topics.prefix": settings.topics.prefix,
        "http.port": 0,
    }
    with subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(given)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()

        def ready() -> bool:
            with urllib.request.urlopen(f"{url}api/status") as answer:
                return bool(json.load(answer)["ready"])

        wait_for(ready, SECONDS, "never ready")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(15.0) == 0
