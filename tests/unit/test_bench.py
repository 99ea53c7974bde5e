"""What the measurements rest on: events, ratios, a program seen from outside, and the command."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import orjson
import pytest

from bench import compare, curves, environments, latency, restore, scale, stalls
from bench.__main__ import main
from bench.contenders import CONTENDERS, PEERS, Contender, Peer
from bench.environments import pinned, python_with
from bench.events import readings
from bench.figures import Spread, times_less
from bench.group import Backlog
from bench.harness import Load, Run
from bench.limits import half_a_core
from bench.peers.common import Milestones, Sensor
from bench.program import BenchError, Program
from schemas.settings import load_settings
from tests.brokers import ROOT, wait_for

BUSY = "x = 0\nwhile True: x += 1"


def a_run(contender: str, number: int, microseconds: float, events: int = 1000) -> Run:
    return Run(contender, number, Load(events), 1.0, microseconds * events / 1e6, 100.0, 0, 0.5)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Program]]:
    programs: list[Program] = []
    yield programs
    for program in programs:
        program.end()


def test_the_events_are_the_same_in_every_run() -> None:
    assert list(readings(500, 7)) == list(readings(500, 7))


def test_every_sensor_has_as_many_events_and_what_follows_goes_on_in_turn() -> None:
    events = [*readings(15, 10), *readings(25, 10, first=15)]
    assert Counter(key for key, _ in events) == Counter({b"s-%06d" % n: 4 for n in range(10)})
    times = [orjson.loads(value)["ts"] for _, value in events]
    assert times == sorted(set(times))


def test_an_event_is_keyed_by_its_sensor() -> None:
    for key, value in readings(30, 3):
        assert orjson.loads(value)["sensor_id"].encode() == key


@pytest.mark.parametrize("sensors", [1, 90, 1000])
def test_the_detectors_of_each_sensor_are_at_work_before_the_measured_events(sensors: int) -> None:
    load = Load(events=5, sensors=sensors)
    seen = Counter(key for key, _ in readings(load.warm_up, sensors))
    assert len(seen) == sensors
    assert min(seen.values()) > load_settings(None).detectors.warmup


def test_a_sensor_of_the_peers_is_silent_until_its_readings_change() -> None:
    sensor = Sensor()
    learned = [sensor.judge(20.0) for _ in range(5000)]
    changed = [sensor.judge(90.0 + n % 7) for n in range(200)]
    assert learned[-1000:] == [None] * 1000
    assert any(error is not None for error in changed)


def test_milestones_are_told_once_each_as_soon_as_they_are_reached(
    capsys: pytest.CaptureFixture[str],
) -> None:
    milestones = Milestones([3, 5])
    told = []
    for passed in (2, 2, 1, 10):
        milestones.passed(passed)
        told.append(capsys.readouterr().out.split())
    assert told == [[], ["3"], ["5"], []]


def test_a_machine_that_slows_down_between_rounds_does_not_change_the_ratio() -> None:
    runs = [
        run
        for number, slowness in enumerate((1.0, 2.0, 3.5))
        for run in (
            a_run("hand-written", number, 10 * slowness),
            a_run("driftline", number, 2 * slowness),
        )
    ]
    assert times_less(runs, "driftline", "hand-written") == pytest.approx([5.0, 5.0, 5.0])


def test_a_spread_is_the_median_between_lowest_and_highest() -> None:
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)
    assert Spread.of([5.0, 1.0, 2.0]).text(".1f") == "2.0 (1.0 to 5.0)"


def test_the_cpu_time_of_a_program_grows_and_stands_still_while_it_is_held(
    started: list[Program], tmp_path: Path
) -> None:
    program = Program("busy", [sys.executable, "-c", BUSY], tmp_path)
    started.append(program)
    wait_for(lambda: program.cpu_seconds() > 0.05, 30.0, "no CPU time")
    program.hold()
    stat = Path(f"/proc/{program.pid}/stat")
    wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 10.0, "it goes on")
    held = program.cpu_seconds()
    assert sum(range(3_000_000)) > 0
    assert program.cpu_seconds() == held
    program.go()
    wait_for(lambda: program.cpu_seconds() > held, 30.0, "it does not go on")


def test_the_cpu_time_of_a_program_is_what_the_kernel_says(
    started: list[Program], tmp_path: Path
) -> None:
    code = "for _ in range(2_000_000): pass\nprint('done', flush=True)\nimport time; time.sleep(60)"
    program = Program("busy", [sys.executable, "-c", code], tmp_path)
    started.append(program)
    assert program.line(30.0) == "done"
    fields = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    assert program.cpu_seconds() == pytest.approx(ticks, abs=0.03)


def test_a_program_that_ended_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; print('no broker', file=sys.stderr); sys.exit(3)"
    program = Program("peer", [sys.executable, "-c", code], tmp_path)
    with pytest.raises(BenchError, match="peer ended with 3: no broker"):
        program.line(30.0)
    program.end()


def test_a_program_is_read_line_by_line_and_silence_is_none(
    started: list[Program], tmp_path: Path
) -> None:
    program = Program("peer", ["sh", "-c", "printf '10\\n20\\n'; sleep 60"], tmp_path)
    started.append(program)
    assert [program.line(30.0), program.line(30.0), program.line(0.05)] == ["10", "20", None]


def test_a_line_that_is_there_is_read_without_waiting(
    started: list[Program], tmp_path: Path
) -> None:
    program = Program("peer", ["sh", "-c", "echo 10; sleep 60"], tmp_path)
    started.append(program)
    wait_for(lambda: program.line(0.0) == "10", 30.0, "nothing to read")


def test_a_program_that_is_held_can_be_ended(tmp_path: Path) -> None:
    program = Program("held", ["sleep", "60"], tmp_path)
    program.hold()
    program.end()
    with pytest.raises(BenchError, match=f"held ended with -{signal.SIGTERM:d}"):
        program.check()


def test_a_program_dies_with_a_measurement_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from bench.program import Program\n"
        "program = Program('p', ['sh', '-c', 'echo up; sleep 60'], Path(sys.argv[1]))\n"
        "assert program.line(30.0) == 'up'\n"
        "print(program.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    # One that ended but was not waited for has no command line left.
    command_line = Path(f"/proc/{pid}/cmdline")
    wait_for(
        lambda: not command_line.exists() or not command_line.read_bytes(),
        10.0,
        "it outlives the measurement",
    )


@pytest.mark.parametrize(
    "peer", [peer for peer in PEERS if peer.requirements], ids=lambda p: p.name
)
@pytest.mark.parametrize("library", ["river", "numpy", "orjson"])
def test_a_peer_with_an_environment_of_its_own_has_our_libraries(peer: Peer, library: str) -> None:
    assert peer.requirements is not None
    assert pinned(peer.requirements)[library] == version(library)


def test_an_environment_is_made_once_and_again_when_its_requirements_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path / "environments")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    requirements = tmp_path / "peer.txt"
    told: list[str] = []
    for text in ("# nothing\n", "# nothing\n", "# still nothing\n"):
        requirements.write_text(text)
        python = python_with(requirements, told.append)
    assert subprocess.run([python, "-c", ""], check=False).returncode == 0
    assert told == ["installing peer.txt into environments/peer"] * 2


@pytest.fixture
def fake_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in which Driftline takes a sixth of the CPU of the loop, and Faust ten times as much."""
    cost = {"driftline": 2.0, "hand-written": 12.0, "bytewax": 20.0, "quix": 24.0, "faust": 120.0}

    def measured(work: list[tuple[Contender, Load]], count: int) -> list[Run]:
        return [
            a_run(contender.name, number, cost[contender.name], load.events)
            for number, (contender, load) in itertools.product(range(1, count + 1), work)
        ]

    monkeypatch.setattr(compare, "measured", measured)


@pytest.mark.usefixtures("fake_runs")
def test_the_command_prints_a_row_for_each_contender(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    rows = capsys.readouterr().out.splitlines()[1:-1]
    assert len(rows) == len(CONTENDERS)
    for row, title in zip(rows, (c.title for c in CONTENDERS.values()), strict=True):
        assert row.startswith(title)
    assert "6.00 (6.00 to 6.00)" in rows[0]
    assert "1,000,000" in rows[0]
    assert "100,000" in rows[-1]


@pytest.mark.usefixtures("fake_runs")
def test_only_those_that_are_asked_for_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "faust", "--only", "driftline"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:-1]
    assert [row.split(",")[0].split()[0] for row in rows] == ["Driftline", "Faust"]


@pytest.mark.usefixtures("fake_runs")
def test_the_command_fails_in_one_line_where_the_ratio_is_too_small(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--small", "--at-least", "5.9"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["--small", "--at-least", "6.1"]) == 1
    assert capsys.readouterr().err == "bench: 6.00 times the hand-written loop: less than 6.1\n"


@pytest.mark.usefixtures("fake_runs")
def test_the_raw_results_say_what_was_measured_of_which_versions_on_which_machine(
    tmp_path: Path,
) -> None:
    file = tmp_path / "results.json"
    assert main(["--rounds", "2", "--json", str(file)]) == 0
    content = json.loads(file.read_text())
    assert len(content["runs"]) == 2 * len(CONTENDERS)
    assert content["runs"][0]["load_average"] == 0.5
    assert content["conditions"]["versions"]["river"] == version("river")
    assert content["conditions"]["peers"]["quix"]["quixstreams"]
    assert content["conditions"]["machine"]["cpu"]
    assert content["summary"]["driftline"]["times_less_cpu_than_hand_written"]["median"] == (
        pytest.approx(6.0)
    )


@pytest.mark.usefixtures("fake_runs")
def test_the_picture_is_a_png(tmp_path: Path) -> None:
    file = tmp_path / "results.png"
    assert main(["--plot", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--only", "flink"], "--only"),
        (["--only", "faust", "--at-least", "2"], "--at-least"),
        (["--rounds", "0"], "--rounds"),
    ],
)
def test_a_bad_option_is_named_in_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_a_program_is_held_to_half_a_core(started: list[Program], tmp_path: Path) -> None:
    program = Program("busy", [sys.executable, "-c", BUSY], tmp_path)
    started.append(program)
    wait_for(lambda: program.cpu_seconds() > 0.05, 30.0, "no CPU time")
    with half_a_core(program):
        began, cpu = time.perf_counter(), program.cpu_seconds()
        time.sleep(0.5)
        share = (program.cpu_seconds() - cpu) / (time.perf_counter() - began)
    assert 0.0 < share < 0.65


def test_the_gain_of_a_second_worker_is_taken_within_a_round() -> None:
    load = Load(1000)
    runs = [
        Backlog(workers, number, load, 1000.0, seconds, 1.0, 0.1, 0.5)
        for number, slowness in enumerate((1.0, 3.0))
        for workers, seconds in ((1, 2.0 * slowness), (2, 1.0 * slowness))
    ]
    assert scale.gain(runs) == Spread(2.0, 2.0, 2.0)


def test_a_curve_has_a_point_for_each_number_of_sensors_and_of_partitions() -> None:
    runs = [
        Run("driftline", number, load, 1.0, load.sensors + load.partitions, 100.0, 0, 0.5)
        for number, load in itertools.product((1, 2), curves.loads(1_000_000))
    ]
    over_sensors, over_partitions = curves.over(runs).values()
    assert list(over_sensors) == list(curves.SENSORS)
    assert over_sensors[10].median == 18.0
    # The usual number of partitions is a point of the other curve, and so of both.
    assert set(over_partitions) == {8, *curves.PARTITIONS}
    assert list(over_partitions) == sorted(over_partitions)


@pytest.mark.parametrize(("percent", "figure"), [(1, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)])
def test_a_percentile_is_a_figure_that_so_many_do_not_exceed(percent: int, figure: float) -> None:
    assert latency.percentile([float(n) for n in range(100, 0, -1)], percent) == figure


def test_a_restored_state_is_compared_with_reading_it() -> None:
    reader = {"records": 10.0, "bytes": 1000.0, "seconds": 2.0, "cpu_seconds": 0.5}
    pair = restore.Pair(1, 3.0, 2.0, 100.0, 101.0, reader, 0.5)
    result = restore.summary(restore.Result(1024, 600.0, [pair]))
    assert result["times_longer_than_reading"]["median"] == 1.5
    assert result["times_the_cpu_of_reading"]["median"] == 4.0
    assert result["bytes_per_sensor_in_memory"]["median"] == 1024.0


def test_a_stall_is_the_longest_time_between_slices() -> None:
    runs = [stalls.Stall(n, 1000, 2.0, 0.1 * n, 0.05, [10, 20 * n], 0.5) for n in (1, 2, 3)]
    result = stalls.summary(runs)
    assert result["longest_gap"] == pytest.approx({"median": 0.2, "low": 0.1, "high": 0.3})
    assert result["most_rows_of_a_partition"] == 60


@pytest.mark.parametrize("command", ["curves", "scale", "latency", "restore", "stalls", "many"])
def test_an_option_in_front_of_a_command_is_refused_and_not_ignored(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--rounds", "2", command]) == 2
    assert capsys.readouterr().err == (
        f"bench: --rounds: 2 is not allowed: expected nothing in front of {command}\n"
    )


def test_workers_that_can_not_share_the_partitions_evenly_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["scale", "--partitions", "5"]) == 2
    assert "an even number" in capsys.readouterr().err
