"""``driftline detect`` from outside."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from river.drift import ADWIN

from tests.unit.cli.conftest import Driftline


@pytest.fixture
def shifted(tmp_path: Path) -> tuple[Path, list[float]]:
    rng = random.Random(5)
    values = [round(rng.gauss(20 if n < 600 else 26, 1), 3) for n in range(1200)]
    path = tmp_path / "shifted.csv"
    rows = [f"2026-01-05 00:{n // 60:02}:{n % 60:02},{value}" for n, value in enumerate(values)]
    path.write_text("timestamp,value\n" + "\n".join(rows) + "\n")
    return path, values


def test_the_json_lines_are_those_of_the_contract_and_the_findings_rivers(
    driftline: Driftline, shifted: tuple[Path, list[float]]
) -> None:
    path, values = shifted
    adwin = ADWIN(delta=0.01)
    expected = []
    for index, value in enumerate(values):
        adwin.update(value)
        if adwin.drift_detected:
            expected.append({"index": index, "detector": "adwin", "kind": "drift", "value": value})
    result = driftline("detect", path, "--detector", "adwin", "--set", "adwin.delta=0.01", "--json")
    assert expected
    assert (result.code, result.lines, result.err) == (0, expected, "")
    assert list(result.lines[0]) == ["index", "detector", "kind", "value"]


def test_people_see_row_time_detector_and_value(
    driftline: Driftline, shifted: tuple[Path, list[float]]
) -> None:
    path, _ = shifted
    result = driftline("detect", path, "--detector", "adwin")
    index, day, _, detector, kind, name, _, value = result.out.splitlines()[0].split()
    assert (day, detector, kind, name) == ("2026-01-05", "adwin", "drift", "value")
    assert int(index) >= 600
    assert float(value) > 20


def test_a_bad_cell_is_named_once_on_stderr_and_skipped(
    driftline: Driftline, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("value\n1\noops\n\n1e999\n2\n")
    result = driftline("detect", path, "--detector", "adwin", "--json")
    assert result.code == 0
    assert result.err.splitlines() == [
        "line 3: value: skipped: 'oops' is not a finite number",
        "line 5: value: skipped: '1e999' is not a finite number",
    ]


def test_a_detector_of_bits_on_other_numbers_is_bad_usage(
    driftline: Driftline, shifted: tuple[Path, list[float]]
) -> None:
    result = driftline("detect", shifted[0], "--detector", "ddm", "--json")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "'ddm'" in result.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--detector", "adwinn"], "did you mean adwin"),
        (["--detector", "adwin", "--column", "values"], "timestamp, value"),
        (["--detector", "adwin", "--set", "adwin.delta=x"], "adwin.delta: 'x' is not allowed"),
        (["--detector", "adwin", "--set", "delta=1"], "NAME.PARAM=VALUE"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(
    driftline: Driftline, shifted: tuple[Path, list[float]], arguments: list[str], line: str
) -> None:
    result = driftline("detect", shifted[0], *arguments)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert line in result.err


@pytest.mark.parametrize("true", ["true", "True"])
def test_a_switch_may_be_written_as_python_writes_it(
    driftline: Driftline, tmp_path: Path, true: str
) -> None:
    path = tmp_path / "bits.csv"
    path.write_text("value\n" + "0\n1\n" * 50)
    switch = f"hddm-a.two_sided_test={true}"
    result = driftline("detect", path, "--detector", "hddm-a", "--set", switch)
    assert (result.code, result.err) == (0, "")


def test_a_row_of_another_width_is_named_and_skipped(driftline: Driftline, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('ts,value\nt0,1\nt1,2,5\nt2\nt3,4\nt4,"5\n')
    result = driftline("detect", path, "--detector", "adwin", "--json")
    assert result.code == 0
    assert result.err.splitlines() == [
        "line 3: value: skipped: expected 2 cells, as in the header, not 3",
        "line 4: value: skipped: expected 2 cells, as in the header, not 1",
        "line 6: value: skipped: expected a row of CSV (unexpected end of data)",
    ]


def test_a_file_that_begins_with_its_numbers_lacks_a_header(
    driftline: Driftline, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1\n2\n3\n")
    result = driftline("detect", path, "--detector", "adwin")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "header: '1' is not allowed: expected a line with the names of the columns" in result.err
    assert driftline("detect", path, "--detector", "adwin", "--column", "1").code == 0
