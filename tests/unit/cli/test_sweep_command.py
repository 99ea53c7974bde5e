"""``driftline backtest --sweep`` and ``--vary`` from outside."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from schemas.settings import load_settings
from tests.unit.cli.conftest import Driftline, Result

PNG = b"\x89PNG\r\n\x1a\n"
THRESHOLD = "detectors.params.page-hinkley.threshold"


@pytest.fixture
def press(tmp_path: Path) -> Path:
    """One press that moves by three standard deviations at second 500, and stays there."""
    draw = random.Random(5)
    rows = [
        f"2026-01-05T12:{n // 60:02}:{n % 60:02}Z,{draw.gauss(20 if n < 500 else 23, 1):.3f}"
        for n in range(700)
    ]
    (tmp_path / "press.csv").write_text("ts,value\n" + "\n".join(rows) + "\n")
    (tmp_path / "windows.csv").write_text(
        "sensor,start,end\npress,2026-01-05T12:08:20Z,2026-01-05T12:09:59Z\n"
    )
    return tmp_path


@pytest.fixture
def swept(driftline: Driftline, press: Path) -> Result:
    (press / "spec.toml").write_text("[episodes]\nquiet_events = [150, 200]\n")
    outputs = ("--plot", "sweep.html", "--write", "best.toml")
    return driftline(
        *("backtest", "press.csv", "--windows", "windows.csv", "--sweep", "spec.toml"),
        *("--vary", f"{THRESHOLD}=5000,30", "--set", "learner.grace=50", "--json", *outputs),
    )


def test_a_sweep_writes_a_line_per_combination_a_picture_and_the_best_configuration(
    driftline: Driftline, press: Path, swept: Result
) -> None:
    assert swept.code == 0
    assert swept.err.splitlines() == [
        "picture written to sweep.html",
        "best configuration written to best.toml",
    ]
    lines = swept.lines
    assert {line["kind"] for line in lines} == {"combination"}
    assert [line["values"][THRESHOLD] for line in lines] == [30, 30, 5000, 5000]
    assert {line["values"]["episodes.quiet_events"] for line in lines} == {150, 200}
    assert [line["f1"] for line in lines] == [1.0, 1.0, 0.0, 0.0]
    assert [line["beats_evenly_spaced"] for line in lines] == [True, True, False, False]

    written = tomllib.loads((press / "best.toml").read_text())
    assert written["detectors"]["params"]["page-hinkley"]["threshold"] == 30
    assert written["learner"]["grace"] == 50
    assert written["episodes"] == {"quiet_events": 150}
    (press / "driftline.toml").write_text((press / "best.toml").read_text())
    again = driftline("backtest", "press.csv", "--windows", "windows.csv", "--json").lines[-1]
    ours = again["scores"][0]
    assert ours == {**ours, **{k: v for k, v in lines[0].items() if k not in ("kind", "values")}}

    html = (press / "sweep.html").read_text()
    image = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    assert image is not None
    assert base64.b64decode(image[1]).startswith(PNG)
    assert html.count("<tr>") == 1 + len(lines)


def test_the_best_configuration_holds_all_that_was_set_on_how_drift_is_found(
    driftline: Driftline, press: Path
) -> None:
    (press / "driftline.toml").write_text(
        "budget.per_sensor_per_year = 4.0\n"
        "hygiene.range = { value = [-40.0, 125.0] }\n"
        '[[maintenance]]\nmatch = "press"\n'
        'from = "2026-01-05T12:00:00Z"\nuntil = "2026-01-05T12:00:10Z"\n'
        '[[sensors]]\nmatch = "oven-*"\nbudget.per_10k_events = 2.0\n'
    )
    result = driftline(
        *("backtest", "press.csv", "--windows", "windows.csv", "--json"),
        *("--vary", "budget.per_10k_events=0.5,1.0", "--write", "best.toml"),
    )
    assert (result.code, len(result.lines)) == (0, 2)
    best = result.lines[0]["values"]["budget.per_10k_events"]
    written = load_settings(press / "best.toml")
    given = load_settings(press / "driftline.toml", {"budget.per_10k_events": best})
    assert written == given


def test_people_get_a_table_with_the_best_first(driftline: Driftline, press: Path) -> None:
    result = driftline(
        *("backtest", "press.csv", "--windows", "windows.csv"),
        *("--vary", f"{THRESHOLD}=5000,30", "--plot", "sweep.png"),
    )
    assert result.code == 0
    rows = [line.split() for line in result.out.splitlines()]
    assert rows[-3][:4] == ["threshold", "missed", "alarms", "false"]
    assert [row[:4] for row in rows[-2:]] == [["30", "0", "of", "1"], ["5000", "1", "of", "1"]]
    assert (press / "sweep.png").read_bytes().startswith(PNG)


def test_a_line_that_is_no_message_is_named_once_and_the_code_is_1(
    driftline: Driftline, press: Path
) -> None:
    with (press / "press.csv").open("a") as file:
        file.write("soon,1\n")
    result = driftline(
        *("backtest", "press.csv", "--windows", "windows.csv", "--json"),
        *("--vary", "detectors.warmup=100"),
    )
    assert result.code == 1
    assert len(result.lines) == 1
    assert result.err.count("line 702") == 1
    assert "1 lines are no messages and were left out" in result.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--vary", "detectors.warmup=50"], "--vary: 'detectors.warmup=50' is not allowed: expected"
         " --windows beside it"),
        (["--sweep", "s.toml"], "--sweep: 's.toml' is not allowed: expected --windows beside it"),
        (["--plot", "a.png"], "--plot: 'a.png' is not allowed: expected --sweep or --vary"),
        (["--write", "a.toml"], "--write: 'a.toml' is not allowed: expected --sweep or --vary"),
    ],
)  # fmt: skip
def test_an_option_that_lacks_another_names_it(
    driftline: Driftline, press: Path, arguments: list[str], line: str
) -> None:
    result = driftline("backtest", "press.csv", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert line in result.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--plot", "a.pdf"], "--plot: 'a.pdf' is not allowed: expected a name in .png or .html"),
        (["--plot", "no/a.png"], "--plot: 'no/a.png' is not allowed: expected a file in a folder"),
        (["--write", "no/a.toml"], "--write: 'no/a.toml' is not allowed: expected a file in a f"),
        (["--write", "windows.csv"], "--write: 'windows.csv' is not allowed: expected a file that "
         "is not there yet"),
        (["--labels", "-"], "--labels: '-' is not allowed: expected a file, since each"),
        (["--vary", "detectors.warmup=9"], "--vary: 'detectors.warmup' is not allowed: expected "
         "each key once"),
        (["--vary", "detectors.warmpu=90"], "did you mean detectors.warmup?"),
        (["--vary", "http.port=1"], "http.port: to vary it is not allowed: expected a key of"),
        (["--sweep", "none.toml"], "--sweep: 'none.toml' is not allowed: expected a TOML file"),
        (["--sweep", "spec.toml"], "--vary: 'detectors.warmup' is not allowed: expected a key that"
         " is not in spec.toml too"),
    ],
)  # fmt: skip
def test_a_sweep_that_cannot_be_done_is_refused_before_any_work(
    driftline: Driftline, press: Path, arguments: list[str], line: str
) -> None:
    (press / "spec.toml").write_text("detectors.warmup = [50]\n")
    base = ["backtest", "press.csv", "--windows", "windows.csv", "--vary", "detectors.warmup=50"]
    result = driftline(*base, *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert line in result.err


def test_standard_input_is_refused_since_it_can_be_read_once_only(
    driftline: Driftline, press: Path
) -> None:
    result = driftline("backtest", "-", "--windows", "windows.csv", "--vary", "detectors.warmup=50")
    assert result.code == 2
    assert "FILE: '-' is not allowed: expected a file" in result.err


def test_windows_of_other_data_are_refused_before_any_work(
    driftline: Driftline, press: Path
) -> None:
    (press / "other.json").write_text(json.dumps({"oven": []}))
    result = driftline(
        *("backtest", "press.csv", "--windows", "other.json", "--vary", "detectors.warmup=50")
    )
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "expected windows of a sensor of the data, which holds press" in result.err


def test_without_matplotlib_a_picture_is_refused_with_the_remedy(
    driftline: Driftline, press: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "streams.cli.sweep.find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    result = driftline(
        *("backtest", "press.csv", "--windows", "windows.csv"),
        *("--vary", "detectors.warmup=50", "--plot", "a.png"),
    )
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "expected matplotlib to draw with: pip install 'driftline[plot]'" in result.err


def test_ctrl_c_ends_a_sweep_and_its_processes_without_a_word(press: Path) -> None:
    command = [sys.executable, "-m", "streams", "backtest", "press.csv", "--windows", "windows.csv"]
    command += ["--vary", f"detectors.warmup={','.join(map(str, range(50, 150)))}"]
    with subprocess.Popen(
        command,
        cwd=press,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        # One of them is the resource tracker of multiprocessing.
        while len(children.read_text().split()) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        # It returns when nobody holds the pipes any more, so when all of them have ended.
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")
