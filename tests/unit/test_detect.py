"""`detect`: River's own findings on a raw column."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from river import drift
from river.drift import binary

from schemas.errors import ConfigurationError
from streams.detect import Detection, build, detect, parse_assignments
from streams.files import Cell


def cells(values: Iterable[float | str | None]) -> list[Cell]:
    return [Cell(index, index + 2, value, None) for index, value in enumerate(values)]


def run(values: Iterable[float | str | None], *names: str, **options: Any) -> list[Detection]:
    skipped = options.pop("skipped", [])
    return list(
        detect(cells(values), build(names, options), lambda cell, why: skipped.append((cell, why)))
    )


def real_stream() -> list[float]:
    rng = random.Random(42)
    return [round(rng.gauss(mean, 1), 6) for mean in (0, 3, 0, -4, -4, 2) for _ in range(500)]


def bit_stream() -> list[float]:
    rng = random.Random(7)
    return [float(rng.random() < rate) for rate in (0.1, 0.5, 0.1, 0.7) for _ in range(700)]


@pytest.mark.parametrize(
    ("name", "river", "options"),
    [
        ("adwin", drift.ADWIN(), {}),
        ("adwin", drift.ADWIN(delta=0.05), {"delta": 0.05}),
        ("page-hinkley", drift.PageHinkley(), {}),
        ("page-hinkley", drift.PageHinkley(threshold=20.0), {"threshold": 20}),
        ("kswin", drift.KSWIN(seed=1), {"seed": 1}),
    ],
)
def test_on_numbers_the_findings_are_rivers_index_by_index(
    name: str, river: Any, options: dict[str, Any]
) -> None:
    expected = []
    stream = real_stream()
    for index, value in enumerate(stream):
        river.update(value)
        if river.drift_detected:
            expected.append((index, "drift", value))
    found = run(stream, name, **{name: options})
    assert expected
    assert [(d.index, d.kind, d.value) for d in found] == expected


@pytest.mark.parametrize(
    ("name", "river"),
    [
        ("ddm", binary.DDM()),
        ("eddm", binary.EDDM()),
        ("hddm-a", binary.HDDMA()),
        ("hddm-w", binary.HDDMW()),
    ],
)
def test_on_bits_drifts_are_rivers_and_a_warning_is_printed_once_when_it_begins(
    name: str, river: Any
) -> None:
    expected = []
    warned = False
    for index, bit in enumerate(bit_stream()):
        river.update(bit)
        if river.drift_detected:
            expected.append((index, "drift"))
        elif river.warning_detected and not warned:
            expected.append((index, "warning"))
        warned = river.warning_detected
    found = [(d.index, d.kind) for d in run(bit_stream(), name)]
    assert {"drift", "warning"} <= {kind for _, kind in expected}
    assert found == expected


def test_missing_and_bad_rows_are_counted_but_not_seen_by_the_detector() -> None:
    clean = real_stream()
    expected = [d.index for d in run(clean, "adwin")]
    holes: list[float | str | None] = [None, "nan", *clean]
    skipped: list[tuple[Cell, str]] = []
    assert [d.index - 2 for d in run(holes, "adwin", skipped=skipped)] == expected
    assert [(cell.line, why) for cell, why in skipped] == [(3, "'nan' is not a finite number")]


def test_a_number_beyond_the_domain_is_skipped_and_changes_nothing() -> None:
    clean = real_stream()
    expected = [d.index for d in run(clean, "adwin")]
    skipped: list[tuple[Cell, str]] = []
    found = run([*clean[:100], 1e300, *clean[100:]], "adwin", skipped=skipped)
    assert [d.index - 1 for d in found] == expected
    assert len(skipped) == 1


def test_several_detectors_report_row_by_row_in_the_order_they_were_named() -> None:
    both = run(real_stream(), "page-hinkley", "adwin")
    alone = [*run(real_stream(), "page-hinkley"), *run(real_stream(), "adwin")]
    assert sorted(both, key=lambda d: d.index) == both
    assert sorted(map(repr, both)) == sorted(map(repr, alone))


def test_a_detector_of_bits_refuses_a_column_of_other_numbers() -> None:
    with pytest.raises(ConfigurationError, match=r"--detector: 'ddm'.*0 and 1 only, row 2 holds 2"):
        run([0, 1, 2], "adwin", "ddm")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("adwin.delta=0.01", {"adwin": {"delta": 0.01}}),
        ("page-hinkley.mode=up", {"page-hinkley": {"mode": "up"}}),
        ("kswin.seed=3", {"kswin": {"seed": 3}}),
    ],
)
def test_a_parameter_is_named_with_its_detector(text: str, expected: dict[str, Any]) -> None:
    assert parse_assignments([text]) == expected


@pytest.mark.parametrize("text", ["delta=0.01", "adwin.delta", "adwin.=1", ".delta=1", ""])
def test_a_parameter_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"NAME\.PARAM=VALUE"):
        parse_assignments([text])


@pytest.mark.parametrize(
    ("names", "parameters", "message"),
    [
        (["adwinn"], {}, "did you mean adwin"),
        (["adwin"], {"adwin": {"detla": 1}}, "delta"),
        (["adwin"], {"adwin": {"delta": 7}}, "adwin.delta: 7"),
        (["adwin"], {"ddm": {"warm_start": 7}}, "a parameter of a detector in use: adwin"),
    ],
)
def test_unknown_names_and_bad_values_are_refused_in_one_line(
    names: list[str], parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build(names, parameters)
    assert "\n" not in str(caught.value)
