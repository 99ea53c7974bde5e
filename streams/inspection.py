"""What the last checkpoint knows of one sensor, for people and scripts."""

from __future__ import annotations

from typing import Any

from detectors.signal import SignalMonitor
from schemas.events import Statistics
from schemas.settings import Settings
from schemas.timestamps import format_timestamp
from streams.changelog import parse_key, read_partition
from streams.partitioner import partition_for
from streams.pipeline import Pipeline
from streams.sensor import Sensor


def show(settings: Settings, sensor_id: str) -> dict[str, Any] | None:
    """Read a sensor's row from the state topic.

    Its own partition is read first; the others only if a producer with another partitioner
    may have put it there.

    Returns
    -------
    dict or None
        JSON-ready; None if no checkpoint knows the sensor.

    Raises
    ------
    SnapshotError
        If its row was not signed with this deployment's key.
    """
    count = settings.topics.partitions
    first = partition_for(sensor_id.encode(), count)
    for partition in sorted(range(count), key=lambda number: number != first):
        found = stored_sensor(settings, partition, sensor_id)
        if found is not None:
            return _described(found, partition)
    return None


def stored_sensor(settings: Settings, partition: int, sensor_id: str) -> Sensor | None:
    """Return a sensor as the last checkpoint of a partition holds it, None if it does not."""
    restored = read_partition(
        settings, partition, lambda key: sensor_id in (part for part in parse_key(key)[1:2])
    )
    pipeline = Pipeline(settings, partition)
    pipeline.restore(restored)
    return pipeline.sensor(sensor_id)


def _described(sensor: Sensor, partition: int) -> dict[str, Any]:
    """Return what is known of a sensor as JSON-ready objects."""
    champion = sensor.champion
    return {
        "sensor_id": sensor.sensor_id,
        "events": sensor.events,
        "last_offset": sensor.last_offset,
        "last_ts": format_timestamp(sensor.last_ts),
        "partition": partition,
        "model": {
            "name": champion.name,
            "version": champion.version,
            "task": champion.learner.task,
            "pipeline": champion.learner.name,
            "learned": champion.learner.learned,
            "error": sensor.prequential.value,
            "challenger": champion.challenger is not None,
            **_by_class(sensor),
        },
        "detectors": {signal: _detectors(monitor) for signal, monitor in sensor.monitors.items()},
        "references": {
            signal: _reference(monitor)
            for signal, monitor in sensor.monitors.items()
            if monitor.reference is not None
        },
        "episode": sensor.episodes.episode_id,
        "waiting_labels": len(sensor.pending),
        "muted": sensor.muted_until is not None,
        "loosened": {signal: found.factor for signal, found in sensor.loosened.items()},
    }


def _by_class(sensor: Sensor) -> dict[str, Any]:
    metrics = sensor.classes
    if metrics is None:
        return {}
    return {
        "balanced_accuracy": metrics.balanced_accuracy,
        "geometric_mean": metrics.geometric_mean,
        "classes": {
            name: {"seen": seen, "share": metrics.share(name), "recall": metrics.recall(name)}
            for name, seen in metrics.seen.items()
        },
    }


def _detectors(monitor: SignalMonitor) -> dict[str, Any]:
    return {
        detector.name: {
            "warning": detector.warning_detected,
            "score": detector.score,
            "threshold": detector.threshold,
            "parameters": detector.parameters,
        }
        for detector in monitor.detectors
    }


def _reference(monitor: SignalMonitor) -> Any:
    reference = monitor.reference
    assert reference is not None
    statistics = Statistics(n=reference.n, mean=reference.mean, std=reference.std)
    return statistics.model_dump(mode="json")
