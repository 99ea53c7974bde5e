"""What was stored under another configuration or version begins anew, and never in silence."""

from __future__ import annotations

from typing import Any

import pytest
import river
from prometheus_client import CollectorRegistry

from schemas.errors import SnapshotError
from streams.metrics import Metrics
from streams.partition import OwnedPartition
from streams.records import Counts
from streams.status import WorkerStatus
from streams.worker import Worker
from tests.pipelines import Partition, command, configured, reading

SENSORS = ("press-1", "press-2", "press-3")


def deployed(*sensors: str, **sections: Any) -> Partition:
    partition = Partition(configured(**sections))
    go_on(partition, 0, 40, *sensors)
    return partition


def go_on(partition: Partition, first: int, count: int, *sensors: str) -> None:
    for n in range(first, first + count):
        partition.feed("sensors", *(reading(name, 20.0 + n % 5, n=n) for name in sensors))


def to_come(partition: Partition) -> dict[str, int]:
    return dict(partition.pipeline.kept.to_begin_anew)


def test_under_the_same_configuration_nothing_begins_anew() -> None:
    partition = deployed(*SENSORS)
    partition.restart()
    go_on(partition, 40, 5, *SENSORS)
    assert to_come(partition) == partition.counts.begun_anew == {}


def test_rows_of_another_river_begin_anew_and_are_counted_as_they_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partition = deployed(*SENSORS)
    monkeypatch.setattr(river, "__version__", "9.9.9")
    partition.restart()
    assert to_come(partition) == {"learner": 3, "detectors": 3}
    assert partition.counts.begun_anew == {}
    go_on(partition, 40, 5, *SENSORS[:2])
    assert partition.counts.begun_anew == {"learner": 2, "detectors": 2}
    assert partition.sensor("press-1").events == 45
    assert partition.sensor("press-1").champion.learner.learned < 5


def test_what_is_looked_at_does_not_count_as_seen() -> None:
    partition = deployed("press-1")
    partition.restart(configured(learner={"lags": 5}))
    partition.sensor("press-1")
    go_on(partition, 40, 0)
    assert partition.counts.begun_anew == {}


@pytest.mark.parametrize(
    ("changed", "part"),
    [({"learner": {"lags": 5}}, "learner"), ({"detectors": {"warmup": 50}}, "detectors")],
)
@pytest.mark.parametrize("overrides", [[], [{"match": "none"}]])
def test_only_the_part_whose_configuration_has_changed_begins_anew(
    changed: dict[str, Any], part: str, overrides: list[dict[str, Any]]
) -> None:
    partition = deployed(*SENSORS)
    partition.restart(configured(**changed, sensors=overrides))
    assert to_come(partition) == {part: 3}
    go_on(partition, 40, 5, *SENSORS)
    partition.restart()
    go_on(partition, 45, 5, *SENSORS)
    assert partition.counts.begun_anew == {part: 3}


def test_objects_are_counted_as_they_are_seen() -> None:
    partition = Partition(configured(learner={"task": "anomaly"}))
    go_on(partition, 0, 40, *SENSORS)
    partition.restart(configured(learner={"task": "anomaly"}, detectors={"warmup": 50}))
    assert to_come(partition) == {}
    go_on(partition, 40, 5, *SENSORS)
    assert partition.counts.begun_anew == {"detectors": 3}


def test_a_snapshot_of_another_river_is_refused_when_it_is_restored_not_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partition = deployed("press-1")
    partition.feed("control", command("mute", "press-1"))
    monkeypatch.setattr(river, "__version__", "9.9.9")
    with pytest.raises(SnapshotError, match=r"River 9\.9\.9 is installed: install river=="):
        partition.restart()


def test_it_is_told_once_for_each_partition(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics.create(CollectorRegistry())
    owned = OwnedPartition(3, configured(), metrics, lambda _: None)
    owned._tell_of_new_beginnings({})
    owned._tell_of_new_beginnings({"learner": 12, "detectors": 7})
    owned._tell_of_new_beginnings({"learner": 1})
    (line,) = caplog.records
    told = line.msg
    assert isinstance(told, dict)
    assert line.levelname == "WARNING"
    assert (told["partition"], told["learners"], told["detectors"]) == (3, 12, 7)


def test_a_worker_counts_them() -> None:
    metrics = Metrics.create(CollectorRegistry())
    worker = Worker(configured(), metrics, WorkerStatus(configured(), metrics))
    worker._count(Counts(begun_anew={"learner": 3}))
    value = metrics.registry.get_sample_value
    assert value("driftline_begun_anew_total", {"part": "learner"}) == 3.0
    assert value("driftline_begun_anew_total", {"part": "detectors"}) == 0.0
