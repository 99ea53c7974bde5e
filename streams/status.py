"""What this worker says of itself: health, readiness, lag, and what it found last."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from faust.types import TP

from schemas.settings import Settings
from schemas.timestamps import MAX_US, format_timestamp
from streams.metrics import Metrics
from streams.records import Counts, Outgoing
from streams.web.health import PartitionStatus

if TYPE_CHECKING:
    from streams.partition import OwnedPartition

RECENT = 50


class WorkerStatus:
    """Answers the web server from memory.

    Parameters
    ----------
    settings
        Of the worker.
    metrics
        Gauges are set here, once per checkpoint interval.
    clock
        Seconds since the Unix epoch.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._partitions: Mapping[int, OwnedPartition] = {}
        self._behind: dict[int, int | None] = {}
        self._recent: dict[str, deque[Mapping[str, Any]]] = {
            settings.topic("alerts"): deque(maxlen=RECENT),
            settings.topic("adaptations"): deque(maxlen=RECENT),
        }
        self._dead_letters: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._totals = {"events": 0, "drift_events": 0, "dead_letters": 0}
        self._drifts = 0
        metrics.budget.set(settings.budget.per_10k_events)
        self._lag_seconds: float | None = None
        self._assigned = False
        self.alive = True
        self.broker_reachable = True

    def owned(self, partitions: Mapping[int, OwnedPartition]) -> None:
        """Note which partitions are owned now."""
        self._partitions = dict(partitions)
        self._assigned = True
        self._behind = {n: b for n, b in self._behind.items() if n in self._partitions}
        self._set_gauges()

    def processed(self, counts: Counts) -> None:
        """Add up what a slice did."""
        self._totals["events"] += counts.scored
        self._totals["drift_events"] += sum(counts.drift_events.values())
        self._totals["dead_letters"] += sum(counts.dead_letters.values())
        # Where nothing changes, these are the false alarms that were to stay within the budget.
        self._drifts += sum(
            n
            for (_, kind, diagnosis), n in counts.drift_events.items()
            if kind == "drift" and diagnosis != "upstream"
        )
        if self._totals["events"]:
            self._metrics.achieved.set(10_000 * self._drifts / self._totals["events"])

    def written(self, effects: Sequence[Outgoing]) -> None:
        """Keep the last drift events, adaptations and dead letters that became visible."""
        for effect in effects:
            recent = self._recent.get(effect.topic)
            if recent is not None and effect.value is not None:
                recent.appendleft(orjson.loads(effect.value))
            elif effect.topic == self._settings.topic("dead-letters"):
                self._dead_letters.appendleft(_dead_letter(effect))

    def lag(
        self,
        ends: Mapping[TP, int | None],
        reached: Callable[[TP, int], int] = lambda _, position: position,
    ) -> None:
        """Work out how far processing is behind the ends of the owned partitions.

        Parameters
        ----------
        ends
            End of each partition, None where it is not known.
        reached
            Partition and position -> that position, past the transaction markers behind it:
            a marker is no record that waits.
        """
        topic = self._settings.topic("sensors")
        oldest = 0.0
        for number, partition in self._partitions.items():
            tp = TP(topic, number)
            end = ends.get(tp)
            if end is None or not partition.ready:
                self._behind[number] = None
                continue
            behind = max(0, end - reached(tp, partition.pipeline.position.get(topic, 0)))
            if behind and partition.pipeline.last_timestamp is not None:
                oldest = max(oldest, self._clock() - partition.pipeline.last_timestamp / 1000.0)
            self._behind[number] = behind
            self._metrics.records_behind.labels(topic, str(number)).set(behind)
        self._lag_seconds = oldest
        self._metrics.processing_lag.set(oldest)
        self._set_gauges()

    @property
    def ready(self) -> tuple[bool, list[str]]:
        """Tell whether all that is owned is restored and its lag known, else why not."""
        reasons = []
        if not self.alive:
            reasons.append("the worker is stopping")
        if not self.broker_reachable:
            reasons.append(f"no answer from {self._settings.kafka.bootstrap_servers}")
        if not self._assigned:
            reasons.append("no partitions assigned yet")
        for number, partition in sorted(self._partitions.items()):
            if not partition.ready:
                reasons.append(f"partition {number} is being restored")
            elif self._behind.get(number) is None:
                reasons.append(f"the lag of partition {number} is not known yet")
        return not reasons, reasons

    def status(self) -> Mapping[str, Any]:
        """Return what the dashboard shows."""
        settings = self._settings
        topic = settings.topic("sensors")
        partitions: list[PartitionStatus] = [
            {
                "partition": number,
                "state": "restoring"
                if not partition.ready
                else "paused"
                if partition.suspended
                else "running",
                "position": partition.pipeline.position.get(topic, 0),
                "behind": self._behind.get(number),
                "sensors": partition.pipeline.sensors if partition.ready else None,
            }
            for number, partition in sorted(self._partitions.items())
        ]
        return {
            "role": "worker",
            "group": settings.group,
            "guarantee": settings.guarantee,
            "task": settings.learner.task,
            **self._totals,
            "sensors": sum(p["sensors"] or 0 for p in partitions),
            "lag_seconds": self._lag_seconds,
            "partitions": partitions,
            "recent_drift": list(self._recent[settings.topic("alerts")]),
            "recent_adaptations": list(self._recent[settings.topic("adaptations")]),
            "recent_dead_letters": list(self._dead_letters),
        }

    def _set_gauges(self) -> None:
        self._metrics.partitions.set(len(self._partitions))
        self._metrics.sensors.set(
            sum(p.pipeline.sensors for p in self._partitions.values() if p.ready)
        )


def _dead_letter(effect: Outgoing) -> dict[str, Any]:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in effect.headers}
    prefix = "__connect.errors."
    return {
        "topic": headers.get(f"{prefix}topic", ""),
        "partition": int(headers.get(f"{prefix}partition", "0")),
        "offset": int(headers.get(f"{prefix}offset", "0")),
        "message": headers.get(f"{prefix}exception.message", ""),
        "ts": _time(effect.timestamp),
    }


def _time(milliseconds: int | None) -> str | None:
    """Return a Kafka time as text; None if it is none, as far as a producer may set it."""
    if milliseconds is None or not 0 <= milliseconds * 1000 <= MAX_US:
        return None
    return format_timestamp(milliseconds * 1000)
