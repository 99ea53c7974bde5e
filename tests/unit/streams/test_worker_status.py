"""What a worker says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from streams.metrics import Metrics
from streams.partition import OwnedPartition
from streams.records import Counts, Outgoing
from streams.status import RECENT, WorkerStatus
from tests.pipelines import START, Partition, configured, reading

SENSORS = "driftline.sensors"


@dataclass
class Owned:
    """What of an owned partition the status looks at, around a real pipeline."""

    partition: Partition
    ready: bool = True
    suspended: bool = False
    pipeline: Any = field(init=False)

    def __post_init__(self) -> None:
        self.pipeline = self.partition.pipeline


class Bench:
    """A status with a clock that stands 100 s after the first event."""

    def __init__(self) -> None:
        self.settings = configured()
        self.registry = CollectorRegistry()
        self.status = WorkerStatus(
            self.settings, Metrics.create(self.registry), clock=lambda: START + 100.0
        )

    def own(self, *numbers: int, events: int = 0, ready: bool = True) -> dict[int, Owned]:
        owned = {n: Owned(Partition(self.settings, n), ready) for n in numbers}
        for number, each in owned.items():
            for k in range(events):
                each.partition.feed("sensors", reading(f"press-{number}-{k}", 1.0))
        self.status.owned(cast(dict[int, OwnedPartition], owned))
        return owned

    def gauge(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_worker_is_not_ready_before_it_has_partitions(bench: Bench) -> None:
    assert bench.status.ready == (False, ["no partitions assigned yet"])


def test_a_worker_is_ready_once_all_is_restored_and_its_lag_known(bench: Bench) -> None:
    bench.own(0, 1, ready=False)
    assert bench.status.ready[1] == [
        "partition 0 is being restored",
        "partition 1 is being restored",
    ]
    bench.own(0, 1)
    assert bench.status.ready[1] == [
        "the lag of partition 0 is not known yet",
        "the lag of partition 1 is not known yet",
    ]
    bench.status.lag({TP(SENSORS, 0): 0, TP(SENSORS, 1): 0})
    assert bench.status.ready == (True, [])


def test_a_worker_that_was_given_nothing_is_ready(bench: Bench) -> None:
    bench.own()
    assert bench.status.ready == (True, [])


def test_the_lag_of_a_partition_that_comes_back_is_unknown_again(bench: Bench) -> None:
    bench.own(0)
    bench.status.lag({TP(SENSORS, 0): 0})
    bench.own()
    bench.own(0)
    assert bench.status.ready[1] == ["the lag of partition 0 is not known yet"]


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [("alive", "the worker is stopping"), ("broker_reachable", "no answer from localhost:9092")],
)
def test_a_worker_without_a_broker_or_on_its_way_out_is_not_ready(
    bench: Bench, attribute: str, reason: str
) -> None:
    bench.own(0)
    bench.status.lag({TP(SENSORS, 0): 0})
    setattr(bench.status, attribute, False)
    assert bench.status.ready == (False, [reason])


def test_the_lag_counts_records_and_seconds(bench: Bench) -> None:
    bench.own(0, 1, events=3)
    bench.status.lag({TP(SENSORS, 0): 5, TP(SENSORS, 1): 3})
    status = bench.status.status()
    assert [p["behind"] for p in status["partitions"]] == [2, 0]
    # the third event is two seconds after the first
    assert status["lag_seconds"] == 98.0
    assert bench.gauge("driftline_processing_lag_seconds") == 98.0


def test_transaction_markers_are_no_lag(bench: Bench) -> None:
    bench.own(0, events=3)
    bench.status.lag({TP(SENSORS, 0): 4}, reached=lambda tp, position: position + 1)
    assert bench.status.status()["partitions"][0]["behind"] == 0
    assert bench.status.status()["lag_seconds"] == 0.0


def test_an_end_that_is_not_known_is_no_lag_of_zero(bench: Bench) -> None:
    bench.own(0, events=3)
    bench.status.lag({TP(SENSORS, 0): None})
    assert bench.status.status()["partitions"][0]["behind"] is None
    assert not bench.status.ready[0]


def test_sensors_are_those_in_state_here(bench: Bench) -> None:
    bench.own(0, 1, events=3)
    assert bench.gauge("driftline_sensors") == 6.0
    assert bench.status.status()["sensors"] == 6
    bench.own(0, events=3, ready=False)
    assert bench.gauge("driftline_sensors") == 0.0


def test_totals_add_up_what_slices_did(bench: Bench) -> None:
    counts = Counts(
        scored=7, dead_letters={"json": 2}, drift_events={("adwin", "drift", "concept"): 1}
    )
    bench.status.processed(counts)
    bench.status.processed(counts)
    status = bench.status.status()
    assert (status["events"], status["drift_events"], status["dead_letters"]) == (14, 2, 4)


def test_the_newest_of_what_was_written_comes_first_and_few_are_kept(bench: Bench) -> None:
    written = [Outgoing("driftline.alerts", b"k", b'{"id":"%d"}' % n) for n in range(RECENT + 20)]
    bench.status.written(written)
    recent = bench.status.status()["recent_drift"]
    assert len(recent) == RECENT
    assert recent[0] == {"id": str(RECENT + 19)}


def test_a_dead_letter_is_shown_with_its_place_and_reason(bench: Bench) -> None:
    partition = Partition(bench.settings, 3)
    record = partition.record("sensors", b"\xff", headers=[("__connect.errors.offset", b"x")])
    bench.status.written(partition.process("sensors", [record]))
    (shown,) = bench.status.status()["recent_dead_letters"]
    assert shown == {
        "topic": SENSORS,
        "partition": 3,
        "offset": 0,
        "message": "$: expected text in UTF-8",
        "ts": "2026-01-05T12:00:00Z",
    }


@pytest.mark.parametrize("timestamp", [-1, 2**62])
def test_a_dead_letter_of_an_absurd_time_is_shown(bench: Bench, timestamp: int) -> None:
    partition = Partition(bench.settings)
    record = partition.record("sensors", b"\xff", timestamp=timestamp)
    bench.status.written(partition.process("sensors", [record]))
    (shown,) = bench.status.status()["recent_dead_letters"]
    assert shown["ts"] is None
