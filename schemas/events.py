"""The messages of Driftline, one model each, as they stand on Kafka.

Times are int microseconds in Python and RFC 3339 text in JSON (see `schemas.timestamps`); a number
in JSON is Unix seconds. Fields are written in the order in which they are declared here. Unknown
fields are left out when a message is read.

Two families: what Driftline reads from others (`SensorEvent`, `LabelEvent`, `ControlEvent`) writes
only the fields that were given; what Driftline writes always has all its keys, null where there is
nothing to say.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.timestamps import MAX_US, MIN_US, format_timestamp, parse_timestamp

__all__ = [
    "MAX_FEATURES",
    "MAX_ID_LENGTH",
    "MAX_MEMBERS",
    "Action",
    "Adaptation",
    "ChangePoint",
    "Command",
    "ControlEvent",
    "Diagnosis",
    "Direction",
    "DriftEvent",
    "Evidence",
    "Kind",
    "LabelEvent",
    "LabelValue",
    "Message",
    "ModelRecord",
    "ModelRef",
    "Prediction",
    "RetrainRequest",
    "SensorEvent",
    "Severity",
    "SourceRange",
    "SourceRef",
    "Stage",
    "Statistics",
    "Timestamp",
]

MAX_ID_LENGTH: Final = 200
"""Characters in a sensor id, an event id or the name of a feature."""
MAX_FEATURES: Final = 256
"""Features in one sensor event."""
MAX_MEMBERS: Final = 100
"""Sensors that a fleet's drift event names; it counts all of them."""

Kind = Literal["warning", "drift", "recovered"]
Direction = Literal["up", "down", "none"]
Diagnosis = Literal["upstream", "data", "prior", "concept"]
Severity = Literal["low", "medium", "high"]
Command = Literal["reset", "relearn", "promote", "rollback", "mute", "unmute", "ack", "feedback"]
Action = Literal["reset", "relearn", "retrain", "promote", "rollback", "reject", "evict", "loosen"]
Stage = Literal["candidate", "production", "archived", "rejected"]


def _read_time(value: object, info: ValidationInfo) -> object:
    if info.mode != "json" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str | int | float):
        try:
            return parse_timestamp(value)
        except ValueError as error:
            raise PydanticCustomError(
                "timestamp", "expected {phrase}", {"phrase": str(error)}
            ) from None
    return value


def _no_lone_surrogate(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PydanticCustomError("surrogate", "expected text without lone surrogates") from None
    return text


def _null_unless_finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# A validator may take `format` as a remark only.
_RFC_3339: Final = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?"
    "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)

Timestamp = Annotated[
    int,
    Field(ge=MIN_US, le=MAX_US),
    BeforeValidator(_read_time),
    PlainSerializer(format_timestamp, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time", "pattern": _RFC_3339},
                {"type": "number", "minimum": MIN_US / 1e6, "maximum": (MAX_US + 1) / 1e6},
            ],
            "description": "RFC 3339 with a zone, or Unix seconds",
        },
        mode="validation",
    ),
]
Text = Annotated[str, AfterValidator(_no_lone_surrogate)]
Id = Annotated[
    str, Field(min_length=1, max_length=MAX_ID_LENGTH), AfterValidator(_no_lone_surrogate)
]
Offset = Annotated[int, Field(ge=0)]
FiniteOrNull = Annotated[float | None, BeforeValidator(_null_unless_finite)]
"""What can't be said in JSON (an overflow in a statistic) is said as null."""
LabelValue = bool | int | float | Text


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        allow_inf_nan=False,
        validate_by_name=True,
        serialize_by_alias=True,
    )


class Message(_Frozen):
    """Base of what is one record on a topic: one JSON object."""


class _Given(Message):
    """A message of others: only the fields that were given are written."""


def _value_or_features(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": ["value"]}, {"required": ["features"]}]
    for name, field in schema["properties"].items():
        field.pop("default", None)
        if name in ("features", "event_id"):
            # may be left out, but not null
            field.update(field.pop("anyOf")[0])


class SensorEvent(_Given):
    """One reading of one sensor, on ``<prefix>.sensors``; the Kafka key is the sensor id."""

    model_config = ConfigDict(json_schema_extra=_value_or_features)

    sensor_id: Id
    event_id: Id | None = None
    ts: Timestamp
    value: float | None = None
    features: (
        Annotated[dict[Id, float | Text | None], Field(min_length=1, max_length=MAX_FEATURES)]
        | None
    ) = None

    @model_validator(mode="after")
    def _one_of_value_and_features(self) -> Self:
        given = self.model_fields_set
        if ("value" in given) == ("features" in given):
            raise PydanticCustomError("shape", "expected one of value and features")
        for name in ("features", "event_id"):
            if name in given and getattr(self, name) is None:
                raise PydanticCustomError("shape", "expected no null in {name}", {"name": name})
        return self


class LabelEvent(_Given):
    """The truth about one sensor event, on ``<prefix>.labels``, before or after that event."""

    sensor_id: Id
    event_id: Id
    ts: Timestamp
    label: LabelValue


class ControlEvent(_Given):
    """A command to the owner of a sensor's partition, on ``<prefix>.control``."""

    command: Command
    sensor_id: Id
    ts: Timestamp | None = None
    drift_event_id: str | None = None
    episode_id: str | None = None
    alert_id: str | None = None
    rule: str | None = None
    reason: str | None = None
    version: int | None = None
    until: Timestamp | None = None
    """For ``mute``: when it ends by itself."""
    from_offset: Offset | None = None
    """For ``relearn``: the first sensor event of the new behaviour."""
    verdict: Literal["false_alarm"] | None = None
    """For ``feedback``: what the drift event turned out to be."""
    signal: str | None = None
    """For ``feedback``: the signal of the drift event."""
    by: str | None = None
    """Who says so."""


class ChangePoint(_Frozen):
    """Where the change most likely began."""

    ts: Timestamp | None
    offset: Offset | None


class Statistics(_Frozen):
    """A stretch of a signal: how many values, their mean and standard deviation."""

    n: int | None
    mean: FiniteOrNull
    std: FiniteOrNull


class ModelRef(_Frozen):
    """One version of one model."""

    name: str | None
    version: int | None


class SourceRef(_Frozen):
    """The Kafka record that an event is about."""

    topic: str
    partition: Offset
    offset: Offset


class SourceRange(_Frozen):
    """A stretch of one partition: from ``from_offset`` up to, not including, ``to_offset``."""

    topic: str
    partition: Offset
    from_offset: Offset
    to_offset: Offset


class Evidence(_Frozen):
    """How far one input, the labels, the error or another signal has moved."""

    subject: Literal["value", "feature", "error", "label", "prediction", "missing"]
    name: str | None
    """Of the feature, or of the class; null for the signal as a whole."""
    method: Literal["histogram", "categories", "normal"]
    """Counted, or taken from mean and standard deviation of normal distributions."""
    moved: bool
    first_moved: bool
    """Of the inputs that have moved, the one that did so first."""
    change_point: ChangePoint | None
    reference_n: int
    recent_n: int
    shift: FiniteOrNull
    """Of the mean, in standard deviations of the reference."""
    psi: FiniteOrNull
    ks: FiniteOrNull
    jensen_shannon: FiniteOrNull
    wasserstein: FiniteOrNull
    """In standard deviations of the reference."""


class DriftEvent(Message):
    """What was found in one signal of one sensor, on ``<prefix>.alerts``."""

    # What came later has a default: events without them can still be read.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    sensor_id: Id
    ts: Timestamp
    kind: Kind
    detector: str
    signal: str
    direction: Direction
    diagnosis: Diagnosis
    severity: Severity
    episode_id: str
    score: FiniteOrNull
    threshold: FiniteOrNull
    change_point: ChangePoint | None
    before: Statistics | None
    after: Statistics | None
    model: ModelRef | None
    source: SourceRef
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=10)] = ()
    """What speaks for it, the farthest moved first."""
    members: Annotated[list[Id], Field(max_length=MAX_MEMBERS)] | None = None
    """Of a fleet's drift event: the first of the sensors that changed at once."""
    member_count: int | None = None
    """How many changed."""


class Prediction(Message):
    """What the model expected of one event before it knew the label, on ``.predictions``."""

    sensor_id: Id
    event_id: Id
    ts: Timestamp
    prediction: LabelValue | None
    model: ModelRef
    source: SourceRef


class Adaptation(Message):
    """One step taken because of drift, by hand or for want of room, on ``<prefix>.adaptations``."""

    id: str
    ts: Timestamp
    sensor_id: Id
    action: Action
    rule: str | None
    drift_event_id: str | None
    model_before: ModelRef | None
    model_after: ModelRef | None
    reason: str | None


class RetrainRequest(Message):
    """A request to fit a model anew on an exact range of source records, on ``.retrain``."""

    id: str
    ts: Timestamp
    sensor_id: Id | None
    model: str | None
    reason: str | None
    drift_event_id: str | None
    range: SourceRange


class ModelRecord(Message):
    """One version of a model, on the compacted topic ``<prefix>.models``."""

    name: str
    version: int
    stage: Stage
    sensor_id: Id | None
    ts: Timestamp
    metrics: dict[str, float | int | None]
    training_range: SourceRange | None
    digest: str | None
    """SHA-256 of the artifact's bytes, in hex."""
    artifact: str | None
    """The signed snapshot, in base64; null where it lies elsewhere."""
    reason: str | None
    drift_event_id: str | None
    request_id: str | None


MESSAGES: Final[dict[str, type[Message]]] = {
    "sensors": SensorEvent,
    "labels": LabelEvent,
    "control": ControlEvent,
    "alerts": DriftEvent,
    "predictions": Prediction,
    "adaptations": Adaptation,
    "retrain": RetrainRequest,
    "models": ModelRecord,
}
"""The message on each topic, by the last part of the topic's name."""


def dump(message: Message) -> dict[str, Any]:
    """The message as JSON-ready Python objects, in the order and with the keys of the wire."""
    return message.model_dump(mode="json", exclude_unset=isinstance(message, _Given))
