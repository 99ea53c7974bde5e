"""A row of numbers is River's detector: every flag, every bit of its state, at any moment."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Detector, create
from detectors.bank import adwin, ddm, page_hinkley
from schemas.compiled import AVAILABLE
from tests.values import BIT_KINDS, REAL_KINDS, stream

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs numba")

NAMES = ("adwin", "ddm", "page-hinkley")
BANK: dict[str, Any] = {"ddm": ddm, "page-hinkley": page_hinkley}
BEFORE = 3
"""Slots of others in front of a detector's own."""

every_bank = pytest.mark.parametrize("name", NAMES)


class Row:
    """A detector in numbers that lie among those of others."""

    def __init__(self, detector: Detector) -> None:
        self.bank = BANK[detector.name]
        self.params = np.concatenate([np.full(2, np.nan), self.bank.parameters(detector)])
        self.numbers = np.full(BEFORE + self.bank.SLOTS + 1, np.nan)
        self.bank.reset(self.numbers, BEFORE)

    def step(self, x: float) -> int:
        found = self.bank.step(self.numbers, BEFORE, x, self.params, 2)
        assert np.isnan(self.numbers[:BEFORE]).all()
        assert np.isnan(self.numbers[-1])
        return int(found)

    def reset(self) -> None:
        self.bank.reset(self.numbers, BEFORE)

    def freeze(self, detector: Detector) -> Row:
        self.bank.freeze(detector, self.numbers, BEFORE)
        return self

    def thaw(self, detector: Detector) -> Detector:
        self.bank.thaw(self.numbers, BEFORE, detector)
        return detector

    def bits(self) -> bytes:
        return bytes(self.numbers.tobytes())


class AdwinRow(Row):
    def __init__(self, detector: Detector) -> None:
        most = detector.parameters["max_buckets"]
        self.params = np.concatenate([np.full(2, np.nan), adwin.parameters(detector)])  # type: ignore[arg-type]
        self.head = np.full(BEFORE + adwin.HEAD, np.nan)
        # What an earlier user left there must not matter.
        self.counts = np.full(adwin.LEVELS, 3, np.int32)
        self.buckets = np.full((2, adwin.LEVELS, most + 1), np.nan)
        self.arrays = (self.head, BEFORE, self.counts, self.buckets)
        self.reset()

    def step(self, x: float) -> int:
        return int(adwin.step(*self.arrays, x, self.params, 2))

    def reset(self) -> None:
        adwin.reset(*self.arrays)

    def freeze(self, detector: Detector) -> AdwinRow:
        assert adwin.freeze(detector, *self.arrays)  # type: ignore[arg-type]
        return self

    def thaw(self, detector: Detector) -> Detector:
        adwin.thaw(*self.arrays, detector)  # type: ignore[arg-type]
        return detector

    def bits(self) -> bytes:
        in_use = np.arange(self.buckets.shape[2]) < self.counts[:, np.newaxis]
        parts = (self.head, self.counts, self.buckets[0][in_use], self.buckets[1][in_use])
        return b"".join(part.tobytes() for part in parts)


def row_of(detector: Detector) -> Row:
    return AdwinRow(detector) if detector.name == "adwin" else Row(detector)


def found_by(detector: Detector) -> int:
    return 1 if detector.drift_detected else 2 * detector.warning_detected


def fed(detector: Detector, values: list[float]) -> list[int]:
    found = []
    for x in values:
        detector.update(x)
        found.append(found_by(detector))
    return found


def copied(detector: Detector) -> Detector:
    copy: Detector = pickle.loads(pickle.dumps(detector, protocol=5))
    return copy


def contents(detector: Any) -> dict[str, str]:
    """Everything that River's object is made of."""
    found = {}
    for attribute, value in vars(detector._river).items():
        if attribute in {"_p", "_x_mean"}:
            value = vars(value)
        elif attribute == "_helper":
            value = value.__getstate__()
        elif attribute == "_test_drift":
            value = value.__name__
        found[attribute] = repr(value)
    return found


PARAMETERS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "adwin": st.fixed_dictionaries(
        {
            "delta": st.sampled_from([1e-9, 0.002, 0.05, 0.3, 1.0]),
            "clock": st.one_of(st.just(1), st.integers(1, 64)),
            "max_buckets": st.integers(2, 10),
            "min_window_length": st.one_of(st.integers(1, 5), st.integers(1, 50)),
            "grace_period": st.integers(0, 200),
        }
    ),
    "ddm": st.fixed_dictionaries(
        {
            "warm_start": st.integers(0, 500),
            "warning_threshold": st.floats(0.01, 5.0),
            "drift_threshold": st.one_of(st.floats(0.01, 5.0), st.just(3)),
        }
    ),
    "page-hinkley": st.fixed_dictionaries(
        {
            "min_instances": st.integers(0, 200),
            "delta": st.one_of(st.floats(0.0, 1.0), st.just(0)),
            "threshold": st.floats(0.01, 100.0),
            "alpha": st.one_of(st.floats(0.5, 1.0), st.just(1)),
            "mode": st.sampled_from(["up", "down", "both"]),
        }
    ),
}


def detectors_of(name: str) -> st.SearchStrategy[Detector]:
    return PARAMETERS[name].map(lambda given: create(name, **given))


def streams_of(name: str) -> st.SearchStrategy[list[float]]:
    kinds = BIT_KINDS if name == "ddm" else REAL_KINDS
    return st.builds(
        stream, st.sampled_from(kinds), st.integers(0, 2**32), st.sampled_from([150, 700, 1500])
    )


@every_bank
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_step_returns_what_river_finds(name: str, data: st.DataObject) -> None:
    detector = data.draw(detectors_of(name))
    row = row_of(detector)
    for i, x in enumerate(data.draw(streams_of(name))):
        detector.update(x)
        assert (i, row.step(x)) == (i, found_by(detector))


@every_bank
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_step_returns_what_river_finds_with_the_defaults(name: str, seed: int) -> None:
    detector = create(name)
    row = row_of(detector)
    values = stream("bits" if name == "ddm" else "jumps", seed, 10_000)
    found = fed(detector, values)
    assert [row.step(x) for x in values] == found
    assert found.count(1) > 3


@every_bank
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_at_any_moment_the_row_is_rivers_state_to_the_last_bit(
    name: str, data: st.DataObject
) -> None:
    detector = data.draw(detectors_of(name))
    row, frozen = row_of(detector), row_of(detector)
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    for x in data.draw(streams_of(name)):
        detector.update(x)
        if row.step(x) == 1 or rng.random() < 0.05:
            assert frozen.freeze(detector).bits() == row.bits()


@every_bank
def test_a_new_row_thaws_into_a_new_object(name: str) -> None:
    used = create(name)
    used.update(1.0)
    row_of(used).thaw(used)
    assert contents(used) == contents(create(name))


@every_bank
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_at_any_moment_the_row_thaws_into_the_very_object(name: str, data: st.DataObject) -> None:
    detector = data.draw(detectors_of(name))
    row = row_of(detector)
    used = copied(detector)  # whatever it saw before is forgotten
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    for x in data.draw(streams_of(name)):
        detector.update(x)
        if row.step(x) == 1 or rng.random() < 0.05:
            row.thaw(used)
            assert contents(used) == contents(detector)
            assert (used.score, used.threshold) == (detector.score, detector.threshold)
            used.update(1.0)


@every_bank
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_stream_may_be_split_between_object_and_row_anywhere(
    name: str, data: st.DataObject
) -> None:
    whole = data.draw(detectors_of(name))
    values = data.draw(streams_of(name))
    cuts = data.draw(st.lists(st.integers(0, len(values)), max_size=6).map(sorted))
    found = []
    detector, row = copied(whole), row_of(whole)
    for turn, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(values)], strict=True)):
        part = values[begin:end]
        if turn % 2 == 0:
            found += fed(detector, part)
            row = row_of(whole).freeze(detector)
        else:
            found += [row.step(x) for x in part]
            detector = row.thaw(copied(whole))
    assert found == fed(whole, values)


@every_bank
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_after_a_drift_and_after_a_reset_it_is_as_new(name: str, data: st.DataObject) -> None:
    detector = data.draw(detectors_of(name))
    row = row_of(detector)
    values = data.draw(streams_of(name))
    for i, x in enumerate(values):
        if row.step(x) == 1:
            new = row_of(detector)
            assert [row.step(x) for x in values[i + 1 :]] == [new.step(x) for x in values[i + 1 :]]
            assert row.bits() == new.bits()
            break
    row.reset()
    assert row.bits() == row_of(detector).bits()


RIVERS_EXAMPLES = [
    ("adwin", [1023]),
    ("page-hinkley", [1006]),
]


@pytest.mark.parametrize(("name", "indices"), RIVERS_EXAMPLES)
def test_the_example_of_rivers_page_gives_its_indices(name: str, indices: list[int]) -> None:
    rng = random.Random(12345)
    values = rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000)
    row = row_of(create(name))
    assert [i for i, x in enumerate(values) if row.step(float(x)) == 1] == indices


def test_the_example_of_rivers_page_of_ddm_gives_its_indices() -> None:
    rng = random.Random(42)
    values = rng.choices([0, 1], k=1000) + rng.choices([0, 1], k=1000, weights=[0.3, 0.7])
    row = row_of(create("ddm"))
    found = [row.step(float(x)) for x in values]
    assert found.index(2) == 1084
    assert [i for i, flag in enumerate(found) if flag == 1] == [1334]
    assert found.index(2, 1334) == 1492
