"""The short way and the plain decoder mean the same, on good, bad and mangled messages alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.errors import InvalidMessage

Decoder = Callable[[bytes | None], Any]

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ["-0", "0e0", "01", "1.", ".5", "+1", "1e", "--1", "1_0", "0x1", "NaN", "1e999"]
    ),
)
strings = st.one_of(
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(max_size=8).map(json.dumps),
    st.sampled_from(
        ['""', '"\\ud800"', '"a\\"b"', '"\t"', '"\\u0061"', '"é"', "'a'", '"\\x"', '"']
    ),
    st.integers(198, 203).map(lambda length: '"' + "é" * length + '"'),
)
names = st.text("abÖ😀\\ ", min_size=1, max_size=8).map(json.dumps)
good_names = st.text("abÖ😀 ", min_size=1).map(lambda text: json.dumps(text, ensure_ascii=False))
ids = st.one_of(good_names, good_names, good_names, names, strings)
good_times = st.datetimes().map(lambda moment: f'"{moment.isoformat()}Z"')
seconds = st.floats(-6e10, 2.5e11).map(repr)
good_numbers = st.floats(allow_nan=False, allow_infinity=False).map(repr)
times = st.one_of(
    good_times,
    good_times,
    seconds,
    st.datetimes().map(lambda moment: f'"{moment.isoformat()}Z"'),
    st.from_regex(
        r'"20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,9})?'
        r'(Z|z|[+-][0-2][0-9]:[0-6][0-9])?"',
        fullmatch=True,
    ),
    numbers,
)
scalars = st.one_of(numbers, strings, st.sampled_from(["null", "true", "false"]))
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]"),
        st.lists(st.tuples(strings, inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=6,
)
features = st.lists(st.tuples(ids, st.one_of(good_numbers, good_names, scalars)), max_size=4).map(
    lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
)


def objects(**likely: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """JSON objects of mostly the right fields, some doubled, missing, odd or unknown."""
    known = st.one_of(
        *(st.tuples(st.just(f'"{name}"'), text) for name, text in likely.items()),
    )
    odd = st.tuples(st.one_of(st.sampled_from([f'"{name}"' for name in likely]), strings), anything)
    plain = st.permutations(list(likely)).flatmap(
        lambda names: st.tuples(
            *(st.tuples(st.just(f'"{name}"'), likely[name]) for name in names)
        ).map(list)
    )
    fields = st.one_of(
        plain,
        st.tuples(plain, st.lists(odd, max_size=2)).map(lambda both: both[0] + both[1]),
        st.tuples(plain, st.integers(0, 4)).map(lambda both: both[0][both[1] :]),
        st.lists(st.one_of(known, odd), max_size=6),
    )
    separators = st.sampled_from([(":", ","), (": ", ", "), (" :\n", "\t,\r")])
    return st.tuples(fields, separators).map(
        lambda both: (
            "{" + both[1][1].join(f"{key}{both[1][0]}{text}" for key, text in both[0]) + "}"
        ).encode("utf-8", "surrogatepass")
    )


value_events = objects(sensor_id=ids, ts=times, value=st.one_of(good_numbers, numbers))
feature_events = objects(sensor_id=ids, ts=times, features=features, event_id=ids)
label_events = objects(sensor_id=ids, event_id=ids, ts=times, label=scalars)


def outcome(decoder: Decoder, raw: bytes) -> str:
    """What a decoder makes of a message, types and signs of zeros included."""
    try:
        return repr(decoder(raw))
    except InvalidMessage as refused:
        return f"refused: {refused}"


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.one_of(value_events, feature_events))
@example(b'{"sensor_id":"a","ts":0,"foo":1}')
@example(b'{"sensor_id":"a","ts":0,"value":null,"value":null}')
@example(b'{"sensor_id":"a","ts":0,"event_id":null,"value":1}')
@example(b'{"sensor_id":"a","ts":0,"event_id":null,"features":{"a":1},"features":{"b":1}}')
@example(b'{"sensor_id":"a","ts":0,"value":1,"value":"\\"\\""}')
def test_readings_come_out_the_same_both_ways(raw: bytes) -> None:
    assert outcome(codec.decode_reading, raw) == outcome(codec._plain_reading, raw)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(label_events)
def test_labels_come_out_the_same_both_ways(raw: bytes) -> None:
    assert outcome(codec.decode_label, raw) == outcome(codec._plain_label, raw)


GOOD = (
    b'{"sensor_id":"press-7","ts":"2026-01-05T12:00:00.250Z","value":21.4}',
    b'{"sensor_id":"\xc3\x96fen","event_id":"b-1","ts":1767614400.25,"features":{"t":1e2,"g":"A"}}',
    b'{"sensor_id":"oven-2","event_id":"b-1","ts":"2026-01-05T12:00:00+01:00","label":true}',
)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 100), st.binary(max_size=2), st.integers(0, 3)), max_size=3),
)
def test_mangled_messages_come_out_the_same_both_ways(
    raw: bytes, edits: list[tuple[int, bytes, int]]
) -> None:
    for at, put, drop in edits:
        raw = raw[:at] + put + raw[at + drop :]
    assert outcome(codec.decode_reading, raw) == outcome(codec._plain_reading, raw)
    assert outcome(codec.decode_label, raw) == outcome(codec._plain_label, raw)


@pytest.mark.parametrize("raw", GOOD[:2])
def test_every_byte_put_anywhere_comes_out_the_same_both_ways(raw: bytes) -> None:
    for at in range(len(raw)):
        for byte in (0, 9, 10, 32, 34, 44, 45, 46, 48, 58, 69, 91, 92, 93, 123, 125, 127, 128, 255):
            mangled = raw[:at] + bytes([byte]) + raw[at + 1 :]
            assert outcome(codec.decode_reading, mangled) == outcome(codec._plain_reading, mangled)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(value_events, feature_events))
def test_what_is_read_is_what_another_json_reader_reads(raw: bytes) -> None:
    try:
        reading = codec.decode_reading(raw)
    except InvalidMessage:
        return
    read = json.loads(raw)
    assert reading.sensor_id == read["sensor_id"]
    assert reading.value == read.get("value")
    assert reading.features == read.get("features")
    assert reading.event_id == read.get("event_id")


@pytest.mark.parametrize("raw", GOOD)
def test_the_plain_shape_takes_the_short_way(raw: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(raw: bytes | None) -> None:
        raise AssertionError("the plain decoder was asked")

    monkeypatch.setattr(codec, "_plain_reading", never)
    monkeypatch.setattr(codec, "_plain_label", never)
    (codec.decode_label if b"label" in raw else codec.decode_reading)(raw)
