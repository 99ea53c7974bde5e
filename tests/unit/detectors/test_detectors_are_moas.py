"""Each detector beside MOA's: the same at each index, or different in a way that is known.

What MOA finds is recorded (`tests/moa/recorded.py`); a lane of its own holds it against MOA.
"""

from __future__ import annotations

import pytest
from river import stats
from river.drift.binary import eddm, hddm_w

from tests.moa import recorded
from tests.moa.cases import CASES, SEEDS, STREAMS, Case, stream

RECORDED = recorded.read()
SAME = [case for case in CASES if not case.why]
DIFFERENT = [case for case in CASES if case.why]


def label(case: Case) -> str:
    return case.label


@pytest.mark.parametrize("case", SAME, ids=label)
def test_changes_and_warnings_are_those_of_moa_at_each_index(case: Case) -> None:
    for name in case.streams:
        for seed, run in zip(SEEDS, RECORDED[case.label][name], strict=True):
            assert recorded.found_by_us(case, name, seed) == run["moa"], (name, seed)


@pytest.mark.parametrize("case", DIFFERENT, ids=label)
def test_what_differs_from_moa_stays_what_it_was(case: Case) -> None:
    differ = 0
    for name in case.streams:
        for seed, run in zip(SEEDS, RECORDED[case.label][name], strict=True):
            expected = run.get("ours", run["moa"])
            assert recorded.found_by_us(case, name, seed) == expected, (name, seed)
            differ += "ours" in run
    assert differ


@pytest.mark.parametrize("name", ["adwin", "ddm", "page-hinkley", "hddm-a"])
def test_the_same_as_moa_is_said_of_changes_that_were_found(name: str) -> None:
    cases = [case for case in SAME if case.name == name]
    found = [run["moa"] for c in cases for runs in RECORDED[c.label].values() for run in runs]
    assert sum(len(one.changes) for one in found) >= 10


def test_every_stream_is_drawn_anew_alike_and_no_two_are_alike() -> None:
    drawn = {(name, seed): stream(name, seed) for name in STREAMS for seed in SEEDS}
    assert drawn == {(name, seed): stream(name, seed) for name in STREAMS for seed in SEEDS}
    assert len({tuple(values) for values in drawn.values()}) == len(drawn)


# --- the reasons that are named ----------------------------------------------------------


def different(name: str, moa: str) -> Case:
    (case,) = (case for case in DIFFERENT if (case.name, case.moa) == (name, moa))
    return case


class MoasEddm(eddm.EDDM):
    """River's, with the variance of a population, and one value ahead in its warm-up."""

    def _reset(self) -> None:
        super()._reset()
        self._error_distances = stats.Var(ddof=0)
        self._n = self._last_error = 1


def test_eddm_differs_by_the_variance_and_one_value_of_warm_up() -> None:
    case = different("eddm", "EDDM")
    for name in case.streams:
        for seed, run in zip(SEEDS, RECORDED[case.label][name], strict=True):
            found = recorded.found_by(case, MoasEddm(), case.stream(name, seed))
            assert found.changes == run["moa"].changes, (name, seed)


class MoasSample(hddm_w.SampleInfo):
    """River's, with a weight of 1 for the first value."""

    def update(self, x: float) -> None:
        first = not self._is_init
        super().update(x)
        if first:
            self._ibc = 1.0


def test_hddm_w_differs_by_the_weight_of_a_first_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hddm_w, "SampleInfo", MoasSample)
    case = different("hddm-w", "HDDM_W_Test")
    for name in case.streams:
        for seed, run in zip(SEEDS, RECORDED[case.label][name], strict=True):
            found = recorded.found_by(case, hddm_w.HDDMW(), case.stream(name, seed))
            assert found == run["moa"], (name, seed)


def test_what_moas_two_sided_hddm_a_reports_are_our_changes_upwards() -> None:
    case = different("hddm-a", "HDDM_A_Test")
    for name in case.streams:
        for seed, run in zip(SEEDS, RECORDED[case.label][name], strict=True):
            values = case.stream(name, seed)
            ours = recorded.found_by_us(case, name, seed).changes
            upwards = [
                index
                for begin, index in zip([0, *(i + 1 for i in ours)], ours, strict=False)
                if _rises(values[begin : index + 1])
            ]
            assert upwards == run["moa"].changes, (name, seed)


def _rises(values: list[float]) -> bool:
    tenth = len(values) // 10
    return sum(values[-tenth:]) > sum(values[:tenth])
