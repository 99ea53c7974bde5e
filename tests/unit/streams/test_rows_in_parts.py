"""Rows larger than a message: cut, put together, shortened, deleted."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rows
from streams.rows import join_parts, split_parts, whole_rows


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART_BYTES", 10)


def keep(topic: dict[bytes, bytes], key: list[str], value: bytes | None, stored: int = 0) -> None:
    """Write a row as a compacted topic keeps it."""
    for name, part in split_parts(key, value, stored):
        if part is None:
            topic.pop(name, None)
        else:
            topic[name] = part


def test_a_small_row_is_one_record_under_its_own_key() -> None:
    assert list(split_parts(["sensor", "a"], b"0123456789")) == [(b'["sensor","a"]', b"0123456789")]


def test_a_large_row_is_cut_under_numbered_keys() -> None:
    assert list(split_parts(["sensor", "a"], b"0123456789ab")) == [
        (b'["sensor","a"]', b"0123456789"),
        (b'["sensor","a",1]', b"ab"),
    ]


def test_a_row_that_has_shrunk_deletes_the_parts_it_no_longer_has() -> None:
    assert list(split_parts(["sensor", "a"], b"x", stored_bytes=25)) == [
        (b'["sensor","a"]', b"x"),
        (b'["sensor","a",1]', None),
        (b'["sensor","a",2]', None),
    ]


def test_a_row_that_is_deleted_is_deleted_in_all_its_parts() -> None:
    parts = list(split_parts(["sensor", "a"], None, stored_bytes=25))
    assert len(parts) == 3
    assert all(part is None for _, part in parts)


names = st.text(min_size=1, max_size=5)


@given(
    st.lists(
        st.tuples(
            st.tuples(st.just("sensor"), names) | st.tuples(st.just("pending"), names, names),
            st.none() | st.binary(min_size=1, max_size=45),
        ),
        max_size=30,
    )
)
def test_what_is_put_together_is_what_was_written_last(
    writes: list[tuple[tuple[str, ...], bytes | None]],
) -> None:
    topic: dict[bytes, bytes] = {}
    last: dict[tuple[str, ...], bytes] = {}
    for key, value in writes:
        keep(topic, list(key), value, len(last.get(key, b"")))
        if value is None:
            last.pop(key, None)
        else:
            last[key] = value
    assert join_parts(topic) == last
    ids, values, rest = whole_rows(topic)
    whole = {("sensor", name.decode()): row for name, row in zip(ids, values, strict=True)}
    assert whole | join_parts(rest) == last


@pytest.mark.parametrize("name", ['a","b', "a\\", '"', "a\nb", "1]", "é", '","', "]"])
def test_a_name_that_needs_json_is_left_to_it(name: str) -> None:
    topic: dict[bytes, bytes] = {}
    keep(topic, ["sensor", name], b"1")
    keep(topic, ["sensor", "plain"], b"2")
    keep(topic, ["pending", name, "plain"], b"3")
    ids, values, rest = whole_rows(topic)
    whole = {("sensor", name.decode()): row for name, row in zip(ids, values, strict=True)}
    assert whole.keys() >= {("sensor", "plain")}
    assert whole | join_parts(rest) == {
        ("sensor", name): b"1",
        ("sensor", "plain"): b"2",
        ("pending", name, "plain"): b"3",
    }


def test_names_that_look_like_numbers_of_parts_are_names() -> None:
    topic: dict[bytes, bytes] = {}
    keep(topic, ["pending", "a", "1"], b"x" * 15)
    keep(topic, ["pending", "a"], b"y" * 15)
    assert join_parts(topic) == {("pending", "a", "1"): b"x" * 15, ("pending", "a"): b"y" * 15}


def test_more_than_ten_parts_keep_their_order() -> None:
    value = bytes(range(200))
    topic: dict[bytes, bytes] = {}
    keep(topic, ["sensor", "a"], value)
    shuffled = dict(sorted(topic.items()))
    assert join_parts(shuffled) == {("sensor", "a"): value}
    assert all(orjson.loads(key)[:2] == ["sensor", "a"] for key in topic)
