"""What events look like: a change for good is found, what comes and goes is not taken for one."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from detectors.hygiene.schema import Schema
from detectors.hygiene.words import MOST
from detectors.signal import Finding, Position

PATIENCE = 100
Event = dict[str, Any] | float


def found(
    events: Iterable[Event], schema: Schema | None = None
) -> tuple[list[tuple[int, str, Finding]], list[int]]:
    """Index, signal and finding of all that is found, and the events nothing is learned from."""
    schema, all_found, unusable = schema or Schema(), [], []
    for n, event in enumerate(events):
        single = not isinstance(event, dict)
        values = {"value": event} if single else event
        findings, usable = schema.observe(values, single, Position(n, n * 10**6), n, PATIENCE)
        all_found += [(n, signal, finding) for signal, finding in findings]
        if not usable:
            unusable.append(n)
    return all_found, unusable


def summary(findings: list[tuple[int, str, Finding]]) -> list[tuple[str, str]]:
    return [(signal, finding.direction) for _, signal, finding in findings]


def oven(draw: random.Random, count: int) -> list[dict[str, Any]]:
    return [
        {"t": draw.gauss(300.0, 5.0), "p": draw.gauss(3.0, 1.0), "lot": draw.choice("ABC")}
        for _ in range(count)
    ]


def test_events_that_stay_alike_are_no_finding() -> None:
    assert found(oven(random.Random(1), 3000)) == ([], [])


def test_a_feature_that_vanishes_is_found_and_withheld_until_that_is_the_new_normal() -> None:
    events = oven(random.Random(1), 800)
    for event in events[300:]:
        del event["p"]
    ((n, signal, finding),), unusable = found(events)
    assert (n, signal, finding.direction) == (310, "feature:p", "down")
    assert finding.change_point.offset == 300
    assert (finding.score, finding.threshold) == (11.0, 10.0)
    assert finding.before is not None
    assert (finding.before.n, finding.before.mean) == (300, 1.0)
    assert unusable == list(range(300, 300 + 10 + PATIENCE + 1))


def test_a_feature_that_is_back_soon_is_as_before_and_told_again_when_it_vanishes_again() -> None:
    events = oven(random.Random(1), 800)
    for event in (*events[300:350], *events[500:550]):
        del event["p"]
    findings, unusable = found(events)
    assert [n for n, *_ in findings] == [310, 510]
    assert unusable == [*range(300, 350), *range(500, 550)]


def test_a_feature_that_comes_now_and_then_is_no_finding() -> None:
    draw = random.Random(2)
    events = oven(draw, 5000)
    for event in events:
        if draw.random() < 0.6:
            del event["p"]
    assert found(events) == ([], [])


def test_a_new_feature_is_found_when_it_has_come_ten_times() -> None:
    events = oven(random.Random(1), 600)
    for event in events[300:]:
        event["humidity"] = 0.4
    ((n, signal, finding),), unusable = found(events)
    assert (n, signal, finding.direction) == (309, "feature:humidity", "up")
    assert finding.change_point.offset == 300
    assert unusable == []


def test_a_feature_that_was_merely_rare_is_none_that_is_new() -> None:
    draw = random.Random(3)
    events = oven(draw, 5000)
    for event in events:
        if draw.random() < 0.01:
            event["note"] = 1.0
    assert found(events)[0] == []


@pytest.mark.parametrize(("name", "other"), [("t", "hot"), ("lot", 7.0)])
def test_a_feature_of_another_type_is_found(name: str, other: Any) -> None:
    events = oven(random.Random(1), 800)
    for event in events[300:]:
        event[name] = other
    ((n, signal, _),), unusable = found(events)
    assert (n, signal) == (310, f"feature:{name}")
    assert unusable[0] == 300
    assert 400 < unusable[-1] < 450


def test_a_word_among_numbers_now_and_then_is_no_finding() -> None:
    draw = random.Random(4)
    events = oven(draw, 5000)
    for event in events:
        if draw.random() < 0.1:
            event["t"] = "n/a"
    assert found(events)[0] == []


def test_nulls_are_no_change_of_schema() -> None:
    events = oven(random.Random(1), 800)
    for event in events[300:]:
        event["p"] = event["lot"] = None
    assert found(events) == ([], [])


@pytest.mark.parametrize("features_first", [True, False])
def test_a_sensor_that_sends_the_other_shape_is_found(features_first: bool) -> None:
    features: list[Event] = [{"t": 1.0 * n} for n in range(300)]
    values: list[Event] = [1.0 * n for n in range(300)]
    events = features + values if features_first else values + features
    ((n, signal, finding),), unusable = found(events)
    assert (n, signal) == (310, "value")
    assert finding.change_point.offset == 300
    assert unusable == list(range(300, 410 + 1))[: len(unusable)]
    assert 400 <= unusable[-1] <= 411


def test_a_sensor_that_sends_both_shapes_is_no_finding() -> None:
    draw = random.Random(5)
    events: list[Event] = [{"t": 1.0} if draw.random() < 0.5 else 1.0 for _ in range(3000)]
    assert found(events) == ([], [])


def test_a_sensor_of_values_leaves_nothing_to_keep() -> None:
    schema = Schema()
    found([1.0] * 100, schema)
    assert schema.blank


# Words.


def lots(words: Iterable[str]) -> list[dict[str, Any]]:
    return [{"lot": word} for word in words]


def test_a_word_that_was_often_there_is_missed() -> None:
    draw = random.Random(6)
    words = [draw.choice("ABC") for _ in range(1000)] + [draw.choice("AB") for _ in range(300)]
    ((n, signal, finding),), unusable = found(lots(words))
    assert 1000 < n < 1110
    assert (signal, finding.direction) == ("feature:lot", "down")
    assert 980 <= finding.change_point.offset <= 1000
    assert finding.before is not None
    assert finding.before.mean == pytest.approx(1 / 3, abs=0.05)
    assert unusable == []


def test_a_word_that_never_came_and_comes_repeatedly_is_found() -> None:
    draw = random.Random(7)
    words = [draw.choice("AB") for _ in range(500)] + [draw.choice("ABX") for _ in range(300)]
    ((n, _, finding),), _ = found(lots(words))
    assert 510 <= n < 560
    assert finding.direction == "up"
    assert 500 <= finding.change_point.offset < 520


def test_one_word_that_never_came_is_no_finding() -> None:
    draw = random.Random(8)
    words = [draw.choice("AB") for _ in range(2000)]
    words[900] = "oops"
    assert found(lots(words))[0] == []


def serials(draw: random.Random) -> Iterable[str]:
    return (f"number {n}" for n in range(5000))


def shares(draw: random.Random) -> Iterable[str]:
    return draw.choices("ABCDEFGH", weights=[40, 20, 12, 10, 8, 5, 3, 2], k=20_000)


def shifts(draw: random.Random) -> Iterable[str]:
    return ("day" if n // 50 % 2 else "night" for n in range(5000))


def one_word(draw: random.Random) -> Iterable[str]:
    return ["A"] * 3000


@pytest.mark.parametrize("drawn", [serials, shares, shifts, one_word])
def test_text_that_stays_as_it_is_is_no_finding(
    drawn: Callable[[random.Random], Iterable[str]],
) -> None:
    assert found(lots(drawn(random.Random(9))))[0] == []


def test_lots_that_follow_each_other_are_told_a_few_times_at_most() -> None:
    assert len(found(lots(f"lot {n // 200}" for n in range(20_000)))[0]) <= 5


# Bounds.


def test_what_is_kept_of_names_and_words_is_bounded() -> None:
    schema = Schema()
    found(({f"name {n + k}": f"word {n} {k}" * 30 for k in range(20)} for n in range(600)), schema)
    assert len(schema.features) <= 256
    assert len(pickle.dumps(schema)) < 250_000


def test_the_words_of_a_feature_that_may_be_any_text_are_not_kept() -> None:
    schema = Schema()
    found(lots(f"number {n}" for n in range(MOST + 1)), schema)
    words = schema.features["lot"].words
    assert words is not None
    assert not words.closed
    assert words.known == {}


def test_the_order_of_what_is_found_does_not_depend_on_the_process() -> None:
    events: list[Event] = [{f"f{k}": 1.0 for k in range(30)} for _ in range(200)]
    events += [{"f0": 1.0}] * 50
    assert [signal for _, signal, _ in found(events)[0]] == [f"feature:f{k}" for k in range(1, 30)]
