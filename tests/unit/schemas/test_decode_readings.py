"""What a record on the sensors topic may be, and what becomes of one that is not."""

from __future__ import annotations

import json
import math
import struct

import pytest

from schemas.codec import Reading, decode, decode_reading
from schemas.errors import InvalidMessage
from schemas.events import SensorEvent

NOON = 1_767_614_400_000_000


def event(**fields: object) -> bytes:
    """A good event with some fields replaced."""
    good = {"sensor_id": "press-7", "ts": "2026-01-05T12:00:00Z", "value": 21.4}
    return json.dumps(good | fields).encode()


def with_value(literal: str) -> bytes:
    """An event whose value is this JSON text."""
    return b'{"sensor_id":"press-7","ts":"2026-01-05T12:00:00Z","value":%s}' % literal.encode()


def with_features(literal: str) -> bytes:
    """An event whose features are this JSON text."""
    return b'{"sensor_id":"oven-2","ts":"2026-01-05T12:00:00Z","features":%s}' % literal.encode()


def refusal(raw: bytes | None) -> str:
    """What is said about a message that is refused."""
    with pytest.raises(InvalidMessage) as caught:
        decode_reading(raw)
    return str(caught.value)


# Good ones.


def test_the_value_event_of_the_contract() -> None:
    raw = b'{"sensor_id":"press-7","ts":"2026-01-05T12:00:00.250Z","value":21.4}'
    assert decode_reading(raw) == Reading("press-7", NOON + 250_000, 21.4, None, None)


def test_the_feature_event_of_the_contract() -> None:
    raw = (
        b'{"sensor_id":"oven-2","event_id":"b-1001","ts":1767614400.25,'
        b'"features":{"temperature":355.1,"pressure":12.2,"duration":30.4}}'
    )
    features = {"temperature": 355.1, "pressure": 12.2, "duration": 30.4}
    assert decode_reading(raw) == Reading("oven-2", NOON + 250_000, None, features, "b-1001")


def test_a_null_value_is_a_missing_reading() -> None:
    reading = decode_reading(event(value=None))
    assert reading.value is None
    assert reading.features is None


def test_a_feature_may_be_a_number_a_string_or_null() -> None:
    reading = decode_reading(with_features('{"t":1,"grade":"A","p":null}'))
    assert reading.features == {"t": 1.0, "grade": "A", "p": None}
    assert type(reading.features["t"]) is float


def test_a_whole_number_is_a_float() -> None:
    assert type(decode_reading(with_value("21")).value) is float


@pytest.mark.parametrize(
    "literal",
    [
        "123456789012345678901234567890",
        "-123456789012345678901234567890",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "1e308",
        "-1e308",
        "1.7976931348623157e308",
        "4.9e-324",
        "1e-400",
        "-0",
        "0." + "3" * 400,
        "1" + "0" * 300 + ".5",
        "21.400000000000002",
        "2.2250738585072011e-308",
    ],
)
def test_a_finite_number_of_any_length_is_the_nearest_double(literal: str) -> None:
    value = decode_reading(with_value(literal)).value
    assert value is not None
    expected = float(literal) if literal != "-0" else 0.0
    assert struct.pack("<d", value) == struct.pack("<d", expected)
    assert decode_reading(with_features(f'{{"t":{literal}}}')).features == {"t": expected}


def test_unknown_fields_are_kept_out() -> None:
    raw = event(unit="C", site={"hall": [1, {"row": None}]}, huge="x" * 1_000_000)
    assert decode_reading(raw) == Reading("press-7", NOON, 21.4, None, None)


def test_an_infinite_number_in_an_unknown_field_is_kept_out_with_it() -> None:
    raw = b'{"sensor_id":"a","ts":0,"value":1,"note":1e999}'
    assert decode_reading(raw) == Reading("a", 0, 1.0)


def test_the_order_of_fields_and_white_space_mean_nothing() -> None:
    raw = b' {\n "value" : 1 ,\t"ts" : 0,\r\n "sensor_id" : "a" } \n'
    assert decode_reading(raw) == Reading("a", 0, 1.0)


def test_escapes_and_other_scripts_are_read() -> None:
    raw = '{"sensor_id":"\\u0070ress \\ud83d\\ude00 Öfen","ts":0,"value":1}'.encode()
    assert decode_reading(raw).sensor_id == "press 😀 Öfen"


@pytest.mark.parametrize("length", [1, 200])
def test_ids_have_1_to_200_characters(length: int) -> None:
    for char in ("a", "é", "😀"):
        name = char * length
        assert decode_reading(event(sensor_id=name, event_id=name)).sensor_id == name
        raw = json.dumps({"sensor_id": name, "ts": 0, "value": 1}, ensure_ascii=False).encode()
        assert decode_reading(raw).sensor_id == name


def test_an_event_has_up_to_256_features() -> None:
    features = {f"f{number}": float(number) for number in range(256)}
    assert decode_reading(with_features(json.dumps(features))).features == features


def test_one_hundred_levels_of_nesting_in_an_unknown_field_are_kept_out() -> None:
    raw = event().replace(b"}", b',"deep":' + b"[" * 99 + b"]" * 99 + b"}")
    assert decode_reading(raw).value == 21.4


# Bad ones.


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_value_that_is_not_finite_is_refused(literal: str) -> None:
    assert refusal(with_value(literal)) == "$.value: expected a finite number"


def test_an_integer_of_400_digits_is_no_finite_double() -> None:
    assert refusal(with_value("9" * 400)) == "$.value: expected a finite number"
    assert refusal(with_value("9" * 5000)) == "$.value: expected a finite number"
    name = "$.features.t: expected a finite number, a string or null"
    assert refusal(with_features('{"t":%s}' % ("9" * 400))) == name


@pytest.mark.parametrize("literal", ['"21.4"', '""', "true", "false", "[]", "{}", "[1]"])
def test_a_value_of_another_type_is_refused(literal: str) -> None:
    assert refusal(with_value(literal)) == "$.value: expected a finite number"


@pytest.mark.parametrize("literal", ["true", "false", "[]", "{}", "[1]", "1e999"])
def test_a_feature_of_another_type_is_refused(literal: str) -> None:
    expected = "$.features.temperature: expected a finite number, a string or null"
    assert refusal(with_features(f'{{"ok":1,"temperature":{literal}}}')) == expected


def test_a_feature_that_is_not_json_is_refused() -> None:
    assert refusal(with_features('{"t":NaN}')) == "$.features.t: expected a finite number"


def test_a_constant_that_json_does_not_have_is_refused_in_unknown_fields_too() -> None:
    raw = b'{"sensor_id":"a","ts":0,"value":1,"x":{"y":[0,-Infinity]}}'
    assert refusal(raw) == "$.x.y[1]: expected a finite number"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"sensor_id":"a","sensor_id":"b","ts":0,"value":1}', "$.sensor_id"),
        (b'{"sensor_id":"a","ts":0,"value":1,"value":1}', "$.value"),
        (b'{"sensor_id":"a","ts":0,"ts":0,"value":1}', "$.ts"),
        (b'{"sensor_id":"a","ts":0,"value":1,"v\\u0061lue":1}', "$.value"),
        (b'{"sensor_id":"a","ts":0,"features":{"t":1,"t":1}}', "$.features.t"),
        (b'{"sensor_id":"a","ts":0,"features":{"t":"x","t":"x"}}', "$.features.t"),
        (b'{"sensor_id":"a","ts":0,"features":{"t":1},"features":{"t":1}}', "$.features"),
        (b'{"sensor_id":"a","ts":0,"value":1,"x":1,"x":2}', "$.x"),
        (b'{"sensor_id":"a","ts":0,"value":1,"x":[{"y":{"z":1,"z":2}}]}', "$.x[0].y.z"),
    ],
)
def test_a_doubled_key_is_refused_at_any_depth(raw: bytes, path: str) -> None:
    assert refusal(raw) == f"{path}: expected this key once"


def test_neither_or_both_of_value_and_features_are_refused() -> None:
    expected = "$: expected one of value and features"
    assert refusal(b'{"sensor_id":"a","ts":0}') == expected
    assert refusal(b'{"sensor_id":"a","ts":0,"foo":1}') == expected
    assert refusal(b'{"sensor_id":"a","ts":0,"value":1,"features":{"t":1}}') == expected
    assert refusal(b'{"sensor_id":"a","ts":0,"value":null,"features":{"t":1}}') == expected
    assert refusal(b'{"sensor_id":"a","ts":0,"value":1,"features":null}') == expected


@pytest.mark.parametrize("literal", ["null", "[]", "{}", "1", '"t"', "[1,2]"])
def test_features_that_are_not_an_object_of_features_are_refused(literal: str) -> None:
    assert refusal(with_features(literal)) == "$.features: expected an object of 1 to 256 features"


def test_257_features_are_refused() -> None:
    features = json.dumps({f"f{number}": 1 for number in range(257)})
    assert refusal(with_features(features)) == "$.features: expected an object of 1 to 256 features"


def test_a_feature_name_of_0_or_201_characters_is_refused() -> None:
    assert (
        refusal(with_features('{"":1}')) == '$.features[""]: expected a name of 1 to 200 characters'
    )
    told = refusal(with_features('{"%s":1}' % ("n" * 201)))
    assert told.startswith('$.features["nnn')
    assert told.endswith(": expected a name of 1 to 200 characters")


@pytest.mark.parametrize(
    "ts",
    [
        "2026-01-05T12:00:00",
        "2026-01-05 12:00:00",
        "2026-01-05",
        "2026-13-05T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05T12:60:00Z",
        "2026-01-05T12:00:61Z",
        "2026-01-05T12:00:00,250Z",
        "2026-01-05T12:00Z",
        "20260105T120000Z",
        "2026-W01-1T12:00:00Z",
        "2026-01-05T12:00:00+0100",
        "2026-01-05T12:00:00+24:00",
        " 2026-01-05T12:00:00Z",
        "2026-01-05T12:00:00Z\n",
        "1767614400",
        "yesterday",
        "",
        None,
        True,
        [],
        {"seconds": 1},
    ],
)
def test_a_time_of_another_form_or_type_is_refused(ts: object) -> None:
    expected = "$.ts: expected an RFC 3339 time with a zone, or Unix seconds"
    assert refusal(event(ts=ts)) == expected


def test_a_missing_time_is_refused() -> None:
    expected = "$.ts: expected an RFC 3339 time with a zone, or Unix seconds"
    assert refusal(b'{"sensor_id":"a","value":1}') == expected


@pytest.mark.parametrize("ts", [1767614400250, 1767614400250.0, -1e15, 1e300, 253402300800])
def test_milliseconds_instead_of_seconds_are_refused(ts: float) -> None:
    expected = "$.ts: expected Unix seconds within the years 1 to 9999, not milliseconds"
    assert refusal(event(ts=ts)) == expected


def test_a_time_outside_the_years_1_to_9999_is_refused() -> None:
    expected = "$.ts: expected a time within the years 1 to 9999"
    assert refusal(event(ts="0001-01-01T00:00:00+00:01")) == expected
    assert refusal(event(ts="9999-12-31T23:59:60Z")) == expected


@pytest.mark.parametrize("field", ["sensor_id", "event_id"])
@pytest.mark.parametrize("bad", ["", "x" * 201, 7, 1.5, None, True, [], {}])
def test_an_empty_long_or_non_text_id_is_refused(field: str, bad: object) -> None:
    assert refusal(event(**{field: bad})) == f"$.{field}: expected a string of 1 to 200 characters"


def test_a_missing_sensor_id_is_refused() -> None:
    told = refusal(b'{"ts":0,"value":1}')
    assert told == "$.sensor_id: expected a string of 1 to 200 characters"


def test_a_lone_surrogate_is_refused_where_it_would_be_kept() -> None:
    told = "expected text without lone surrogates"
    assert refusal(event(sensor_id="a\ud800")) == f"$.sensor_id: {told}"
    assert refusal(event(event_id="\udfff")) == f"$.event_id: {told}"
    assert refusal(with_features('{"t":"\\ud800"}')) == f"$.features.t: {told}"
    named = refusal(with_features('{"\\ud800":1}'))
    assert named == '$.features["\\ud800"]: expected a name of 1 to 200 characters'
    assert decode_reading(event(unknown="\ud800")).value == 21.4


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b" ",
        b"null",
        b"1",
        b'"a"',
        b"[]",
        b'[{"sensor_id":"a","ts":0,"value":1}]',
        b"{",
        b"hello",
        b'{"sensor_id":"a","ts":0,"value":1',
        b'{"sensor_id":"a","ts":0,"value":1,}',
        b"{'sensor_id':'a','ts':0,'value':1}",
        b'{"sensor_id":"a","ts":0,"value":01}',
        b'{"sensor_id":"a","ts":0,"value":1.}',
        b'{"sensor_id":"a","ts":0,"value":.5}',
        b'{"sensor_id":"a","ts":0,"value":+1}',
        b'{"sensor_id":"a","ts":0,"value":0x10}',
        b'{"sensor_id":"a\n","ts":0,"value":1}',
        b'{"sensor_id":"a","ts":0,"value":1}\x00',
        b'{"sensor_id":"a","ts":0,"value":1}{"sensor_id":"a","ts":0,"value":2}',
        b'{"sensor_id":"a","ts":0,"value":1}\n{"sensor_id":"a","ts":0,"value":2}',
        b'\xef\xbb\xbf{"sensor_id":"a","ts":0,"value":1}',
    ],
)
def test_anything_but_one_json_object_is_refused(raw: bytes | None) -> None:
    assert refusal(raw) == "$: expected one JSON object"


@pytest.mark.parametrize("cut", range(1, 68))
def test_a_truncated_event_is_refused(cut: int) -> None:
    raw = b'{"sensor_id":"press-7","ts":"2026-01-05T12:00:00.250Z","value":21.4}'
    assert refusal(raw[:cut]) == "$: expected one JSON object"


@pytest.mark.parametrize(
    "bad", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
)
@pytest.mark.parametrize(
    "template",
    [
        b'{"sensor_id":"a%s","ts":0,"value":1}',
        b'{"sensor_id":"a","ts":0,"value":1,"unknown":"%s"}',
        b'{"sensor_id":"a","ts":0,"value":1,"unknown%s":1}',
        b'{"sensor_id":"a","ts":0,"features":{"%s":1}}',
        b'{"sensor_id":"a","ts":0,"value":1}%s',
    ],
)
def test_bytes_that_are_not_utf_8_are_refused_wherever_they_stand(
    template: bytes, bad: bytes
) -> None:
    assert refusal(template % bad) == "$: expected text in UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_refused(encoding: str) -> None:
    raw = '{"sensor_id":"a","ts":0,"value":1}'.encode(encoding)
    assert refusal(raw).startswith("$: expected ")


@pytest.mark.parametrize("depth", [101, 500, 5_000, 300_000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_very_deep_nesting_is_refused(depth: int, pair: tuple[bytes, bytes]) -> None:
    opening, closing = pair
    bomb = opening * depth + b"1" + closing * depth
    expected = "$: expected nothing nested more than 100 levels deep"
    assert refusal(b'{"sensor_id":"a","ts":0,"value":1,"x":%s}' % bomb) == expected
    assert refusal(b'{"sensor_id":"a","ts":0,"value":%s}' % bomb) == expected
    refusal(bomb)


def test_very_deep_nesting_that_never_closes_is_refused() -> None:
    refusal(b"[" * 300_000)
    refusal(b'{"a":' * 300_000)


def test_one_megabyte_of_json_that_is_no_event_is_refused() -> None:
    assert refusal(json.dumps(["x" * 100] * 10_000).encode()) == "$: expected one JSON object"
    told = refusal(json.dumps({f"key {n}": n for n in range(60_000)}).encode())
    assert told == "$.sensor_id: expected a string of 1 to 200 characters"
    told = refusal(with_features(json.dumps({f"f{n}": n for n in range(60_000)})))
    assert told == "$.features: expected an object of 1 to 256 features"
    assert refusal(event(sensor_id="x" * 1_000_000)).startswith("$.sensor_id: expected")


def test_what_is_said_repeats_no_more_than_100_characters_of_the_input() -> None:
    long = "secret" * 100_000
    for raw in (
        event(sensor_id=long),
        event(ts=long),
        event(value=long),
        event(value=long, features={long: 1}),
        with_features(json.dumps({long: 1})),
        with_features(json.dumps({long: True})),
        b'{"%s":1,"%s":2}' % (long.encode(), long.encode()),
        b'{"a":{"%s":[NaN]}}' % long.encode(),
        b'{"a":{"%s":{"%s":{"%s":NaN}}}}' % (long.encode(), long.encode(), long.encode()),
    ):
        told = refusal(raw)
        assert len(told) <= 180
        assert "\n" not in told


def test_what_is_said_is_printable() -> None:
    told = refusal(b'{"sensor_id":"a","ts":0,"features":{"\\u0000\\n\\u001b[31m\\ud800":true}}')
    assert told.isprintable()
    told.encode("utf-8")


def test_a_refusal_is_a_value_error_with_path_and_expectation() -> None:
    with pytest.raises(ValueError, match="finite") as caught:
        decode_reading(with_value("NaN"))
    assert isinstance(caught.value, InvalidMessage)
    assert (caught.value.path, caught.value.expected) == ("$.value", "a finite number")


def test_every_number_that_is_read_is_finite() -> None:
    for exponent in range(300, 330):
        raw = with_value(f"1.8e{exponent}")
        try:
            value = decode_reading(raw).value
        except InvalidMessage:
            assert exponent >= 308
        else:
            assert value is not None
            assert math.isfinite(value)


def test_the_model_of_a_sensor_event_means_the_same_as_the_reading() -> None:
    read = decode(event(event_id="e-1", unknown=1), SensorEvent)
    assert read == SensorEvent(sensor_id="press-7", event_id="e-1", ts=NOON, value=21.4)
    with pytest.raises(InvalidMessage, match=r"^\$\.value: expected a finite number$"):
        decode(with_value("1e999"), SensorEvent)
