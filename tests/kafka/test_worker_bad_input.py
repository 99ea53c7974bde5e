"""Bad records end to end: a dead letter with its reason, neighbours scored, the worker alive."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from confluent_kafka import Message, Producer

from streams.inspection import show
from tests.deployment import Deployment

SENSOR = "spoilt-1"
TS = 1_767_614_400
HEADERS: list[tuple[str, bytes | None]] = [("trace", b"\x00\xff"), ("empty", None), ("trace", b"2")]
GOOD = 100


def valued(literal: str) -> bytes:
    return f'{{"sensor_id":"{SENSOR}","ts":{TS},"value":{literal}}}'.encode()


def event(**fields: object) -> bytes:
    return json.dumps({"sensor_id": SENSOR, "ts": TS, "value": 1.0} | fields).encode()


BAD: dict[str, tuple[bytes | None, str]] = {
    "NaN": (valued("NaN"), "$.value: expected a finite number"),
    "Infinity": (valued("Infinity"), "$.value: expected a finite number"),
    "minus Infinity": (valued("-Infinity"), "$.value: expected a finite number"),
    "1e999": (valued("1e999"), "$.value: expected a finite number"),
    "a string for a number": (valued('"21.4"'), "$.value: expected a finite number"),
    "a boolean for a number": (valued("true"), "$.value: expected a finite number"),
    "a key twice": (
        f'{{"sensor_id":"{SENSOR}","ts":{TS},"value":1,"value":2}}'.encode(),
        "$.value: expected this key once",
    ),
    "a feature twice": (
        f'{{"sensor_id":"{SENSOR}","ts":{TS},"features":{{"t":1,"t":2}}}}'.encode(),
        "$.features.t: expected this key once",
    ),
    "neither value nor features": (
        f'{{"sensor_id":"{SENSOR}","ts":{TS}}}'.encode(),
        "$: expected one of value and features",
    ),
    "both value and features": (
        event(features={"t": 1}),
        "$: expected one of value and features",
    ),
    "257 features": (
        json.dumps(
            {"sensor_id": SENSOR, "ts": TS, "features": {f"f{n}": n for n in range(257)}}
        ).encode(),
        "$.features: expected an object of 1 to 256 features",
    ),
    "a boolean feature": (
        f'{{"sensor_id":"{SENSOR}","ts":{TS},"features":{{"t":true}}}}'.encode(),
        "$.features.t: expected a finite number, a string or null",
    ),
    "a time without a zone": (event(ts="2026-01-05T12:00:00"), "$.ts: expected"),
    "a time in words": (event(ts="yesterday"), "$.ts: expected"),
    "a time in milliseconds": (event(ts=TS * 1000), "$.ts: expected"),
    "no time": (f'{{"sensor_id":"{SENSOR}","value":1}}'.encode(), "$.ts: expected"),
    "an empty id": (event(sensor_id=""), "$.sensor_id: expected a string of 1 to 200 characters"),
    "an id of 201 characters": (
        event(sensor_id="x" * 201),
        "$.sensor_id: expected a string of 1 to 200 characters",
    ),
    "a number for an id": (event(sensor_id=7), "$.sensor_id: expected a string"),
    "a tombstone": (None, "$: expected one JSON object"),
    "no bytes": (b"", "$: expected one JSON object"),
    "truncated bytes": (valued("1")[:-9], "$: expected one JSON object"),
    "no UTF-8": (valued('"?"').replace(b"?", b"\xff"), "$: expected text"),
    "two objects": (valued("1") + valued("2"), "$: expected one JSON object"),
    "an array": (b"[1]", "$: expected one JSON object"),
    "very deep nesting": (b"[" * 100_000, "$: expected nothing nested"),
    "1 MB of JSON": (valued('"' + "9" * 990_000 + '"'), "$.value: expected a finite number"),
}


@dataclass
class Sent:
    """What was produced, by the name of the case: partition, offset and Kafka timestamp."""

    keys: dict[str, bytes | None] = field(default_factory=dict)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    timestamps: dict[str, int] = field(default_factory=dict)
    letters: dict[tuple[int, int], list[Message]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def sent(at_work: Deployment) -> Sent:
    """Every bad record between good neighbours, produced, and what the worker made of them."""
    sent = Sent()
    settings = at_work.settings
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "partitioner": "murmur2_random",
            "message.max.bytes": 2_000_000,
            "log_level": 0,
        }
    )
    topic = settings.topic("sensors")

    def delivered(name: str, message: Message) -> None:
        sent.places[name] = (message.partition() or 0, message.offset() or 0)

    for number in range(GOOD):
        good = event(ts=TS + number, value=20.0 + number % 3)
        producer.produce(topic, key=SENSOR.encode(), value=good)
        if number >= len(BAD):
            continue
        name = list(BAD)[number]
        sent.keys[name] = None if number % 5 == 0 else SENSOR.encode()
        sent.timestamps[name] = 1_600_000_000_000 + number
        producer.produce(
            topic,
            key=sent.keys[name],
            value=BAD[name][0],
            headers=HEADERS if number % 2 else None,
            timestamp=sent.timestamps[name],
            on_delivery=lambda error, message, name=name: delivered(name, message),
        )
    assert producer.flush(30.0) == 0
    assert len(BAD) < GOOD
    at_work.wait_until_done(topics=("sensors",))
    for letter in at_work.read("dead-letters"):
        headers = dict(letter.headers() or ())
        if headers["__connect.errors.topic"] == topic.encode():
            place = (
                int(headers["__connect.errors.partition"] or b""),
                int(headers["__connect.errors.offset"] or b""),
            )
            sent.letters.setdefault(place, []).append(letter)
    return sent


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_is_one_dead_letter_with_its_reason_and_otherwise_as_it_was(
    sent: Sent, case: str
) -> None:
    value, reason = BAD[case]
    (letter,) = sent.letters[sent.places[case]]
    assert letter.value() == value
    assert letter.key() == sent.keys[case]
    assert letter.timestamp()[1] == sent.timestamps[case]
    headers = list(letter.headers() or ())
    original = HEADERS if list(BAD).index(case) % 2 else []
    assert headers[: len(original)] == original
    added = dict(headers[len(original) :])
    assert added["__connect.errors.exception.message"].decode().startswith(reason)
    assert added["__connect.errors.stage"] == b"decode"
    assert added["__connect.errors.exception.class.name"] == b"schemas.errors.InvalidMessage"
    assert set(added) == {
        f"__connect.errors.{name}"
        for name in (
            "topic",
            "partition",
            "offset",
            "stage",
            "exception.class.name",
            "exception.message",
        )
    }


def test_the_good_neighbours_are_all_scored(at_work: Deployment, sent: Sent) -> None:
    shown = show(at_work.settings, SENSOR)
    assert shown is not None
    assert shown["events"] == GOOD


def test_nothing_else_became_a_dead_letter(sent: Sent) -> None:
    assert set(sent.letters) == set(sent.places.values())


def test_a_bad_label_and_a_bad_command_are_dead_letters_of_their_own_topics(
    at_work: Deployment,
) -> None:
    at_work.produce("labels", b'{"sensor_id":"oven-bad","event_id":"1","ts":0,"label":null}')
    at_work.produce("control", b'{"command":"explode","sensor_id":"oven-bad"}')
    at_work.wait_until_done()
    found = {}
    for letter in at_work.read("dead-letters"):
        headers = dict(letter.headers() or ())
        source = (headers["__connect.errors.topic"] or b"").decode()
        found[source] = (headers["__connect.errors.exception.message"] or b"").decode()
    assert found[at_work.settings.topic("labels")].startswith("$.label: expected")
    assert found[at_work.settings.topic("control")].startswith("$.command: expected")


def test_extreme_numbers_are_scored_and_poison_nothing_afterwards(at_work: Deployment) -> None:
    name = "extreme-1"
    extremes = ["1" + "0" * 29, "1e308", "-1e308", "1e308", "4.9e-324"]
    literals = ["20.0", "21.0"] * 100 + extremes + ["20.0", "21.0"] * 200
    at_work.produce(
        "sensors",
        *(
            {"sensor_id": name, "ts": TS + number, "value": float(literal)}
            for number, literal in enumerate(literals)
        ),
    )
    at_work.wait_until_done(topics=("sensors",))
    predictions = [p for p in at_work.values("predictions") if p["sensor_id"] == name]
    assert len(predictions) == len(literals)
    # Long after, its forecasts are where the values are.
    assert all(15.0 < p["prediction"] < 26.0 for p in predictions[-20:])
    shown = show(at_work.settings, name)
    assert shown is not None
    assert shown["events"] == len(literals)
    assert 0.0 <= shown["model"]["error"] < 10.0


def test_a_value_that_never_changes_for_days_is_scored_without_an_alarm(
    at_work: Deployment,
) -> None:
    name = "constant-1"
    at_work.produce(
        "sensors",
        *({"sensor_id": name, "ts": TS + 60 * n, "value": 7.25} for n in range(4_000)),
    )
    at_work.wait_until_done(topics=("sensors",))
    shown = show(at_work.settings, name)
    assert shown is not None
    assert shown["events"] == 4_000
    assert [d for d in at_work.values("alerts") if d["sensor_id"] == name] == []
