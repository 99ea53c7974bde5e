"""Bytes from Kafka to events and back.

One meaning: a strict, plain decoder (JSON as in RFC 8259, no doubled key at any depth, no NaN,
numbers of any length as the nearest double), then the checks of each field. Whatever it refuses
raises `InvalidMessage` with the path of what is wrong and what was expected there.

Messages of the plain shape take a shorter way: msgspec decodes them, and a count of the quotation
marks proves that it saw every string there is, so no key was doubled or unknown. What that can't
prove goes to the plain decoder. Both ways agree on every input; the tests hold them to it.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Annotated, Any, Final, TypeVar

import msgspec
from pydantic import ValidationError

from schemas.errors import InvalidMessage
from schemas.events import (
    MAX_FEATURES,
    MAX_ID_LENGTH,
    DriftEvent,
    LabelEvent,
    Message,
    SensorEvent,
    dump,
)
from schemas.explain import json_path, phrase, real_location
from schemas.timestamps import format_timestamp, parse_timestamp

__all__ = [
    "Label",
    "Reading",
    "cloud_event_headers",
    "decode",
    "decode_label",
    "decode_reading",
    "encode",
]

M = TypeVar("M", bound=Message)

_DEEPEST: Final = 100
_BACKSLASH: Final = 92
_QUOTE: Final = 34
_LARGEST_INT: Final = 2**64 - 1
_SMALLEST_INT: Final = -(2**63)

_OBJECT: Final = "one JSON object"
_UTF_8: Final = "text in UTF-8"
_NOT_SO_DEEP: Final = f"nothing nested more than {_DEEPEST} levels deep"
_ONCE: Final = "this key once"
_ID: Final = f"a string of 1 to {MAX_ID_LENGTH} characters"
_FINITE: Final = "a finite number"
_FEATURE: Final = "a finite number, a string or null"
_FEATURES: Final = f"an object of 1 to {MAX_FEATURES} features"
_FEATURE_NAME: Final = f"a name of 1 to {MAX_ID_LENGTH} characters"
_ONE_OF: Final = "one of value and features"
_LABEL: Final = "a finite number, a string or true or false"
_WHOLE_TEXT: Final = "text without lone surrogates"


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One sensor event.

    Attributes
    ----------
    sensor_id
        1 to 200 characters.
    ts
        Microseconds since 1970-01-01T00:00:00Z.
    value
        The reading, finite; None if it is missing, and in an event with features.
    features
        1 to 256 names, each with a finite number, a string, or None if that reading is missing.
        None for an event with a value.
    event_id
        As given, or None.
    """

    sensor_id: str
    ts: int
    value: float | None = None
    features: dict[str, float | str | None] | None = None
    event_id: str | None = None


class Label(msgspec.Struct, frozen=True, gc=False):
    """One label event: the truth about the sensor event of this id.

    A number is kept as it was written: ``1`` is an int, ``1.0`` a float. Integers that don't fit
    into 64 bits are the nearest double.
    """

    sensor_id: str
    event_id: str
    ts: int
    label: bool | int | float | str


def decode_reading(raw: bytes | None) -> Reading:
    """Decode the value of a record on the sensors topic.

    Parameters
    ----------
    raw
        The record's value; None for a tombstone.

    Raises
    ------
    InvalidMessage
        With the path of what is wrong and what was expected there.

    Examples
    --------
    >>> decode_reading(b'{"sensor_id":"press-7","ts":"2026-01-05T12:00:00.250Z","value":21.4}')
    Reading(sensor_id='press-7', ts=1767614400250000, value=21.4, features=None, event_id=None)
    """
    if raw is None:
        raise InvalidMessage("$", _OBJECT)
    try:
        wire = _decode_wire_reading(raw)
        ts = wire.ts
        features = wire.features
        # Only what is surely there is counted, so a field too many makes the sums differ.
        quotes = 10 if type(ts) is str else 8
        if wire.event_id is not None:
            quotes += 4
        if features is None:
            value = wire.value
        else:
            value = None
            quotes += 2 * len(features)
            for feature in features.values():
                if type(feature) is str:
                    quotes += 2
        if value is not _UNSET and raw.count(_QUOTE) == quotes and _BACKSLASH not in raw:
            return Reading(wire.sensor_id, parse_timestamp(ts), value, features, wire.event_id)
    except _NOT_PLAIN:
        pass
    return _plain_reading(raw)


def decode_label(raw: bytes | None) -> Label:
    """Decode the value of a record on the labels topic.

    Raises
    ------
    InvalidMessage
        With the path of what is wrong and what was expected there.
    """
    if raw is None:
        raise InvalidMessage("$", _OBJECT)
    try:
        wire = _decode_wire_label(raw)
        label = wire.label
        strings = 6 + (type(wire.ts) is str) + (type(label) is str)
        fits = type(label) is not int or _SMALLEST_INT <= label <= _LARGEST_INT
        if fits and raw.count(_QUOTE) == 2 * strings and _BACKSLASH not in raw:
            return Label(wire.sensor_id, wire.event_id, parse_timestamp(wire.ts), label)
    except _NOT_PLAIN:
        pass
    return _plain_label(raw)


def decode(raw: bytes | None, model: type[M]) -> M:
    """Decode any message into its pydantic model.

    Parameters
    ----------
    raw
        The record's value; None for a tombstone.
    model
        One of the models in `schemas.events`.

    Raises
    ------
    InvalidMessage
        With the path of what is wrong and what was expected there.
    """
    if model is SensorEvent:
        return model.model_validate(_given(decode_reading(raw)))
    if model is LabelEvent:
        return model.model_validate(msgspec.structs.asdict(decode_label(raw)))
    tree = _plain_object(raw)
    try:
        return model.model_validate_json(raw or b"")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = json_path(real_location(first["loc"], tree))
        raise InvalidMessage(path, phrase(first)) from None


def encode(message: Message) -> bytes:
    """Encode a message as compact JSON, its fields in declared order."""
    return msgspec.json.encode(dump(message))


def cloud_event_headers(drift: DriftEvent) -> list[tuple[str, bytes]]:
    """Headers of a drift event: CloudEvents 1.0, Kafka protocol binding, binary mode (3.2)."""
    source = f"/{drift.source.topic}/{drift.source.partition}"
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", drift.id.encode()),
        ("ce_type", b"driftline.drift.v1"),
        ("ce_source", source.encode()),
        ("ce_subject", drift.sensor_id.encode()),
        ("ce_time", format_timestamp(drift.ts).encode()),
        ("content-type", b"application/json"),
    ]


# The plain shape.

_UNSET: Final = msgspec.UNSET
_IdText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]


class _WireReading(msgspec.Struct, gc=False):
    sensor_id: _IdText
    ts: str | int | float
    value: float | msgspec.UnsetType | None = _UNSET
    features: (
        Annotated[
            dict[_IdText, float | str | None], msgspec.Meta(min_length=1, max_length=MAX_FEATURES)
        ]
        | None
    ) = None
    event_id: _IdText | None = None


class _WireLabel(msgspec.Struct, gc=False):
    sensor_id: _IdText
    event_id: _IdText
    ts: str | int | float
    label: bool | int | float | str


# Why a message is not of the plain shape does not matter: the plain decoder says it better.
_NOT_PLAIN: Final = (msgspec.MsgspecError, ValueError, RecursionError)
_decode_wire_reading: Final = msgspec.json.Decoder(_WireReading).decode
_decode_wire_label: Final = msgspec.json.Decoder(_WireLabel).decode


# Any shape.


class _NotStrict(Exception):
    """A doubled key or a constant that JSON does not have; where, a second look tells."""


class _Doubled(dict[str, Any]):
    """An object in which ``key`` stands twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


class _Constant:
    """NaN, Infinity or -Infinity."""

    def __init__(self, name: str) -> None:
        self.name = name


def _integer(text: str) -> int | float:
    if len(text) <= 20:
        number = int(text)
        if _SMALLEST_INT <= number <= _LARGEST_INT:
            return number
    return float(text)


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotStrict
    return found


def _strict_constant(name: str) -> Any:
    raise _NotStrict


def _marked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(pairs)


_STRICT: Final = json.JSONDecoder(
    object_pairs_hook=_strict_object, parse_int=_integer, parse_constant=_strict_constant
)
_MARKING: Final = json.JSONDecoder(
    object_pairs_hook=_marked_object, parse_int=_integer, parse_constant=_Constant
)


def _plain_object(raw: bytes | None) -> dict[str, Any]:
    """Decode one JSON object, strictly."""
    if raw is None or not raw:
        raise InvalidMessage("$", _OBJECT)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidMessage("$", _UTF_8) from None
    try:
        tree = _STRICT.decode(text)
    except _NotStrict:
        raise _what_is_not_strict(text) from None
    except RecursionError:
        raise InvalidMessage("$", _NOT_SO_DEEP) from None
    except ValueError:
        raise InvalidMessage("$", _OBJECT) from None
    if type(tree) is not dict:
        raise InvalidMessage("$", _OBJECT)
    if text.count("{") + text.count("[") > _DEEPEST and _is_deep(tree):
        raise InvalidMessage("$", _NOT_SO_DEEP)
    return tree


def _what_is_not_strict(text: str) -> InvalidMessage:
    """Say what is not allowed in a text that may be JSON otherwise, and where it stands."""
    try:
        pending: list[tuple[list[int | str], Any]] = [([], _MARKING.decode(text))]
    except (ValueError, RecursionError):
        return InvalidMessage("$", _OBJECT)
    while pending:
        location, node = pending.pop()
        if isinstance(node, _Constant):
            return InvalidMessage(json_path(location), _FINITE)
        if isinstance(node, _Doubled):
            return InvalidMessage(json_path([*location, node.key]), _ONCE)
        if len(location) > _DEEPEST:
            return InvalidMessage("$", _NOT_SO_DEEP)
        if isinstance(node, dict):
            pending += [([*location, key], child) for key, child in node.items()]
        elif isinstance(node, list):
            pending += [([*location, at], child) for at, child in enumerate(node)]
    return InvalidMessage("$", _OBJECT)


def _is_deep(tree: object) -> bool:
    """Tell whether a tree is nested more deeply than is allowed."""
    level = [tree]
    for _ in range(_DEEPEST):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)  # type: ignore[attr-defined]
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _plain_reading(raw: bytes | None) -> Reading:
    """Decode any sensor event, with the path of what is wrong."""
    tree = _plain_object(raw)
    sensor_id = _id(tree, "sensor_id")
    ts = _ts(tree)
    event_id = _id(tree, "event_id") if "event_id" in tree else None
    if ("value" in tree) == ("features" in tree):
        raise InvalidMessage("$", _ONE_OF)
    if "value" in tree:
        value = tree["value"]
        if value is not None and not _is_finite(value):
            raise InvalidMessage("$.value", _FINITE)
        return Reading(sensor_id, ts, None if value is None else float(value), None, event_id)
    return Reading(sensor_id, ts, None, _features(tree["features"]), event_id)


def _features(given: object) -> dict[str, float | str | None]:
    if type(given) is not dict or not 1 <= len(given) <= MAX_FEATURES:
        raise InvalidMessage("$.features", _FEATURES)
    features: dict[str, float | str | None] = {}
    for name, feature in given.items():
        if not 1 <= len(name) <= MAX_ID_LENGTH or not _is_whole(name):
            raise InvalidMessage(json_path(["features", name]), _FEATURE_NAME)
        if feature is None:
            features[name] = None
        elif type(feature) is str:
            if not _is_whole(feature):
                raise InvalidMessage(json_path(["features", name]), _WHOLE_TEXT)
            features[name] = feature
        elif _is_finite(feature):
            features[name] = float(feature)
        else:
            raise InvalidMessage(json_path(["features", name]), _FEATURE)
    return features


def _plain_label(raw: bytes | None) -> Label:
    """Decode any label event, with the path of what is wrong."""
    tree = _plain_object(raw)
    sensor_id = _id(tree, "sensor_id")
    event_id = _id(tree, "event_id")
    ts = _ts(tree)
    label = tree.get("label")
    if type(label) is str:
        if not _is_whole(label):
            raise InvalidMessage("$.label", _WHOLE_TEXT)
    elif type(label) is not bool and not _is_finite(label):
        raise InvalidMessage("$.label", _LABEL)
    return Label(sensor_id, event_id, ts, label)  # type: ignore[arg-type]


def _id(tree: dict[str, Any], name: str) -> str:
    text = tree.get(name)
    if type(text) is not str or not 1 <= len(text) <= MAX_ID_LENGTH:
        raise InvalidMessage(f"$.{name}", _ID)
    if not _is_whole(text):
        raise InvalidMessage(f"$.{name}", _WHOLE_TEXT)
    return text


def _ts(tree: dict[str, Any]) -> int:
    try:
        return parse_timestamp(tree.get("ts"))  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidMessage("$.ts", str(error)) from None


def _is_finite(value: object) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def _is_whole(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _given(reading: Reading) -> dict[str, Any]:
    fields = msgspec.structs.asdict(reading)
    if reading.event_id is None:
        del fields["event_id"]
    del fields["features" if reading.features is None else "value"]
    return fields
