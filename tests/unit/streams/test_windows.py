"""Labelled windows are read from NAB's form and from CSV, and what is wrong is told in one line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from schemas.errors import ConfigurationError
from schemas.timestamps import parse_timestamp
from streams.windows import Window, read_windows

START, END = "2026-01-05 12:00:00.000000", "2026-01-05 13:00:00.000000"
WINDOW = Window(parse_timestamp("2026-01-05T12:00:00Z"), parse_timestamp("2026-01-05T13:00:00Z"))
LATER = Window(parse_timestamp("2026-01-06T00:00:00Z"), parse_timestamp("2026-01-06T01:00:00Z"))


def written(tmp_path: Path, text: str, name: str = "windows.txt") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_file_as_nab_names_it_stands_for_the_sensor_that_it_makes(tmp_path: Path) -> None:
    text = json.dumps({"realKnownCause/press.csv": [[START, END]], "artificial/calm.csv": []})
    assert read_windows(written(tmp_path, text)) == {"press": (WINDOW,), "calm": ()}


def test_any_other_key_is_a_sensor_id_as_it_stands(tmp_path: Path) -> None:
    text = json.dumps({"hall/press.7": [[START, END]]})
    assert read_windows(written(tmp_path, text)) == {"hall/press.7": (WINDOW,)}


@pytest.mark.parametrize("header", ["sensor,start,end", "sensor_id;Start;End"])
def test_csv_has_a_line_per_window(tmp_path: Path, header: str) -> None:
    rows = [header, f"press,{START},{END}", "", "press,2026-01-06,2026-01-06T01:00:00Z"]
    rows[1:] = [row.replace(",", ";") if ";" in header else row for row in rows[1:]]
    assert read_windows(written(tmp_path, "\n".join(rows))) == {"press": (WINDOW, LATER)}


def test_a_time_may_have_a_zone_or_be_unix_seconds(tmp_path: Path) -> None:
    zoned = ["2026-01-05T13:00:00+01:00", WINDOW.end / 1e6]
    text = json.dumps({"press": [zoned]})
    assert read_windows(written(tmp_path, text)) == {"press": (WINDOW,)}


def test_windows_come_in_the_order_of_time(tmp_path: Path) -> None:
    text = json.dumps({"press": [["2026-01-06", "2026-01-06 01:00"], [START, END]]})
    assert read_windows(written(tmp_path, text))["press"] == (WINDOW, LATER)


def test_a_zipped_file_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "windows.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"press": [[START, END]]}).encode()))
    assert read_windows(path) == {"press": (WINDOW,)}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "expected JSON ("),
        ("[]", "expected an object with a list of windows by sensor"),
        ('{"a": 1}', '--windows: \'a\' is not allowed: expected a list of ["start", "end"]'),
        ('{"a": [["x"]]}', '--windows: \'a\' is not allowed: expected a list of ["start", "end"]'),
        ('{"a": [["soon", "later"]]}', "'a: soon to later' is not allowed: expected times such"),
        ('{"a": [[null, null]]}', "expected times such as 2026-01-05 12:00:00"),
        ('{"a": [["2026-01-06", "2026-01-05"]]}', "expected an end after the start"),
        ('{"x/a.csv": [], "y/a.csv": []}', "expected one key per sensor (x/a.csv is a too)"),
        (
            '{"a": [["2026-01-05", "2026-01-07"], ["2026-01-06", "2026-01-08"]]}',
            "expected windows that do not overlap: make one of these two",
        ),
        ("", "expected the columns sensor, start and end"),
        ("a,b\n1,2\n", "a, b' is not allowed: expected the columns sensor, start and end"),
        ("sensor,start,end\na,1\n", "line 2' is not allowed: expected 3 cells"),
        ("sensor,start,end\na,x,y\n", "line 2: x to y' is not allowed: expected times"),
    ],
)
def test_what_is_no_window_is_named_with_what_is_allowed(
    tmp_path: Path, text: str, line: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_windows(written(tmp_path, text, "w"))
    assert raised.value.field == "--windows"
    # A long path is cut; what comes after it is what matters.
    assert line.rpartition("' is")[2] in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named_under_its_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--windows: .* expected a file that can be read"):
        read_windows(tmp_path / "none.json")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"sensor,start,end\n\xff\xff,1,2\n")
    with pytest.raises(ConfigurationError, match="expected text in UTF-8"):
        read_windows(path)
