"""Inputs, labels and errors of a sensor: which of them has moved, and which explains another."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

from detectors.observed import CAUGHT_UP, GIVEN_UP, Labels, Observed

Event = tuple[dict[str, float | str], float, Any]
Draw = Callable[[random.Random], Event]


def observed(draw: Draw, events: int = 600, labels: Labels = "classes") -> Observed:
    return go_on(Observed(labels, 100), draw, events)


def go_on(known: Observed, draw: Draw, events: int = 80, first: int = 0, seed: int = 1) -> Observed:
    rng = random.Random(seed)
    for n in range(first, first + events):
        x, error, label = draw(rng)
        known.event(x)
        known.judge(n, x, error, label)
    return known


def moved(known: Observed) -> list[str]:
    found = ((name, one.seen, one.seen.distances()) for name, one in known.inputs.items())
    return [name for name, seen, far in found if far is not None and seen.moved(far)]


def usual(rng: random.Random) -> Event:
    """Class and inputs are of one another, one answer in ten is wrong."""
    good = rng.random() < 0.5
    a = rng.gauss(2.0 if good else 0.0, 1.0)
    return {"a": a, "b": rng.gauss(0, 1)}, float(rng.random() < 0.1), "good" if good else "bad"


def test_while_nothing_changes_nothing_has_moved() -> None:
    known = go_on(observed(usual), usual, seed=2)
    facts = known.facts(moved(known))
    assert (facts.inputs, facts.labels, facts.inputs_given_label) == (False, False, False)
    assert facts.unexplained is None


def test_other_shares_of_the_same_classes_leave_inputs_by_class_as_they_were() -> None:
    def fewer(rng: random.Random) -> Event:
        while True:
            event = usual(rng)
            if event[2] == "bad" or rng.random() < 0.15:
                return event

    known = go_on(observed(usual), fewer)
    facts = known.facts(moved(known))
    assert (facts.labels, facts.inputs_given_label) == (True, False)


def test_inputs_that_move_by_themselves_move_within_each_class() -> None:
    def shifted(rng: random.Random) -> Event:
        x, error, label = usual(rng)
        return {**x, "b": float(x["b"]) + 1.5}, error, label

    known = go_on(observed(usual), shifted)
    facts = known.facts(moved(known))
    assert moved(known) == ["b"]
    assert (facts.labels, facts.inputs_given_label) == (False, True)
    assert facts.unexplained is None


def test_errors_that_grow_where_inputs_have_not_moved_are_unexplained() -> None:
    def worse(rng: random.Random) -> Event:
        x, _, label = usual(rng)
        return {**x, "b": float(x["b"]) + 1.0}, float(rng.random() < 0.5), label

    known = go_on(observed(usual), worse)
    facts = known.facts(moved(known))
    assert facts.inputs
    assert facts.unexplained is not None
    assert facts.unexplained > 0.75


def test_errors_that_were_always_there_for_such_inputs_are_explained() -> None:
    def hard_above_one(rng: random.Random, shift: float = 0.0) -> Event:
        a = rng.gauss(shift, 1)
        return {"a": a}, float(rng.random() < (0.6 if a > 1.0 else 0.02)), "x"

    known = go_on(observed(hard_above_one, 1500), lambda rng: hard_above_one(rng, 1.2))
    unexplained = known.facts(moved(known)).unexplained
    assert unexplained is not None
    assert unexplained < 0.5


def test_along_a_line_labels_explain_inputs_of_a_regression() -> None:
    def line(rng: random.Random, mean: float = 0.0, offset: float = 0.0) -> Event:
        y = rng.gauss(mean, 1)
        return {"a": 2 * y + rng.gauss(0, 1) + offset}, 0.5, y

    along = go_on(observed(line, 600, "numbers"), lambda rng: line(rng, 1.5))
    beside = go_on(observed(line, 600, "numbers"), lambda rng: line(rng, 0.0, 3.0))
    facts = along.facts(moved(along))
    assert (facts.labels, facts.inputs_given_label) == (True, False)
    facts = beside.facts(moved(beside))
    assert (facts.labels, facts.inputs_given_label) == (False, True)


def test_after_a_drift_the_reference_stays_until_labels_have_come_as_far() -> None:
    known = observed(usual)
    known.told(600)
    late = go_on(known, usual, 300, first=0, seed=2)
    assert late.inputs["a"].seen.counted[0] > 0
    go_on(late, usual, CAUGHT_UP, first=600, seed=3)
    assert late.inputs == {}


def test_where_labels_never_come_it_begins_anew_all_the_same() -> None:
    known = observed(usual)
    known.told(600)
    for _ in range(GIVEN_UP):
        known.event({"a": 0.0})
    assert known.inputs["a"].seen.counted == (0, 0)


def test_a_copy_goes_on_bit_for_bit() -> None:
    known = observed(usual, 333)
    copy = pickle.loads(pickle.dumps(known, protocol=5))
    go_on(known, usual, 400, first=333, seed=5)
    go_on(copy, usual, 400, first=333, seed=5)
    assert pickle.dumps(copy, 5) == pickle.dumps(pickle.loads(pickle.dumps(known, 5)), 5)


def test_eight_inputs_take_about_four_kilobytes() -> None:
    def wide(rng: random.Random) -> Event:
        return {f"x{n}": rng.gauss(0, 1) for n in range(8)}, rng.random(), rng.choice("abcdef")

    assert len(pickle.dumps(observed(wide, 3000), protocol=5)) < 4500
