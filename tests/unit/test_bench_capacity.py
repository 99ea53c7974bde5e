"""What a load needs follows from what one event, one row and one transaction take."""

from __future__ import annotations

import pytest

from bench.capacity import BUSY, PER_WORKER, Load, Measured, plan, rows_per_second

TAKEN = Measured(
    event_us=1.0,
    row_us=10.0,
    transaction_us=5000.0,
    event_bytes=100.0,
    row_bytes=1000.0,
    sensor_bytes=4096.0,
    restore_us=20.0,
)


def needed(events: float, sensors: int, interval: float) -> dict[str, float]:
    return {line.name: line.value for line in plan(Load(events, sensors, interval), TAKEN)}


@pytest.mark.parametrize(
    ("events", "sensors", "interval", "rows"),
    [(1e6, 1000, 1.0, 1000.0), (1e6, 1_000_000, 10.0, 1e5), (500.0, 1_000_000, 1.0, 500.0)],
)
def test_a_checkpoint_writes_each_sensor_once_and_only_those_with_events(
    events: float, sensors: int, interval: float, rows: float
) -> None:
    assert rows_per_second(Load(events, sensors, interval)) == rows


def test_no_worker_is_busier_than_it_should_be_and_one_fewer_would_be() -> None:
    found = needed(1e6, 1_000_000, 10.0)
    assert found["CPU of all workers"] / found["workers"] <= BUSY
    assert found["CPU of all workers"] / (found["workers"] - 1) > BUSY
    assert found["partitions"] == PER_WORKER * found["workers"]


def test_cpu_time_is_that_of_events_rows_and_transactions() -> None:
    found = needed(1e6, 1_000_000, 10.0)
    transactions = found["partitions"] / 10.0
    assert found["transactions"] == transactions
    # A worker more for transactions would have partitions, and so transactions, of its own.
    assert found["CPU of all workers"] == pytest.approx(1.0 + 1.0 + transactions * 0.005, abs=0.01)


def test_bytes_are_those_of_events_and_rows() -> None:
    found = needed(1e6, 1_000_000, 10.0)
    assert found["into the brokers, events"] == 100.0
    assert found["into the brokers, state"] == 100.0
    assert found["state topic, compacted"] == 1.0


def test_a_shorter_interval_costs_rows_and_workers() -> None:
    long, short = needed(1e6, 1_000_000, 60.0), needed(1e6, 1_000_000, 1.0)
    assert short["rows written"] > long["rows written"]
    assert short["workers"] > long["workers"]


def test_a_small_load_needs_one_worker() -> None:
    assert needed(100.0, 100, 1.0)["workers"] == 1
