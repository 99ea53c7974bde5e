"""Features as a model can take them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from learners.features import (
    MAX_CATEGORIES,
    MAX_CATEGORIES_IN_ALL,
    MAX_NAMES,
    MAX_TEXT,
    OTHER,
    Encoder,
    compact,
    inputs,
)
from schemas.codec import Reading


def test_a_string_becomes_a_one_among_zeros() -> None:
    encoder = Encoder(one_hot=True)
    encoder.learn({"lot": "a"})
    assert encoder.learn({"lot": "b"}) == {"lot=a": 0.0, "lot=b": 1.0, "lot=other": 0.0}
    assert encoder.encode({"lot": "never seen"}) == {"lot=a": 0.0, "lot=b": 0.0, "lot=other": 1.0}


def test_without_one_hot_a_string_stays_one_of_the_known() -> None:
    encoder = Encoder(one_hot=False)
    encoder.learn({"lot": "a", "temperature": 3.0})
    assert encoder.encode({"lot": "a", "temperature": 3.0}) == {"lot": "a", "temperature": 3.0}
    assert encoder.encode({"lot": "b"}) == {"lot": OTHER}


def test_after_64_categories_the_rest_is_other() -> None:
    encoder = Encoder(one_hot=False)
    found = [encoder.learn({"serial": str(i)})["serial"] for i in range(100)]
    assert found == [str(i) for i in range(MAX_CATEGORIES)] + [OTHER] * (100 - MAX_CATEGORIES)


def test_the_categories_of_all_features_are_bounded_together() -> None:
    encoder = Encoder(one_hot=True)
    for i in range(100):
        encoder.learn({f"serial-{name}": str(i) for name in range(50)})
    encoded = encoder.encode({f"serial-{name}": "0" for name in range(50)})
    assert len(encoded) == MAX_CATEGORIES_IN_ALL + 50


def test_after_256_names_a_new_one_is_left_out() -> None:
    encoder = Encoder(one_hot=True)
    encoder.learn({f"f{i}": 1.0 for i in range(MAX_NAMES)})
    assert encoder.learn({"f0": 2.0, "one more": 2.0}) == {"f0": 2.0}


def test_the_first_value_decides_of_which_kind_a_feature_is() -> None:
    encoder = Encoder(one_hot=True)
    encoder.learn({"a": 1.0, "b": "x"})
    assert encoder.learn({"a": "x", "b": 1.0}) == {}
    assert encoder.encode({"a": 2.0}) == {"a": 2.0}


def test_a_number_that_leaps_is_not_learned() -> None:
    encoder = Encoder(one_hot=True)
    for _ in range(20):
        encoder.learn({"a": 2.0, "b": 1.0})
    assert encoder.encode({"a": 1e29}) == {"a": 20.0}
    assert encoder.learn({"a": 1e29, "b": 1.0}) == {"b": 1.0}


def test_a_real_change_of_magnitude_is_followed() -> None:
    encoder = Encoder(one_hot=True)
    for _ in range(20):
        encoder.learn({"a": 2.0})
    learned = [encoder.learn({"a": 5e6}) for _ in range(10)]
    assert learned[-1] == {"a": 5e6}
    assert learned[:5] == [{}] * 5


def test_a_long_string_is_shortened_but_stays_itself() -> None:
    one, other = "x" * 100_000 + "1", "x" * 100_000 + "2"
    short = compact({"a": one, "b": other, "c": one, "d": 3.0})
    assert short["a"] == short["c"] != short["b"]
    assert all(len(text) <= MAX_TEXT for text in short.values() if isinstance(text, str))
    assert short["d"] == 3.0


@given(st.text(max_size=200))
def test_shortening_twice_is_shortening_once(text: str) -> None:
    once = compact({"a": text})
    assert compact(once) == once


def test_what_a_learner_is_given_of_an_event() -> None:
    def reading(value: float | None, features: dict[str, float | str | None] | None) -> Reading:
        return Reading(sensor_id="s", ts=0, value=value, features=features, event_id=None)

    assert inputs(reading(21.5, None)) == {"value": 21.5}
    assert inputs(reading(None, None)) == {}
    assert inputs(reading(None, {"a": 1.0, "b": None, "c": "x"})) == {"a": 1.0, "c": "x"}
