"""Every message in the contract: its keys, their order, what may be null, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.codec import cloud_event_headers, decode, encode
from schemas.errors import InvalidMessage
from schemas.events import (
    Adaptation,
    ChangePoint,
    ControlEvent,
    DriftEvent,
    LabelEvent,
    Message,
    ModelRecord,
    ModelRef,
    Prediction,
    RetrainRequest,
    SensorEvent,
    SourceRange,
    SourceRef,
    Statistics,
)

NOON = 1_767_614_400_000_000

DRIFT = DriftEvent(
    id="f" * 32,
    sensor_id="oven-2",
    ts=NOON,
    kind="drift",
    detector="adwin",
    signal="feature:temperature",
    direction="up",
    diagnosis="data",
    severity="high",
    episode_id="e" * 32,
    score=0.93,
    threshold=0.41,
    change_point=ChangePoint(ts=NOON - 1_000_000, offset=4711),
    before=Statistics(n=992, mean=0.2, std=0.4),
    after=Statistics(n=31, mean=0.79, std=0.41),
    model=ModelRef(name="oven-2", version=3),
    source=SourceRef(topic="driftline.sensors", partition=2, offset=5734),
)
RANGE = SourceRange(topic="driftline.sensors", partition=2, from_offset=4711, to_offset=5735)
MESSAGES: list[Message] = [
    SensorEvent(sensor_id="press-7", ts=NOON, value=21.4),
    SensorEvent(sensor_id="oven-2", event_id="b-1", ts=NOON, features={"t": 1.0, "g": "A"}),
    LabelEvent(sensor_id="oven-2", event_id="b-1", ts=NOON, label=True),
    ControlEvent(command="mute", sensor_id="oven-2", until=NOON),
    DRIFT,
    Prediction(
        sensor_id="oven-2",
        event_id="2-5734",
        ts=NOON,
        prediction=None,
        model=ModelRef(name="oven-2", version=3),
        source=DRIFT.source,
    ),
    Adaptation(
        id="a" * 32,
        ts=NOON,
        sensor_id="oven-2",
        action="promote",
        rule="diagnosis=concept -> relearn",
        drift_event_id=DRIFT.id,
        model_before=ModelRef(name="oven-2", version=3),
        model_after=ModelRef(name="oven-2", version=4),
        reason="error 0.12 instead of 0.31",
    ),
    RetrainRequest(
        id="r" * 32,
        ts=NOON,
        sensor_id="oven-2",
        model=None,
        reason="drift",
        drift_event_id=DRIFT.id,
        range=RANGE,
    ),
    ModelRecord(
        name="oven-2",
        version=4,
        stage="candidate",
        sensor_id="oven-2",
        ts=NOON,
        metrics={"mae": 0.12, "n": 310, "reference": None},
        training_range=RANGE,
        digest="0" * 64,
        artifact="RExTMQ==",
        reason=None,
        drift_event_id=None,
        request_id="r" * 32,
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_encoded_is_decoded_back(message: Message) -> None:
    assert decode(encode(message), type(message)) == message


def test_a_drift_event_is_written_as_in_the_contract() -> None:
    assert encode(DRIFT).decode() == (
        '{"id":"ffffffffffffffffffffffffffffffff","sensor_id":"oven-2",'
        '"ts":"2026-01-05T12:00:00Z","kind":"drift","detector":"adwin",'
        '"signal":"feature:temperature","direction":"up","diagnosis":"data","severity":"high",'
        '"episode_id":"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee","score":0.93,"threshold":0.41,'
        '"change_point":{"ts":"2026-01-05T11:59:59Z","offset":4711},'
        '"before":{"n":992,"mean":0.2,"std":0.4},"after":{"n":31,"mean":0.79,"std":0.41},'
        '"model":{"name":"oven-2","version":3},'
        '"source":{"topic":"driftline.sensors","partition":2,"offset":5734},"evidence":[],'
        '"members":null,"member_count":null}'
    )


def test_a_drift_event_of_a_version_that_knew_no_fleet_can_be_read() -> None:
    written = json.loads(encode(DRIFT))
    del written["members"], written["member_count"]
    assert decode(json.dumps(written).encode(), DriftEvent) == DRIFT


def test_all_keys_of_a_drift_event_are_there_when_there_is_nothing_to_say() -> None:
    nothing = {
        "score": None,
        "threshold": None,
        "change_point": None,
        "before": None,
        "after": None,
        "model": None,
    }
    bare = DRIFT.model_copy(update=nothing)
    written = json.loads(encode(bare))
    assert list(written) == list(DriftEvent.model_fields)
    assert {key: written[key] for key in nothing} == nothing


def test_what_lies_in_a_drift_event_may_be_null() -> None:
    hollow = DRIFT.model_dump() | {
        "change_point": {"ts": None, "offset": None},
        "before": {"n": None, "mean": None, "std": None},
        "model": {"name": None, "version": None},
    }
    drift = DriftEvent.model_validate(hollow)
    assert json.loads(encode(drift))["before"] == {"n": None, "mean": None, "std": None}


@pytest.mark.parametrize("overflow", [float("inf"), float("-inf"), float("nan")])
def test_a_statistic_that_overflowed_is_null(overflow: float) -> None:
    assert Statistics(n=2, mean=0.0, std=overflow).std is None
    assert DriftEvent.model_validate(DRIFT.model_dump() | {"score": overflow}).score is None


def test_keys_of_the_other_messages_are_those_of_the_contract_in_order() -> None:
    keys: dict[type[Message], list[str]] = {
        Prediction: ["sensor_id", "event_id", "ts", "prediction", "model", "source"],
        Adaptation: [
            "id",
            "ts",
            "sensor_id",
            "action",
            "rule",
            "drift_event_id",
            "model_before",
            "model_after",
            "reason",
        ],
    }
    for message in MESSAGES:
        if type(message) in keys:
            assert list(json.loads(encode(message))) == keys[type(message)]


@pytest.mark.parametrize("label", [1, 1.0, True, "1", 2**63])
def test_a_predicted_class_is_written_as_its_label_was(label: bool | int | float | str) -> None:
    prediction = MESSAGES[5].model_copy(update={"prediction": label})
    written = json.loads(encode(prediction))["prediction"]
    assert (type(written), written) == (type(label), label)


def test_an_event_of_others_is_written_with_the_given_fields_only() -> None:
    assert (
        encode(MESSAGES[0]) == b'{"sensor_id":"press-7","ts":"2026-01-05T12:00:00Z","value":21.4}'
    )
    missing = SensorEvent(sensor_id="a", ts=0, value=None)
    assert json.loads(encode(missing))["value"] is None


def test_a_time_in_json_is_text_or_unix_seconds_and_in_python_microseconds() -> None:
    read = decode(b'{"command":"ack","sensor_id":"a","ts":1767614400.25}', ControlEvent)
    assert read.ts == NOON + 250_000
    assert ControlEvent(command="ack", sensor_id="a", ts=NOON).ts == NOON
    assert SensorEvent.model_validate_json(encode(MESSAGES[0])) == MESSAGES[0]


def test_unknown_fields_of_any_message_are_left_out() -> None:
    raw = encode(DRIFT)[:-1] + b',"new_in_the_next_version":{"a":[1]}}'
    assert decode(raw, DriftEvent) == DRIFT


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (None, "$: expected one JSON object"),
        (b"", "$: expected one JSON object"),
        (b"[]", "$: expected one JSON object"),
        (b"{}{}", "$: expected one JSON object"),
        (b'{"sensor_id":"a"}', "$.command: expected a value"),
        (b'{"command":"reset"}', "$.sensor_id: expected a value"),
        (b'{"command":"reset","sensor_id":""}', "$.sensor_id: expected a string that is not empty"),
        (b'{"command":"ack","command":"ack","sensor_id":"a"}', "$.command: expected this key once"),
        (
            b'{"command":"ack","sensor_id":"a","version":true}',
            "$.version: expected a whole number",
        ),
        (
            b'{"command":"ack","sensor_id":"a","from_offset":-1}',
            "$.from_offset: expected at least 0",
        ),
        (
            b'{"command":"mute","sensor_id":"a","until":"tomorrow"}',
            "$.until: expected an RFC 3339 time with a zone, or Unix seconds",
        ),
        (
            b'{"command":"explode","sensor_id":"a"}',
            "$.command: expected one of 'reset', 'relearn', 'promote', 'rollback', 'mute', "
            "'unmute', 'ack' or 'feedback'",
        ),
        (b'{"command":"ack","sensor_id":"a","x":NaN}', "$.x: expected a finite number"),
    ],
)
def test_a_bad_control_event_is_refused_with_its_path(raw: bytes | None, told: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode(raw, ControlEvent)
    assert str(caught.value) == told


def test_the_path_leads_into_what_is_nested() -> None:
    message: dict[str, Any] = json.loads(encode(DRIFT))
    message["change_point"]["offset"] = "x"
    with pytest.raises(InvalidMessage, match=r"^\$\.change_point\.offset: expected a whole number"):
        decode(json.dumps(message).encode(), DriftEvent)


def test_a_path_names_no_branch_of_a_union() -> None:
    message = json.loads(encode(MESSAGES[5])) | {"prediction": []}
    with pytest.raises(InvalidMessage) as caught:
        decode(json.dumps(message).encode(), Prediction)
    assert caught.value.path == "$.prediction"


def test_messages_are_frozen() -> None:
    with pytest.raises(ValidationError):
        DRIFT.kind = "warning"  # type: ignore[misc]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"value": 1.0, "features": {"t": 1.0}},
        {"features": None},
        {"features": {}},
        {"value": float("nan")},
        {"value": "1"},
        {"value": 1.0, "event_id": None},
        {"value": 1.0, "event_id": ""},
        {"features": {f"f{n}": 1.0 for n in range(257)}},
    ],
)
def test_the_model_of_a_sensor_event_refuses_what_the_decoder_refuses(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        SensorEvent.model_validate({"sensor_id": "a", "ts": 0} | fields)


def test_a_drift_event_is_a_cloud_event_in_binary_mode() -> None:
    drift = DRIFT.model_copy(update={"sensor_id": "Öfen"})
    assert cloud_event_headers(drift) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"f" * 32),
        ("ce_type", b"driftline.drift.v1"),
        ("ce_source", b"/driftline.sensors/2"),
        ("ce_subject", "Öfen".encode()),
        ("ce_time", b"2026-01-05T12:00:00Z"),
        ("content-type", b"application/json"),
    ]
