"""What a worker tells the outside: metrics, readiness, and the group's committed offsets."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer

from tests.brokers import KafkaServer, free_ports
from tests.deployment import Deployment, eventually, get

TS = 1_767_614_400


def reading(sensor: str, number: int) -> dict[str, object]:
    return {"sensor_id": sensor, "ts": TS + number, "value": 20.0 + number % 7}


def test_metrics_count_what_was_done_and_never_hold_a_sensor_id(at_work: Deployment) -> None:
    port = at_work.overrides["http.port"]

    def metric(name: str) -> float:
        lines = get(port, "/metrics")[1].splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(name + " ")))

    before = metric("driftline_events_total")
    sensors = metric("driftline_sensors")
    names = [f"a-very-private-name-{n}" for n in range(5)]
    at_work.produce("sensors", *(reading(name, n) for n in range(40) for name in names))
    at_work.wait_until_done()
    eventually(lambda: metric("driftline_sensors") == sensors + 5, 10.0)
    assert metric("driftline_events_total") == before + 200
    _, page = get(port, "/metrics")
    assert "private" not in page
    assert 'driftline_dead_letters_total{reason="' in page
    assert "driftline_checkpoint_duration_seconds_count" in page
    assert "driftline_restore_duration_seconds_count" in page
    assert "driftline_processing_lag_seconds" in page


def test_a_worker_at_rest_is_healthy_and_ready(at_work: Deployment) -> None:
    port = at_work.overrides["http.port"]
    assert get(port, "/healthz")[0] == 200
    assert get(port, "/readyz")[0] == 200


@pytest.mark.kafka
def test_readiness_goes_with_the_broker_and_comes_back_with_it(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    port = free_ports(1)[0]
    with Deployment(own_kafka, tmp_path, **{"http.port": port}) as deployment:
        worker = deployment.start()
        eventually(lambda: "worker starting" in worker.text(), message="it does not start")
        eventually(lambda: get(port, "/readyz")[0] == 200, message="it is not ready")
        own_kafka.kill()
        eventually(lambda: get(port, "/readyz")[0] == 503, 30.0, "it is ready without a broker")
        assert get(port, "/healthz")[0] == 200
        own_kafka.start()
        eventually(lambda: get(port, "/readyz")[0] == 200, message="it is not ready again")
        deployment.produce("sensors", *(reading(f"s-{n % 9}", n) for n in range(300)))
        deployment.wait_until_done()
        assert worker.stop() == 0, worker.tail()


@pytest.mark.kafka
def test_an_idle_worker_stands_at_the_end_also_where_transactions_end_there(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    with Deployment(kafka, tmp_path) as deployment:
        worker = deployment.start()
        topic = deployment.settings.topic("sensors")
        producer = Producer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "transactional.id": deployment.overrides["group"] + "-source",
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )
        producer.init_transactions()
        for commit in (True, False, True, False):
            producer.begin_transaction()
            for number in range(200):
                event = reading(f"s-{number % 20}" if commit else "aborted", number)
                producer.produce(
                    topic, key=str(event["sensor_id"]).encode(), value=orjson.dumps(event)
                )
            producer.flush()
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
        deployment.wait_until_done()
        # What was aborted is not there for anybody.
        sensors = deployment.sensors()
        assert set(sensors) == {f"s-{n}" for n in range(20)}
        assert sum(sensor.events for sensor in sensors.values()) == 400
        # With nothing new, nothing is written either.
        time.sleep(1.0)
        before = len(deployment.read("state", isolation="read_uncommitted"))
        time.sleep(2.0)
        assert len(deployment.read("state", isolation="read_uncommitted")) == before
        assert deployment.behind() == {}
        assert worker.stop() == 0, worker.tail()
