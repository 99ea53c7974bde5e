"""The measurements, small, on a real Kafka: each contender runs, and the ratio that must hold."""

from __future__ import annotations

import pytest

from bench import many
from bench.__main__ import main
from bench.contenders import CONTENDERS, DRIFTLINE, Contender
from bench.group import catch_up
from bench.harness import Load, measure, place
from bench.latency import steady
from bench.restore import fill, restored_and_read
from bench.stalls import stalled
from tests.brokers import KafkaServer, admin

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

AT_LEAST = 5.0


@pytest.mark.parametrize("contender", CONTENDERS.values(), ids=CONTENDERS)
def test_a_contender_processes_what_is_measured_and_leaves_nothing(
    contender: Contender, kafka: KafkaServer
) -> None:
    before = set(admin(kafka.bootstrap_servers).list_topics(timeout=30.0).topics)
    contender.prepare(print)
    run = measure(kafka, contender, Load(events=3000, sensors=20, partitions=4))
    # Idle, or measured before it was let go, it would take less than a microsecond an event.
    assert run.cpu_seconds > 0.001
    assert run.seconds > 0.0
    assert run.rss_mib > 10.0
    after = set(admin(kafka.bootstrap_servers).list_topics(timeout=30.0).topics)
    assert {name for name in after - before if not name.startswith("__")} == set()


def test_a_worker_does_five_times_the_events_of_a_hand_written_loop(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["--small", "--at-least", str(AT_LEAST)])
    printed = capsys.readouterr()
    assert code == 0, printed.out + printed.err


def test_two_workers_share_a_backlog(kafka: KafkaServer) -> None:
    DRIFTLINE.prepare(print)
    backlog = catch_up(kafka, 2, Load(events=400_000, sensors=50, partitions=4), half_core=True)
    assert backlog.cpu_seconds > 0.001
    assert backlog.rate > 0.0


def test_the_alerts_of_a_steady_load_are_seen_after_their_events(kafka: KafkaServer) -> None:
    DRIFTLINE.prepare(print)
    load = Load(1, sensors=50, partitions=4)
    run = steady(kafka, load, rate=2000.0, seconds=3.0, interval=0.1, number=1)
    assert len(run.seconds) >= 5
    assert min(run.seconds) > 0.0
    assert run.sent == pytest.approx(2000.0, rel=0.2)


def test_time_without_a_slice_is_measured_while_checkpoints_hold_all_sensors(
    kafka: KafkaServer,
) -> None:
    DRIFTLINE.prepare(print)
    with place(kafka, "stalls", 4) as here:
        stall = stalled(here, sensors=100, events=20_000, number=1)
    assert sum(stall.rows) >= 100
    assert 0.0 < stall.longest_gap < stall.seconds


def test_more_sensors_than_may_be_are_forgotten_and_all_are_accounted_for() -> None:
    found = many.measured(sensors=800, more=300, partitions=4)
    assert found.held <= 800
    assert found.held + found.evicted >= 1100
    assert found.row_bytes > 0.0


def test_all_sensors_are_restored_and_read(kafka: KafkaServer) -> None:
    DRIFTLINE.prepare(print)
    with place(kafka, "restore", 4) as here:
        row_bytes = fill(here, sensors=30)
        pair = restored_and_read(here, sensors=30, number=1)
    assert row_bytes > 0
    assert pair.reader["records"] >= 30
    assert pair.times_cpu > 0.0
    assert pair.rss_mib > 10.0
