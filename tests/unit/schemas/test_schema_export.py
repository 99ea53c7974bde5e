"""What other programs get to read: JSON Schema and AsyncAPI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.codec import decode_reading, encode
from schemas.errors import ConfigurationError, InvalidMessage
from schemas.events import MESSAGES as MODELS
from schemas.export import asyncapi, export_schemas, json_schema
from schemas.settings import Settings, Topics


@pytest.mark.parametrize("topic", MODELS)
def test_each_schema_is_a_valid_json_schema(topic: str) -> None:
    Draft202012Validator.check_schema(json_schema(topic))


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"value": 1}, True),
        ({"value": None}, True),
        ({"value": 1, "unknown": {}}, True),
        ({"features": {"t": 1, "g": "A", "p": None}}, True),
        ({"value": 1, "event_id": "e"}, True),
        ({"value": 1, "ts": 1767614400.25}, True),
        ({}, False),
        ({"value": 1, "features": {"t": 1}}, False),
        ({"value": "1"}, False),
        ({"value": True}, False),
        ({"features": {}}, False),
        ({"features": None}, False),
        ({"features": {"t": []}}, False),
        ({"features": {"": 1}}, False),
        ({"features": {f"f{n}": 1 for n in range(257)}}, False),
        ({"value": 1, "sensor_id": ""}, False),
        ({"value": 1, "sensor_id": "x" * 201}, False),
        ({"value": 1, "event_id": None}, False),
        ({"value": 1, "ts": None}, False),
        ({"value": 1, "ts": "2026-01-05 12:00:00.5+01:00"}, True),
        ({"value": 1, "ts": "2026-01-05T12:00:00"}, False),
        ({"value": 1, "ts": "yesterday"}, False),
        ({"value": 1, "ts": "2026-13-05T12:00:00Z"}, False),
        ({"value": 1, "ts": 1767614400250}, False),
    ],
)
def test_the_schema_of_a_sensor_event_accepts_what_the_decoder_accepts(
    fields: dict[str, Any], right: bool
) -> None:
    event = {"sensor_id": "a", "ts": "2026-01-05T12:00:00Z"} | fields
    assert Draft202012Validator(json_schema("sensors")).is_valid(event) is right
    try:
        decode_reading(json.dumps(event).encode())
    except InvalidMessage:
        assert not right
    else:
        assert right


def test_a_drift_event_fits_its_schema() -> None:
    drift = MODELS["alerts"].model_validate_json(
        b'{"id":"i","sensor_id":"s","ts":0,"kind":"drift","detector":"adwin","signal":"value",'
        b'"direction":"up","diagnosis":"data","severity":"low","episode_id":"e","score":null,'
        b'"threshold":null,"change_point":{"ts":0,"offset":1},"before":null,"after":null,'
        b'"model":null,"source":{"topic":"t","partition":0,"offset":1}}'
    )
    written = json.loads(encode(drift))
    validator = Draft202012Validator(json_schema("alerts"))
    validator.validate(written)
    for key in written:
        assert not validator.is_valid({k: v for k, v in written.items() if k != key})


def test_export_writes_a_schema_for_each_message_and_an_asyncapi_document(tmp_path: Path) -> None:
    paths = export_schemas(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [
        "sensor-event.schema.json",
        "label-event.schema.json",
        "control-event.schema.json",
        "drift-event.schema.json",
        "prediction.schema.json",
        "adaptation.schema.json",
        "retrain-request.schema.json",
        "model-record.schema.json",
        "asyncapi.json",
    ]
    for path in paths:
        json.loads(path.read_text("utf-8"))
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in export_schemas(tmp_path / "new" / "folder")] == before


def test_export_into_what_is_no_directory_says_so_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigurationError, match="a directory that can be written to"):
        export_schemas(file)


def references(node: object) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    found = list(references(document))
    assert found
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_the_asyncapi_document_names_the_topics_as_they_are_configured() -> None:
    document = asyncapi(Settings(topics=Topics(prefix="plant")))
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert "plant.sensors" in addresses
    assert "plant.dead-letters" in addresses
    assert document["asyncapi"] == "3.0.0"
