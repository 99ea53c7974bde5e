"""Every event that is scored and trains nothing is counted, once, by its reason."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.timestamps import format_timestamp
from streams.backtest import Backtest
from streams.metrics import WITHHELD, Metrics
from streams.records import Counts
from streams.status import WorkerStatus
from streams.worker import Worker
from tests.pipelines import START, Partition, configured, reading

LIMITS: Mapping[str, Any] = {"hygiene": {"range": {"value": [-40.0, 125.0]}}}


def noise(count: int, seed: int = 1, mean: float = 20.0, std: float = 1.0) -> list[float]:
    draw = random.Random(seed)
    return [draw.gauss(mean, std) for _ in range(count)]


def fed(values: list[float | None], **sections: Any) -> Partition:
    partition = Partition(configured(**sections))
    partition.feed("sensors", *(reading(value=value, n=n) for n, value in enumerate(values)))
    return partition


def window(begin: int, end: int) -> dict[str, str]:
    first, last = (format_timestamp((START + n) * 1_000_000) for n in (begin, end))
    return {"match": "*", "from": first, "until": last}


def test_what_is_learned_and_what_is_not_is_all_that_was_scored() -> None:
    gaps = [None if n % 10 == 0 else x for n, x in enumerate(noise(100, seed=2))]
    stuck, wild = [21.5] * 60, [999.0] * 7
    values = [*noise(200), *gaps, *wild, *noise(100, seed=3), *stuck, *noise(100, seed=4)]
    partition = fed(values, **LIMITS, maintenance=[window(450, 470)])
    withheld = partition.counts.withheld
    assert set(withheld) == {"missing", "range", "stuck", "maintenance"}
    assert (withheld["missing"], withheld["range"], withheld["maintenance"]) == (10, 7, 20)
    learned = partition.sensor().examples
    assert learned + sum(withheld.values()) == partition.counts.scored == len(values)


def test_readings_in_another_unit_are_counted_as_that() -> None:
    partition = fed([*noise(200), *(x * 1.8 + 32.0 for x in noise(60, seed=2))])
    learned = partition.sensor().examples
    assert partition.counts.withheld == {"unit": 260 - learned}
    assert learned < 230


def test_events_of_another_shape_are_counted_as_that() -> None:
    partition = Partition(configured(learner={"task": "classification"}))
    for n in range(130):
        features = {"t": 20.0, "p": 3.0} if n < 100 else {"t": 20.0}
        partition.feed("sensors", reading(n=n, features=features))
    assert partition.counts.withheld == {"schema": 30}


def test_an_event_with_several_faults_counts_once() -> None:
    sections: dict[str, Any] = {
        "hygiene": {"range": {"feature:*": [0.0, 500.0]}},
        "maintenance": [window(90, 95)],
    }
    partition = Partition(configured(learner={"task": "classification"}, **sections))
    for n in range(100):
        features = {"t": 20.0, "p": 3.0} if n < 80 else {"t": None, "p": 900.0}
        partition.feed("sensors", reading(n=n, features=features))
    assert partition.counts.withheld == {"maintenance": 5, "missing": 15}


@pytest.mark.parametrize("at_once", [True, False])
def test_slices_and_single_records_count_alike(at_once: bool) -> None:
    values = [*noise(150), None, *[999.0] * 3, *noise(60, seed=2)]
    partition = Partition(configured(**LIMITS))
    events = [reading(value=value, n=n) for n, value in enumerate(values)]
    for some in [events] if at_once else [[event] for event in events]:
        partition.feed("sensors", *some)
    assert partition.counts.withheld == {"missing": 1, "range": 3}


def test_a_replayed_event_does_not_count_again() -> None:
    values = [*noise(50), *[999.0] * 5]
    partition = Partition(configured(**LIMITS))
    records = [
        partition.record("sensors", reading(value=value, n=n)) for n, value in enumerate(values)
    ]
    partition.process("sensors", records)
    partition.restart()
    partition.process("sensors", records)
    assert partition.counts.skipped == len(values)
    assert partition.counts.withheld == {"range": 5}


def test_a_backtest_adds_them_up() -> None:
    backtest = Backtest(configured(**LIMITS))
    for n, value in enumerate([*noise(50), None, 999.0]):
        list(backtest.feed("sensors", reading(value=value, n=n)))
    assert backtest.totals.withheld == {"missing": 1, "range": 1}


def test_a_worker_counts_them_by_reason_from_zero_on() -> None:
    metrics = Metrics.create(CollectorRegistry())
    worker = Worker(configured(), metrics, WorkerStatus(configured(), metrics))
    worker._count(Counts(withheld={"stuck": 3, "unit": 1}))
    found = {
        reason: metrics.registry.get_sample_value(
            "driftline_withheld_events_total", {"reason": reason}
        )
        for reason in WITHHELD
    }
    assert found == {
        **dict.fromkeys(("maintenance", "missing", "schema", "range"), 0.0),
        "stuck": 3.0,
        "unit": 1.0,
    }
