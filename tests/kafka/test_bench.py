"""The measurements, small, on a real Kafka: each contender runs, and the ratio that must hold."""

from __future__ import annotations

import pytest

from bench.__main__ import main
from bench.contenders import CONTENDERS, Contender
from bench.harness import Load, measure
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
