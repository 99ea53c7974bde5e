"""What a worker counts and measures, under the names that operators rely on.

Names are part of the contract (``driftline_`` prefix, base units, ``_total`` on counters). No label
ever holds a sensor id: the number of time series depends on the configuration and on the number of
partitions, never on how many sensors there are.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

LABEL_OUTCOMES: Final = (
    "matched", "early", "duplicate", "orphan", "expired", "evicted", "unused"
)  # fmt: skip
"""What became of a label, in the words of ``learners.labels``; ``unused`` is one whose sensor has a
task without labels."""

ADAPTATION_ACTIONS: Final = (
    "reset",
    "relearn",
    "retrain",
    "promote",
    "rollback",
    "reject",
    "evict",
    "loosen",
)
"""The actions of an adaptation record."""

WITHHELD: Final = ("maintenance", "missing", "schema", "range", "stuck", "unit")
"""Why an event is kept from the model; of several reasons the first."""

PARTS: Final = ("learner", "detectors")
"""What of a sensor begins anew where its configuration has changed."""

CHECKPOINT_OUTCOMES: Final = ("committed", "failed", "fenced")
"""How a checkpoint ended: durable, to be tried again, or refused because another worker owns it."""

# A checkpoint is one small transaction (about 10 ms) that must end within the session time-out.
_CHECKPOINT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# A restore reads one partition of the state topic: milliseconds when empty, a minute for millions.
_RESTORE_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Reason(StrEnum):
    """Why a record became a dead letter: the values of the label ``reason``, and no others."""

    EMPTY = "empty"
    ENCODING = "encoding"
    JSON = "json"
    DUPLICATE_KEY = "duplicate_key"
    TIMESTAMP = "timestamp"
    SCHEMA = "schema"
    PROCESSING = "processing"


def dead_letter_reason(stage: str, message: str, value: bytes | None) -> Reason:
    """Sort a dead letter into one of a few reasons, so that the label stays bounded.

    Parameters
    ----------
    stage
        Where the record was refused: ``processing`` for a defect in our own code, else a decoding
        stage.
    message
        The text of the `schemas.errors.InvalidMessage`: a path and what was expected there. None
        of it is copied into the label.
    value
        The bytes of the record.

    Examples
    --------
    >>> dead_letter_reason("decode", "$.value: expected a finite number", b'{"value":"x"}')
    <Reason.SCHEMA: 'schema'>
    """
    if stage == Reason.PROCESSING:
        return Reason.PROCESSING
    if not value:
        return Reason.EMPTY
    # A path may hold any text, since it names a feature: the phrase is what follows it.
    path, _, phrase = message.rpartition(": expected ")
    if phrase == "this key once":
        return Reason.DUPLICATE_KEY
    if path == "$" and "UTF-8" in phrase:
        return Reason.ENCODING
    if path == "$" and ("JSON" in phrase or "nested" in phrase):
        return Reason.JSON
    return Reason.TIMESTAMP if path == "$.ts" else Reason.SCHEMA


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one process, all registered with one registry.

    Build it with `create`: the registry is handed in, so that tests and several workers in one
    process do not share counts.
    """

    registry: CollectorRegistry
    events: Counter
    withheld: Counter
    labels: Counter
    dead_letters: Counter
    drift_events: Counter
    absorbed: Counter
    adaptations: Counter
    evicted_sensors: Counter
    begun_anew: Counter
    skipped: Counter
    checkpoints: Counter
    rebalances: Counter
    sensors: Gauge
    budget: Gauge
    achieved: Gauge
    partitions: Gauge
    state_bytes: Counter
    records_behind: Gauge
    processing_lag: Gauge
    checkpoint_duration: Histogram
    restore_duration: Histogram
    model: Info
    build: Info

    @classmethod
    def create(cls, registry: CollectorRegistry) -> Metrics:
        """Register all metrics with `registry`; label values known beforehand start at zero.

        Raises
        ------
        ValueError
            If the registry already holds metrics of these names.
        """

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"driftline_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"driftline_{name}", text, labels, registry=registry)

        metrics = cls(
            registry=registry,
            events=counter("events", "Sensor events scored by this process."),
            withheld=counter(
                "withheld_events", "Sensor events scored, but kept from the model.", "reason"
            ),
            labels=counter("labels", "Labels received, by what became of them.", "outcome"),
            dead_letters=counter(
                "dead_letters", "Records written to the dead-letters topic.", "reason"
            ),
            drift_events=counter(
                "drift_events",
                "Drift events written to the alerts topic.",
                "detector",
                "kind",
                "diagnosis",
            ),
            absorbed=counter(
                "absorbed_drift_events",
                "Drift events of single sensors that a drift event of the fleet stands for.",
            ),
            adaptations=counter("adaptations", "Adaptation records written, by action.", "action"),
            evicted_sensors=counter(
                "evicted_sensors", "Sensors forgotten since their partition was full."
            ),
            begun_anew=counter(
                "begun_anew",
                "Learners and detectors of stored sensors that began anew, since they were stored "
                "under another configuration or version.",
                "part",
            ),
            skipped=counter(
                "skipped", "Replayed records skipped because their effects were already durable."
            ),
            checkpoints=counter("checkpoints", "Checkpoints, by how they ended.", "outcome"),
            rebalances=counter("rebalances", "Changes of the partitions assigned to this worker."),
            sensors=gauge("sensors", "Sensors in state here, restored ones included."),
            budget=gauge(
                "budget_per_10k_events", "False drifts that 10,000 events of a sensor may raise."
            ),
            achieved=gauge(
                "drifts_per_10k_events",
                "Drifts per 10,000 events that this process reported, upstream faults left out.",
            ),
            partitions=gauge("partitions", "Partitions owned by this worker."),
            state_bytes=counter("state_bytes", "Bytes of state written to the state topic."),
            records_behind=gauge(
                "records_behind",
                "Records of an owned partition that are not yet processed.",
                "topic",
                "partition",
            ),
            processing_lag=gauge(
                "processing_lag_seconds",
                "How far processing is behind the time the records were written, worst partition.",
            ),
            checkpoint_duration=Histogram(
                "driftline_checkpoint_duration_seconds",
                "Time from the begin of a checkpoint to its commit.",
                registry=registry,
                buckets=_CHECKPOINT_BUCKETS,
            ),
            restore_duration=Histogram(
                "driftline_restore_duration_seconds",
                "Time to restore the state of one partition.",
                registry=registry,
                buckets=_RESTORE_BUCKETS,
            ),
            model=Info(
                "driftline_model",
                "What is learned: one series for each configured learner.",
                ("task", "model"),
                registry=registry,
            ),
            build=Info("driftline_build", "What is running.", registry=registry),
        )
        for reason in Reason:
            metrics.dead_letters.labels(reason.value)
        for why in WITHHELD:
            metrics.withheld.labels(why)
        for outcome in LABEL_OUTCOMES:
            metrics.labels.labels(outcome)
        for action in ADAPTATION_ACTIONS:
            metrics.adaptations.labels(action)
        for part in PARTS:
            metrics.begun_anew.labels(part)
        for outcome in CHECKPOINT_OUTCOMES:
            metrics.checkpoints.labels(outcome)
        return metrics

    def forget_partition(self, topic: str, partition: int) -> None:
        """Drop the series of a partition that was revoked: it has a new owner who reports it."""
        with suppress(KeyError):  # the lag of the partition was never known
            self.records_behind.remove(topic, str(partition))
