"""What is recorded of MOA is what MOA finds. Needs a Java with a compiler, and a wheel of PyPI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.moa import oracle, recorded
from tests.moa.cases import CASES, SEEDS

pytestmark = pytest.mark.moa


@pytest.fixture(scope="module")
def moas() -> dict[tuple[str, str, int], recorded.Found]:
    try:
        return recorded.by_moa()
    except oracle.NoOracle as reason:
        pytest.skip(f"MOA IS NOT COMPARED WITH: {reason}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_moa_finds_what_is_recorded(
    case: recorded.Case, moas: dict[tuple[str, str, int], recorded.Found]
) -> None:
    kept = recorded.read()[case.label]
    assert list(kept) == case.streams
    for name, runs in kept.items():
        assert [run["moa"] for run in runs] == [moas[case.label, name, seed] for seed in SEEDS]


def test_the_jar_is_kept_and_its_driver_beside_it(
    moas: dict[tuple[str, str, int], recorded.Found],
) -> None:
    assert oracle.moa_jar() == oracle.JAR
    assert Path(oracle.DRIVER).is_file()
