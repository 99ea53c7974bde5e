"""How a worker ends: in time when asked to, and for good when it was fenced."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import KafkaServer, wait_for
from tests.chaos.schedule import catches
from tests.chaos.verifier import verify
from tests.chaos.workload import Feeder
from tests.deployment import EAGER, Deployment, WorkerProcess

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

QUIET = {**EAGER, "policy.enabled": False}


@pytest.fixture
def deployment(kafka: KafkaServer, tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(kafka, tmp_path, **QUIET) as deployment:
        yield deployment


def feed(deployment: Deployment, events: int, seconds: float) -> Feeder:
    settings = deployment.settings
    feeder = Feeder(settings.kafka.bootstrap_servers, settings.topic("sensors"), 1, events, seconds)
    feeder.start()
    return feeder


def at_work(worker: WorkerProcess) -> None:
    wait_for(
        lambda: "partition restored" in worker.text() or worker.exit_code is not None,
        60.0,
        lambda: worker.tail(),
    )
    assert worker.exit_code is None, worker.tail()


def test_a_frozen_worker_that_wakes_up_after_the_others_have_finished_changes_nothing(
    deployment: Deployment,
) -> None:
    # One checkpoint in two seconds: when it is frozen, there is something it has not written.
    zombie = deployment.start(**{"checkpoint.interval": 2.0})
    at_work(zombie)
    feeder = feed(deployment, 9_000, 8.0)
    wait_for(lambda: feeder.produced > 2_500, 30.0, "nothing is produced")
    zombie.send(signal.SIGSTOP)
    heir = deployment.start()
    feeder.join()
    deployment.wait_until_done(topics=("sensors",))
    zombie.send(signal.SIGCONT)
    assert zombie.wait(30.0) == 1, zombie.tail()
    assert "has another owner" in zombie.text()
    assert heir.stop() == 0
    report = verify(deployment)
    assert report.faults == []
    assert report.expected > 100


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_at_work_ends_within_15_s_with_0_and_nothing_left_to_replay(
    deployment: Deployment, number: signal.Signals
) -> None:
    worker = deployment.start(**{"checkpoint.interval": 30.0})
    at_work(worker)
    feeder = feed(deployment, 2_000, 1.0)
    feeder.join()
    time.sleep(2.0)
    worker.send(number)
    assert worker.wait(15.0) == 0, worker.tail()
    assert deployment.behind(("sensors",)) == {}
    assert verify(deployment).faults == []


def test_a_worker_told_to_stop_while_it_starts_ends_with_0(deployment: Deployment) -> None:
    for delay in (0.0, 2.0):
        worker = deployment.start()
        wait_for(lambda: catches(worker, signal.SIGTERM), 15.0, "SIGTERM is not caught")  # noqa: B023
        time.sleep(delay)
        worker.send(signal.SIGTERM)
        assert worker.wait(15.0) == 0, worker.tail()


@pytest.mark.parametrize("away", ["frozen", "gone"])
def test_a_worker_ends_within_15_s_although_the_broker_does_not_answer(
    own_kafka: KafkaServer, tmp_path: Path, away: str
) -> None:
    with Deployment(own_kafka, tmp_path, **QUIET) as deployment:
        worker = deployment.start()
        at_work(worker)
        feeder = feed(deployment, 3_000, 3.0)
        wait_for(lambda: feeder.produced > 1_000, 30.0, "nothing is produced")
        if away == "frozen":
            own_kafka.pause()
        else:
            own_kafka.kill()
        time.sleep(2.0)
        worker.send(signal.SIGTERM)
        assert worker.wait(15.0) == 0, worker.tail()
        feeder.cancel()


def test_a_worker_gives_up_on_a_broker_that_is_gone_for_longer_than_the_outage_timeout(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    with Deployment(own_kafka, tmp_path, **QUIET, **{"kafka.outage_timeout": 5.0}) as deployment:
        worker = deployment.start()
        at_work(worker)
        own_kafka.kill()
        assert worker.wait(45.0) == 1, worker.tail()
        assert "kafka.outage_timeout" in worker.text()


def test_a_worker_whose_broker_goes_away_while_it_subscribes_gets_its_partitions_afterwards(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    with Deployment(own_kafka, tmp_path, **QUIET) as deployment:
        worker = deployment.start()
        wait_for(lambda: "worker starting" in worker.text(), 60.0, lambda: worker.tail())
        time.sleep(0.8)
        own_kafka.kill()
        time.sleep(3.0)
        own_kafka.start()
        at_work(worker)
        assert worker.stop() == 0, worker.tail()
