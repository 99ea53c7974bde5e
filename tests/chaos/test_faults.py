"""Nothing is lost, added or doubled, whoever is struck: short seeded runs on a real Kafka.

`python -m tests.chaos` makes longer ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.brokers import KafkaServer
from tests.chaos.run import Outcome, run

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]


def assert_kept_its_promise(outcome: Outcome) -> None:
    report = outcome.report
    story = "\n".join([*outcome.faults, *outcome.supervisor.done, outcome.logs])
    assert outcome.faults == [], story
    assert (report.missing, report.extra, report.doubled) == (0, 0, 0)
    assert report.scored + report.dead_letters == report.produced
    # A run that had nothing to lose proves nothing.
    assert report.expected > 100, story
    assert report.dead_letters > 20, story


def test_workers_killed_terminated_frozen_and_joined_lose_and_double_nothing(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    outcome = run(kafka, tmp_path, seed=3, events=9_000, seconds=24.0, kind="workers")
    assert_kept_its_promise(outcome)
    counts = outcome.supervisor.counts
    assert {"kill", "term", "freeze", "join"} <= counts.keys(), outcome.supervisor.done
    assert counts["in a transaction"] > 0, outcome.supervisor.done


def test_a_broker_killed_and_frozen_loses_and_doubles_nothing(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    outcome = run(own_kafka, tmp_path, seed=1, events=9_000, seconds=16.0, kind="broker")
    assert_kept_its_promise(outcome)
    assert {"broker-kill", "broker-freeze"} <= outcome.supervisor.counts.keys()
