"""The messages for other programs: a JSON Schema each, and an AsyncAPI document of the topics."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

from schemas.dead_letter import HEADERS
from schemas.errors import ConfigurationError
from schemas.events import MESSAGES, DriftEvent, Message
from schemas.settings import Settings, Topics

__all__ = ["asyncapi", "export_schemas", "json_schema"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_READ: Final = ("sensors", "labels", "control")
_CLOUD_EVENT: Final = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka protocol binding, binary content mode",
    "required": [
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_subject",
        "ce_time",
        "content-type",
    ],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "description": "the drift event's id"},
        "ce_type": {"const": "driftline.drift.v1"},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_subject": {"type": "string", "description": "the sensor id"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"const": "application/json"},
    },
}


def json_schema(topic: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of the messages on a topic, named by its last part: ``sensors``.

    What Driftline reads is described as what it accepts, what it writes as what it writes.
    """
    return {"$schema": _DIALECT, **_schema(topic, "#/$defs/{model}")}


def asyncapi(settings: Settings | None = None) -> dict[str, Any]:
    """AsyncAPI 3.0 document of the topics, under the names that ``settings`` gives them."""
    prefix = (Topics() if settings is None else settings.topics).prefix
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for topic, model in MESSAGES.items():
        name = model.__name__
        channels[topic] = {
            "address": f"{prefix}.{topic}",
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        }
        verb = "receive" if topic in _READ else "send"
        operations[f"{verb}-{topic}"] = {
            "action": verb,
            "channel": {"$ref": f"#/channels/{topic}"},
            "summary": _summary(model),
        }
        schema = _schema(topic, "#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
        messages[name] = {
            "name": name,
            "summary": _summary(model),
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{name}"},
        }
        if model is DriftEvent:
            messages[name]["headers"] = _CLOUD_EVENT
        if "sensor_id" in model.model_fields:
            described = {"type": "string", "description": "the sensor id"}
            messages[name]["bindings"] = {"kafka": {"key": described, "bindingVersion": "0.5.0"}}
    channels["dead-letters"] = {
        "address": f"{prefix}.dead-letters",
        "messages": {"DeadLetter": {"$ref": "#/components/messages/DeadLetter"}},
    }
    operations["send-dead-letters"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/dead-letters"},
        "summary": "Keep a record that could not be scored, with the reason in its headers.",
    }
    messages["DeadLetter"] = {
        "name": "DeadLetter",
        "summary": "A record that could not be scored: its own key, value and headers, and more.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "required": list(HEADERS),
            "properties": {name: {"type": "string"} for name in HEADERS},
        },
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Driftline",
            "version": _version(),
            "description": "Streaming drift detection for sensors on Kafka.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def export_schemas(directory: Path, settings: Settings | None = None) -> list[Path]:
    """Write ``<message>.schema.json`` for each message and ``asyncapi.json`` into a directory.

    Parameters
    ----------
    directory
        Is made if it is not there; files of the same names are replaced.
    settings
        For the topics' names; without it they have their default names.

    Returns
    -------
    list of Path
        The files, in the order of writing.

    Raises
    ------
    ConfigurationError
        If the directory can't be written to.
    """
    documents = {
        f"{_file_name(model)}.schema.json": json_schema(topic) for topic, model in MESSAGES.items()
    }
    documents["asyncapi.json"] = asyncapi(settings)
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            path = directory / name
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            written.append(path)
    except OSError as error:
        reason = (error.strerror or "not writable").lower()
        allowed = f"a directory that can be written to ({reason})"
        raise ConfigurationError("DIR", str(directory), allowed) from None
    return written


def _schema(topic: str, reference: str) -> dict[str, Any]:
    model = MESSAGES[topic]
    mode: Literal["validation", "serialization"]
    mode = "validation" if topic in _READ else "serialization"
    schema = model.model_json_schema(mode=mode, ref_template=reference)
    return {**schema, "description": _summary(model)}


def _summary(model: type[Message]) -> str:
    return (model.__doc__ or "").partition("\n")[0].replace("``", "")


def _file_name(model: type[Message]) -> str:
    name = model.__name__
    return "".join(f"-{char.lower()}" if char.isupper() else char for char in name).lstrip("-")


def _version() -> str:
    try:
        return version("driftline")
    except PackageNotFoundError:
        return "0"
