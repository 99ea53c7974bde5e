"""What is counted, under which names, with how many series."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schemas.codec import decode_reading
from schemas.errors import InvalidMessage
from streams.metrics import Metrics, Reason, dead_letter_reason

NAMES = {
    "driftline_events": "counter",
    "driftline_withheld_events": "counter",
    "driftline_labels": "counter",
    "driftline_dead_letters": "counter",
    "driftline_drift_events": "counter",
    "driftline_adaptations": "counter",
    "driftline_evicted_sensors": "counter",
    "driftline_begun_anew": "counter",
    "driftline_skipped": "counter",
    "driftline_checkpoints": "counter",
    "driftline_rebalances": "counter",
    "driftline_state_bytes": "counter",
    "driftline_sensors": "gauge",
    "driftline_partitions": "gauge",
    "driftline_records_behind": "gauge",
    "driftline_processing_lag_seconds": "gauge",
    "driftline_checkpoint_duration_seconds": "histogram",
    "driftline_restore_duration_seconds": "histogram",
}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics.create(CollectorRegistry())


def text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_every_metric_has_the_name_and_type_of_the_contract(metrics: Metrics) -> None:
    families = {f.name: f.type for f in text_string_to_metric_families(text(metrics))}
    assert NAMES.items() <= families.items()


def test_counters_end_in_total(metrics: Metrics) -> None:
    metrics.events.inc(3)
    assert "driftline_events_total 3.0" in text(metrics)


def test_drift_events_are_counted_by_detector_kind_and_diagnosis(metrics: Metrics) -> None:
    metrics.drift_events.labels(detector="adwin", kind="drift", diagnosis="concept").inc()
    sample = 'driftline_drift_events_total{detector="adwin",diagnosis="concept",kind="drift"} 1.0'
    assert sample in text(metrics)


def test_model_info_is_one_series_for_each_configured_learner(metrics: Metrics) -> None:
    metrics.model.labels(task="forecast", model="StandardScaler|LinearRegression").info(
        {"river": "0.26.1"}
    )
    assert 'driftline_model_info{model="StandardScaler|LinearRegression"' in text(metrics)


def test_no_label_is_called_sensor(metrics: Metrics) -> None:
    labels = {
        name
        for family in metrics.registry.collect()
        for sample in family.samples
        for name in sample.labels
    }
    assert not {name for name in labels if "sensor" in name}


def test_reasons_are_at_zero_before_the_first_dead_letter(metrics: Metrics) -> None:
    for reason in Reason:
        assert f'driftline_dead_letters_total{{reason="{reason}"}} 0.0' in text(metrics)


def test_the_lag_of_a_revoked_partition_is_no_longer_reported(metrics: Metrics) -> None:
    metrics.records_behind.labels("driftline.sensors", 3).set(7)
    metrics.records_behind.labels("driftline.sensors", 4).set(8)
    metrics.forget_partition("driftline.sensors", 3)
    metrics.forget_partition("driftline.sensors", 3)
    assert 'partition="3"' not in text(metrics)
    assert 'partition="4"' in text(metrics)


def test_two_workers_in_one_process_do_not_share_counts() -> None:
    first, second = Metrics.create(CollectorRegistry()), Metrics.create(CollectorRegistry())
    first.events.inc()
    assert second.registry.get_sample_value("driftline_events_total") == 0.0


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (b"\xff\xfe", Reason.ENCODING),
        (b"{", Reason.JSON),
        (b"{}{}", Reason.JSON),
        (b"[" * 100_000, Reason.JSON),
        (b'{"sensor_id":"a","sensor_id":"b","ts":1,"value":1}', Reason.DUPLICATE_KEY),
        (b'{"sensor_id":"a","ts":"2026-01-05T12:00:00","value":1}', Reason.TIMESTAMP),
        (b'{"sensor_id":"a","value":1}', Reason.TIMESTAMP),
        (b'{"sensor_id":"a","ts":1,"value":NaN}', Reason.SCHEMA),
        (b'{"sensor_id":"","ts":1,"value":1}', Reason.SCHEMA),
        (b'{"sensor_id":"a","ts":1}', Reason.SCHEMA),
        (
            b'{"sensor_id":"a","ts":1,"features":{"$: expected this key once":true}}',
            Reason.SCHEMA,
        ),
    ],
)
def test_what_the_codec_refuses_has_a_reason(raw: bytes | None, reason: Reason) -> None:
    with pytest.raises(InvalidMessage) as refused:
        decode_reading(raw)
    assert dead_letter_reason("decode", str(refused.value), raw) is reason


def test_a_defect_of_our_own_has_a_reason_of_its_own() -> None:
    assert dead_letter_reason("processing", "ZeroDivisionError: …", b"{}") is Reason.PROCESSING
