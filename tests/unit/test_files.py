"""Files as messages: what a CSV or JSON-lines file means on Kafka."""

from __future__ import annotations

import gzip
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode_label, decode_reading
from schemas.errors import ConfigurationError, DriftlineError, InvalidMessage
from streams.files import Columns, read_cells, read_records


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def messages(path: Path, **options: Any) -> list[dict[str, Any]]:
    found = [message for _, message in read_records(path, **options)]
    assert all(isinstance(message, bytes) for message in found), found
    return [json.loads(message) for message in found]  # type: ignore[arg-type]


def refusals(path: Path, **options: Any) -> list[str]:
    return [
        f"line {line}: {message}"
        for line, message in read_records(path, **options)
        if isinstance(message, InvalidMessage)
    ]


def test_the_contract_names_of_the_columns_need_no_option(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "sensor_id,event_id,ts,value,note\npress-7,e1,2026-01-05T12:00:00.250Z,21.4,ok\n",
    )
    assert messages(path) == [
        {
            "sensor_id": "press-7",
            "event_id": "e1",
            "ts": "2026-01-05T12:00:00.250Z",
            "value": 21.4,
        }
    ]


def test_without_a_sensor_column_the_name_of_the_file_is_the_sensor(tmp_path: Path) -> None:
    path = write(tmp_path / "oven-2.csv", "timestamp,value\n2026-01-05 12:00:00,1\n")
    assert messages(path)[0]["sensor_id"] == "oven-2"


@pytest.mark.parametrize("name", ["ts", "timestamp", "time", "Timestamp"])
def test_the_time_may_stand_under_several_names(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.csv", f"{name},value\n2026-01-05T12:00:00Z,1\n")
    assert messages(path)[0]["ts"] == "2026-01-05T12:00:00Z"


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-05 12:00:00",
        "2026-01-05T12:00",
        "1767614400",
        "1767614400.0",
        "2026-01-05T13:00:00+01:00",
    ],
)
def test_a_time_without_a_zone_is_utc(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path / "a.csv", f"ts,value\n{cell},1\n")
    assert messages(path)[0]["ts"] == "2026-01-05T12:00:00Z"


def test_an_empty_cell_is_a_missing_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ts,value\n2026-01-05,\n2026-01-06, \n")
    assert [m["value"] for m in messages(path)] == [None, None]


def test_without_a_value_column_all_other_columns_are_features(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "sensor_id,ts,temperature,grade,count\no,2026-01-05,355.1,A,3\no,2026-01-05,,,\n",
    )
    assert [m["features"] for m in messages(path)] == [
        {"temperature": 355.1, "grade": "A", "count": 3},
        {"temperature": None, "grade": None, "count": None},
    ]


def test_options_name_the_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "machine,when,celsius,value\nm1,2026-01-05,20.5,9\n")
    columns = Columns(sensor="machine", timestamp="when", value="celsius")
    assert messages(path, columns=columns) == [
        {"sensor_id": "m1", "ts": "2026-01-05T00:00:00Z", "value": 20.5}
    ]


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        (Columns(sensor="x"), "--sensor"),
        (Columns(timestamp="x"), "--timestamp"),
        (Columns(value="x"), "--value"),
    ],
)
def test_a_column_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, columns: Columns, field: str
) -> None:
    path = write(tmp_path / "a.csv", "ts,value\n2026-01-05,1\n")
    with pytest.raises(ConfigurationError, match="a column of the file: ts, value") as caught:
        list(read_records(path, columns=columns))
    assert caught.value.field == field


def test_a_file_without_a_time_asks_for_its_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "when,value\n2026-01-05,1\n")
    with pytest.raises(ConfigurationError, match=r"--timestamp.*when, value"):
        list(read_records(path))


@pytest.mark.parametrize(
    "cell", ["abc", "NaN", "inf", "-Infinity", "1e999", "true", "1_000", "\u0661"]
)
def test_a_value_that_is_no_finite_number_is_named_with_its_line(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path / "a.csv", f"ts,value\n2026-01-05,1\n2026-01-05,{cell}\n2026-01-05,2\n")
    assert refusals(path) == ["line 3: $.value: expected a finite number"]
    assert len(list(read_records(path))) == 3


@pytest.mark.parametrize("cell", ["nan", "Infinity", "1e999"])
def test_a_feature_that_is_a_number_but_not_finite_is_refused(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path / "a.csv", f"ts,a,b\n2026-01-05,1,{cell}\n")
    assert refusals(path) == ["line 2: $.features.b: expected a finite number"]


def test_a_row_of_another_width_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ts,value\n2026-01-05\n2026-01-05,1,2\n2026-01-05,1\n")
    assert refusals(path) == [
        "line 2: $: expected 2 cells, as in the header, not 1",
        "line 3: $: expected 2 cells, as in the header, not 3",
    ]


def test_a_row_that_is_not_utf_8_is_refused_and_its_neighbours_are_not(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        b"sensor_id,ts,value\na,2026-01-05,1\n\xff,2026-01-05,1\nb,2026-01-05,1\n",
    )
    assert refusals(path) == ["line 3: $: expected text in UTF-8"]
    assert len(list(read_records(path))) == 3


def test_an_open_quote_is_refused_with_the_line_where_it_opens(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'ts,value\n2026-01-05,1\n2026-01-05,"1\n2026-01-05,2\n')
    (refusal,) = refusals(path)
    assert refusal.startswith("line 3: $: expected a row of CSV")


@pytest.mark.parametrize("empty", ["", "\n", "ts,value\n"])
def test_a_file_without_rows_has_no_messages(tmp_path: Path, empty: str) -> None:
    assert list(read_records(write(tmp_path / "a.csv", empty))) == []


def test_byte_order_mark_crlf_quotes_and_blank_lines_are_fine(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        b'\xef\xbb\xbf"sensor_id",ts,value\r\n"a,\r\nb",2026-01-05,"1"\r\n\r\nc,2026-01-05,2\r\n',
    )
    assert [m["sensor_id"] for m in messages(path)] == ["a,\r\nb", "c"]
    assert [line for line, _ in read_records(path)] == [2, 5]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_tabs_delimit_too(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path / "a.csv", "ts,value\n2026-01-05,1\n".replace(",", delimiter))
    assert messages(path)[0]["value"] == 1


def test_a_gzip_file_is_unzipped(tmp_path: Path) -> None:
    path = write(tmp_path / "oven-2.csv.gz", gzip.compress(b"ts,value\n2026-01-05,1\n"))
    assert messages(path)[0]["sensor_id"] == "oven-2"


def test_a_gzip_file_that_was_cut_is_an_error_in_one_line(tmp_path: Path) -> None:
    rows = "".join(f"2026-01-05,{n}\n" for n in range(20_000))
    path = write(tmp_path / "a.csv.gz", gzip.compress(f"ts,value\n{rows}".encode())[:-2000])
    with pytest.raises(DriftlineError, match="cut or damaged"):
        list(read_records(path))


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ts,value\n2026-01-05,1\n")))
    ((line, message),) = read_records("-")
    assert line == 2
    assert isinstance(message, bytes)
    assert decode_reading(message).sensor_id == "stdin"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"a file that can be read .no such file"):
        list(read_records(tmp_path / "none.csv"))


def test_utf_16_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ts,value\n".encode("utf-16"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        list(read_records(path))


def test_a_json_line_is_sent_as_it_is_written(tmp_path: Path) -> None:
    line = b'{"value": 1.50, "ts": 1767614400.25,\t"sensor_id": "a", "extra": [1]}'
    path = write(tmp_path / "a.jsonl", line + b"\r\n\n" + line)
    assert list(read_records(path)) == [(1, line), (3, line)]


def test_a_json_line_with_a_time_without_a_zone_is_given_utc(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson", '{"sensor_id":"ä","ts":"2026-01-05 12:00:00","value":1}\n')
    assert messages(path) == [{"sensor_id": "ä", "ts": "2026-01-05T12:00:00Z", "value": 1}]


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("nonsense", "$: expected one JSON object"),
        ('{"sensor_id":"a","ts":1,"value":"x"}', "$.value: expected a finite number"),
        ('{"sensor_id":"a","sensor_id":"b","ts":"2026-01-05 12:00:00","value":1}', "sensor_id"),
    ],
)
def test_a_json_line_that_is_no_event_is_named(tmp_path: Path, line: str, refusal: str) -> None:
    good = '{"sensor_id":"a","ts":1,"value":1}'
    path = write(tmp_path / "a.jsonl", f"{good}\n{line}\n{good}\n")
    (found,) = refusals(path)
    assert found.startswith("line 2: $")
    assert refusal in found


def test_json_lines_are_known_by_their_content_too(tmp_path: Path) -> None:
    path = write(tmp_path / "events.log", '{"sensor_id":"a","ts":1,"value":1}\n')
    assert messages(path)[0]["sensor_id"] == "a"


def test_column_options_make_no_sense_for_json_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"sensor_id":"a","ts":1,"value":1}\n')
    with pytest.raises(ConfigurationError, match=r"--value.*a CSV file"):
        list(read_records(path, columns=Columns(value="v")))


def test_labels_are_numbers_strings_or_booleans(tmp_path: Path) -> None:
    path = write(
        tmp_path / "labels.csv",
        "sensor_id,event_id,ts,label\n"
        "o,e1,2026-01-05,1\no,e2,2026-01-05,good\no,e3,2026-01-05,true\no,e4,2026-01-05,0.5\n",
    )
    found = [message for _, message in read_records(path, kind="labels")]
    assert [decode_label(m).label for m in found if isinstance(m, bytes)] == [1, "good", True, 0.5]


def test_an_empty_label_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", "event_id,ts,label\ne1,2026-01-05,\n")
    assert refusals(path, kind="labels")[0].startswith("line 2: $.label: expected")


@pytest.mark.parametrize("header", ["ts,label", "event_id,ts"])
def test_a_file_of_labels_needs_event_ids_and_labels(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "l.csv", f"{header}\n2026-01-05,1\n")
    with pytest.raises(ConfigurationError, match="in a file of labels"):
        list(read_records(path, kind="labels"))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_any_finite_number_in_a_cell_arrives_as_the_nearest_double(
    tmp_path_factory: pytest.TempPathFactory, number: float
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "law.csv", f"ts,value\n2026-01-05,{number}\n")
    ((_, message),) = read_records(path)
    try:
        nearest = float(number)
    except OverflowError:
        nearest = math.inf
    if math.isfinite(nearest):
        assert isinstance(message, bytes)
        assert decode_reading(message).value == nearest
    else:
        assert isinstance(message, InvalidMessage)


# --- one raw column ----------------------------------------------------------------------


def test_rows_of_a_column_are_counted_from_zero_and_empty_cells_count(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "time,value\nt0,1\nt1,\nt2,2.5\nt3,x\n")
    name, cells = read_cells(path)
    assert name == "value"
    assert [(c.index, c.line, c.value, c.timestamp) for c in cells] == [
        (0, 2, 1, "t0"),
        (1, 3, None, "t1"),
        (2, 4, 2.5, "t2"),
        (3, 5, "x", "t3"),
    ]


def test_in_a_file_of_one_column_an_empty_line_is_an_empty_cell(tmp_path: Path) -> None:
    _, cells = read_cells(write(tmp_path / "a.csv", "x\n1\n\n2\n"))
    assert [c.value for c in cells] == [1, None, 2]


def test_the_only_column_of_numbers_is_the_default(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ts,name,celsius\n1,a,20\n2,b,\n3,c,oops\n4,d,21\n")
    name, cells = read_cells(path)
    assert name == "celsius"
    assert [c.value for c in cells] == [20, None, "oops", 21]


@pytest.mark.parametrize("text", ["ts,a,b\n1,2,3\n", "ts,name\n1,x\n"])
def test_no_column_is_guessed_where_there_are_several_or_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="--column"):
        read_cells(write(tmp_path / "a.csv", text))


def test_a_column_that_is_not_there_is_named_with_the_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"one of the columns of .*: ts, value"):
        read_cells(write(tmp_path / "a.csv", "ts,value\n1,2\n"), "values")


def test_a_column_of_json_lines_is_a_name_of_the_object_or_of_its_features(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        '{"ts":1,"features":{"t":1.5}}\n{"ts":2,"features":{"t":null}}\nbroken\n{"ts":3,"t":2}\n',
    )
    _, cells = read_cells(path, "t")
    assert [str(c.value) for c in cells] == ["1.5", "None", "$: expected one JSON object", "2"]
