"""``driftline backtest --topic``: what stands on Kafka, as if it had come from a file."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.brokers import KafkaServer
from tests.deployment import EAGER, SIGNING_KEY, Deployment

pytestmark = pytest.mark.kafka

TS = 1_767_614_400
BAD = b'{"sensor_id":"press-1","ts":1767614400,"value":"warm"}'


def events() -> list[dict[str, Any]]:
    """Values of nine sensors that jump every now and then."""
    draw = random.Random(11)
    return [
        {
            "sensor_id": f"press-{sensor}",
            "ts": TS + number,
            "value": draw.gauss(20.0 + 4.0 * (number // (90 + 7 * sensor) % 2), 1.0),
        }
        for number in range(700)
        for sensor in range(9)
    ]


def driftline(deployment: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = {**deployment.overrides}
    del given["state.signing_key"]
    for key, value in given.items():
        arguments += ("--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}")
    return subprocess.run(
        [sys.executable, "-m", "streams", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "DRIFTLINE_STATE__SIGNING_KEY": SIGNING_KEY},
        check=False,
    )


def by_sensor(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        found[orjson.loads(line)["sensor_id"]].append(line)
    return found


@pytest.fixture
def deployment(kafka: KafkaServer, tmp_path: Path) -> Any:
    with Deployment(kafka, tmp_path, **EAGER) as deployment:
        yield deployment


def test_the_topics_give_what_the_file_gives(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps(event) for event in events()))
    windows = tmp_path / "windows.csv"
    windows.write_text("sensor,start,end\npress-1,2026-01-05 12:01:30,2026-01-05 12:02:30\n")
    deployment.produce("sensors", *events())
    of_file = driftline(deployment, "backtest", str(file), "--json", "--windows", str(windows))
    of_topic = driftline(deployment, "backtest", "--topic", "--json", "--windows", str(windows))
    assert (of_file.returncode, of_topic.returncode) == (0, 0), of_file.stderr + of_topic.stderr
    *drifts, scores = of_file.stdout.splitlines()
    *found, found_scores = of_topic.stdout.splitlines()
    assert len(drifts) >= 30
    assert by_sensor(found) == by_sensor(drifts)
    assert found_scores == scores
    assert of_topic.stderr == of_file.stderr


def test_a_worker_wrote_what_the_topics_give(deployment: Deployment) -> None:
    deployment.overrides["policy.enabled"] = False
    deployment.start()
    deployment.produce("sensors", *events(), BAD)
    deployment.wait_until_done()
    result = driftline(deployment, "backtest", "--topic", "--json")
    written = [(message.value() or b"").decode() for message in deployment.read("alerts")]
    assert by_sensor(result.stdout.splitlines()) == by_sensor(written)
    assert "$.value: expected a finite number" in result.stderr
    assert result.returncode == 1


def test_only_what_came_between_two_times_is_taken(deployment: Deployment) -> None:
    moments = []
    for part in (events()[:900], events()[900:1800], events()[1800:2700]):
        moments.append(time.time())
        # Kafka's timestamps are whole milliseconds: one in the same is before the moment.
        time.sleep(0.05)
        deployment.produce("sensors", *part)
        time.sleep(0.05)
    since, until = (str(moment) for moment in moments[1:])
    for arguments, scored in (
        ((), 2700),
        (("--since", since), 1800),
        (("--until", since), 900),
        (("--since", since, "--until", until), 900),
        (("--since", str(time.time() + 60)), 0),
    ):
        result = driftline(deployment, "backtest", "--topic", *arguments)
        assert f"{scored:,} events scored" in result.stdout, result.stderr
        assert result.returncode == 0


def test_labels_come_when_they_came(deployment: Deployment) -> None:
    deployment.overrides["learner.task"] = "classification"
    for number in range(40):
        item = {"sensor_id": "oven-1", "event_id": f"b-{number}", "ts": TS + number}
        deployment.produce("sensors", {**item, "features": {"heat": float(number % 2)}})
        deployment.produce("labels", {**item, "label": number % 2})
    result = driftline(deployment, "backtest", "--topic")
    assert "40 events scored, 0 drift events, 40 labels matched" in result.stdout, result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "FILE: nothing is not allowed: expected a file, or --topic"),
        (("a.csv", "--topic"), "FILE: 'a.csv' is not allowed"),
        (("a.csv", "--since", "2h"), "--since: '2h' is not allowed"),
        (("--topic", "--labels", "b.csv"), "--labels: 'b.csv' is not allowed"),
        (("--topic", "--since", "1h", "--until", "2h"), "--until: '2h' is not allowed"),
    ],
)
def test_options_that_do_not_go_together_are_bad_usage(
    deployment: Deployment, arguments: tuple[str, ...], told: str
) -> None:
    result = driftline(deployment, "backtest", *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(f"driftline: {told}")
