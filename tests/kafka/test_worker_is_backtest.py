"""A worker and `driftline backtest` find the same in the same events, to the last byte."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.backtest import Backtest
from tests.brokers import KafkaServer, Server
from tests.deployment import EAGER, Deployment

TS = 1_767_614_400


def events() -> list[dict[str, Any]]:
    """Values that jump, features that drift, readings that go missing; three learners."""
    draw = random.Random(7)
    found: list[dict[str, Any]] = []
    for number in range(900):
        for sensor in range(4):
            level = 20.0 + 4.0 * (number // (90 + 10 * sensor) % 2)
            value = None if draw.random() < 0.01 else draw.gauss(level, 1.0)
            found.append({"sensor_id": f"press-{sensor}", "ts": TS + number, "value": value})
        pressure = draw.gauss(12.0 + 3.0 * (number > 500), 0.5)
        found.append(
            {
                "sensor_id": "oven-1",
                "ts": TS + number,
                "features": {"pressure": pressure, "grade": draw.choice(["A", "B"])},
            }
        )
        found.append(
            {
                "sensor_id": "pump-1",
                "ts": TS + number,
                "value": draw.gauss(5.0 if number < 600 else 9.0, 0.3),
            }
        )
    return found


def test_a_worker_writes_the_drift_events_that_a_backtest_prints(
    broker: Server, tmp_path: Path
) -> None:
    overrides = {
        **EAGER,
        "policy.enabled": False,
        "sensors": [
            {"match": "oven-*", "learner": {"task": "anomaly"}},
            {"match": "pump-*", "detectors": {"error": ["adwin", "page-hinkley"]}},
        ],
    }
    with Deployment(broker, tmp_path, **overrides) as deployment:
        deployment.start()
        messages = events()
        deployment.produce("sensors", *messages)
        deployment.wait_until_done()
        found: dict[str, list[bytes]] = defaultdict(list)
        for message in deployment.read("alerts"):
            found[(message.key() or b"").decode()].append(message.value() or b"")
        backtest = Backtest(deployment.settings)
    expected: dict[str, list[bytes]] = defaultdict(list)
    for message in messages:
        for drift in backtest.feed("sensors", orjson.dumps(message)):
            expected[orjson.loads(drift)["sensor_id"]].append(drift)
    assert sum(map(len, expected.values())) >= 20
    assert {"oven-1", "pump-1", "press-0"} <= expected.keys()
    assert found == expected


def at_once() -> list[dict[str, Any]]:
    """Ten values that all move by six standard deviations within three seconds."""
    draw = random.Random(3)
    return [
        {
            "sensor_id": f"press-{sensor}",
            "ts": TS + number,
            "value": draw.gauss(20.0 + 6.0 * (number >= 100 + sensor % 3), 1.0),
        }
        for number in range(200)
        for sensor in range(10)
    ]


@pytest.mark.kafka
def test_a_worker_that_takes_over_in_a_drift_of_the_fleet_goes_on_with_it(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    overrides = {**EAGER, "policy.enabled": False, "topics.partitions": 1}
    with Deployment(kafka, tmp_path, **overrides) as deployment:
        messages = at_once()
        worker = deployment.start()
        # Some of the ten have been found to have moved, and none has recovered.
        deployment.produce("sensors", *messages[:1080])
        deployment.wait_until_done()
        worker.kill()
        deployment.start()
        deployment.produce("sensors", *messages[1080:])
        deployment.wait_until_done()
        found = [message.value() or b"" for message in deployment.read("alerts")]
        backtest = Backtest(deployment.settings)
    expected = [
        drift for message in messages for drift in backtest.feed("sensors", orjson.dumps(message))
    ]
    assert found == expected
    of_fleet = [orjson.loads(drift) for drift in expected if b'"detector":"fleet"' in drift]
    assert [drift["kind"] for drift in of_fleet] == ["drift", "recovered"]
