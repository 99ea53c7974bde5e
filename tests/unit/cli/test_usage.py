"""Usage, configuration and the ends of the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streams.cli import main
from tests.brokers import EmbeddedServer
from tests.unit.cli.conftest import Driftline

COMMANDS = [
    "demo",
    "detect",
    "backtest",
    "check",
    "run",
    "produce",
    "dashboard",
    "topics create",
    "topics check",
    "alerts list",
    "alerts tail",
    "alerts ack",
    "alerts mute",
    "alerts unmute",
    "dlq list",
    "dlq replay",
    "state show",
    "models list",
    "models show",
    "models promote",
    "models rollback",
    "retrain request",
    "retrain run",
    "schemas export",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_examples(driftline: Driftline, command: str) -> None:
    result = driftline(*command.split(), "--help")
    assert result.code == 0
    assert f"Usage: driftline {command}" in result.out
    assert "Examples:" in result.out
    assert f"driftline {command}" in result.out.partition("Examples:")[2]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["detcet"], "No such command 'detcet'. Did you mean 'detect'?: expected one of demo,"),
        (["alerts", "lst"], "expected one of list, tail, ack, mute, unmute, feedback"),
        (["alerts"], "Missing command: expected one of list, tail, ack, mute, unmute, feedback"),
        (["detect"], "Missing argument 'FILE' (see `driftline detect --help`)"),
        (["detect", "x.csv"], "Missing option '--detector'"),
        (["--bogus"], "No such option: --bogus"),
        (["demo", "--sed", "1"], "(Possible options: --seed)"),
        (["demo", "--seed", "x"], "--seed: 'x' is not allowed: expected a whole number"),
        (["demo", "--dataset", "iris"], "--dataset: 'iris' is not allowed: expected one of mach"),
        (["produce", "x.csv", "--topic", "alerts"], "--topic: 'alerts' is not allowed: expected"),
        (["alerts", "list", "--limit", "0"], "--limit: '0' is not allowed: expected at least 1"),
        (["alerts", "list", "--since", "soon"], "--since: 'soon' is not allowed: expected a time"),
        (["alerts", "mute", "a", "--for", "2 h"], "--for: '2 h' is not allowed: expected a dur"),
        (["dlq", "replay", "17"], "ID: '17' is not allowed: expected PARTITION-OFFSET"),
        (["check", "--set", "http.port"], "--set: 'http.port' is not allowed: expected KEY=VALUE"),
        (["check", "--set", "http.port=x"], "http.port: 'x' is not allowed: expected a port"),
        (["check", "--set", "http.prot=1"], "http.prot is not a known key: did you mean http.por"),
        (["run", "-c", "none.toml"], "none.toml' is not allowed: expected a TOML file"),
        (["alerts", "mute", ""], "SENSOR: '' is not allowed: expected 1 to 200 characters"),
        (["alerts", "unmute", "x" * 201], "is not allowed: expected 1 to 200 characters"),
        (["alerts", "mute", "\udcff"], "is not allowed: expected 1 to 200 characters"),
        (["alerts", "mute", "a", "--for", "0s"], "--for: '0s' is not allowed: expected a dur"),
        (["state", "show", ""], "SENSOR: '' is not allowed: expected 1 to 200 characters"),
        (["retrain", "request", ""], "SENSOR: '' is not allowed: expected 1 to 200 characters"),
        (["models", "rollback", ""], "NAME: '' is not allowed: expected 1 to 200 characters"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    driftline: Driftline, arguments: list[str], line: str
) -> None:
    result = driftline(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert line in result.err
    assert result.err.startswith("driftline: ")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "detectors.params.adwin.dleta",
            "1",
            "detectors.params.adwin.dleta is not a known key: did you mean "
            "detectors.params.adwin.delta?",
        ),
        (
            "detectors.params.cusum.h",
            "-5",
            "detectors.params.cusum.h: -5 is not allowed: expected a number above 0",
        ),
        (
            "learner.model",
            '{"class":"river.linear_model.LinearRegresion"}',
            "learner.model.class: 'river.linear_model.LinearRegresion' is not allowed: "
            "expected a public River class (did you mean river.linear_model.LinearRegression?)",
        ),
        (
            "kafka.sasl_mechanism",
            "OAUTHBEARER",
            "expected one of 'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'",
        ),
        ("state.signing_key", "hush", "state.signing_key: '**********' is not allowed: expected"),
    ],
)
def test_check_names_the_whole_key_of_what_no_worker_could_start_with(
    driftline: Driftline, key: str, value: str, line: str
) -> None:
    result = driftline("check", "--set", f"{key}={value}")
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert line in result.err


@pytest.mark.parametrize("command", [["check"], ["topics", "check"], ["alerts", "mute", "a"]])
def test_a_certificate_that_can_not_be_used_is_bad_configuration(
    driftline: Driftline, tmp_path: Path, command: list[str]
) -> None:
    tls = ["--set", "kafka.security_protocol=ssl", "--set"]
    missing = driftline(*command, *tls, "kafka.ssl_ca_location=/none.pem")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert "kafka.ssl_ca_location: '/none.pem' is not allowed: expected a file" in missing.err
    (tmp_path / "ca.pem").write_text("no certificate\n")
    wrong = driftline(*command, *tls, "kafka.ssl_ca_location=ca.pem")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "ssl.ca.location" in wrong.err


def test_backtest_names_the_option_of_a_file_of_labels_that_is_not_there(
    driftline: Driftline, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("ts,value\n2026-01-05,1\n")
    result = driftline("backtest", "a.csv", "--labels", "none.csv")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "--labels: 'none.csv' is not allowed: expected a file" in result.err


def test_configuration_comes_from_file_then_environment_then_command_line(
    driftline: Driftline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = "kafka.bootstrap_servers"
    (tmp_path / "driftline.toml").write_text(
        'group = "file"\ntopics.prefix = "file"\nlearner.lags = 7\n'
        '[kafka]\nbootstrap_servers = "127.0.0.1:1"\nsecurity_protocol = "plaintext"\n'
    )
    monkeypatch.setenv("DRIFTLINE_TOPICS__PREFIX", "environment")
    monkeypatch.setenv("DRIFTLINE_GROUP", "environment")
    monkeypatch.setattr("streams.cli.kafka.CONNECT_SECONDS", 0.5)
    result = driftline("check", "--json", "--set", "group=line")
    configuration = result.lines[0]["configuration"]
    assert configuration["learner"]["lags"] == 7
    assert configuration["topics"]["prefix"] == "environment"
    assert configuration["group"] == "line"
    assert result.code == 1
    assert servers in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["topics", "check"],
        ["topics", "create"],
        ["alerts", "list"],
        ["alerts", "tail"],
        ["alerts", "mute", "a"],
        ["dlq", "list"],
        ["dlq", "replay"],
        ["state", "show", "a"],
        ["models", "list"],
        ["retrain", "request", "a"],
    ],
)
def test_a_broker_that_does_not_answer_is_one_line_and_exit_code_1(
    driftline: Driftline, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("streams.cli.kafka.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("streams.topics._ANSWER_SECONDS", 0.3)
    result = driftline(*arguments, "--set", "kafka.bootstrap_servers=127.0.0.1:1")
    assert result.code == 1
    assert "kafka.bootstrap_servers" in result.err
    assert "127.0.0.1:1" in result.err
    assert result.err.count("\n") == 1


def test_a_secret_is_masked_in_what_is_written(
    driftline: Driftline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.cli.kafka.CONNECT_SECONDS", 0.3)
    monkeypatch.setenv("DRIFTLINE_STATE__SIGNING_KEY", "hush-hush-hush-hush-hush-hush-hush")
    monkeypatch.setenv("DRIFTLINE_KAFKA__SASL_PASSWORD", "tell-no-one")
    result = driftline("check", "--json", "--set", "kafka.bootstrap_servers=127.0.0.1:1")
    assert result.lines[0]["check"] == "configuration"
    assert "hush-hush" not in result.out + result.err
    assert "tell-no-one" not in result.out + result.err


def test_help_needs_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; from streams.cli import main; main(['detect', '--help']);"
        "heavy = {'faust', 'river', 'numba', 'matplotlib', 'confluent_kafka', 'aiohttp'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_defect_is_one_line_too(driftline: Driftline, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("schemas.export.export_schemas", broken)
    result = driftline("schemas", "export", "out")
    assert result.code == 1
    assert result.err.startswith("driftline: ZeroDivisionError: division by zero")
    assert result.err.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "bits.csv"
    path.write_text("value\n" + "\n".join(str(n // 40 % 2 * 50 + n % 7) for n in range(60_000)))
    command = [sys.executable, "-m", "streams", "detect", str(path), "--detector", "page-hinkley"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.embedded
def test_ctrl_c_ends_a_command_that_waits(embedded_broker: EmbeddedServer) -> None:
    embedded_broker.broker.create_topics({"ctrl-c.alerts": 1})
    environment = {
        **os.environ,
        "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": embedded_broker.bootstrap_servers,
        "DRIFTLINE_TOPICS__PREFIX": "ctrl-c",
    }
    command = [sys.executable, "-m", "streams", "alerts", "tail", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        time.sleep(3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_schemas_export_writes_json_files_and_says_which(
    driftline: Driftline, tmp_path: Path
) -> None:
    result = driftline("schemas", "export", tmp_path / "out")
    assert result.code == 0
    names = [Path(line).name for line in result.out.splitlines()]
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)
    assert any("asyncapi" in name for name in names)
    for path in (tmp_path / "out").glob("*.json"):
        json.loads(path.read_text())


def test_python_m_streams_is_driftline() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams", "alerts", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Usage: driftline alerts" in done.stdout


def test_the_version_is_shown(driftline: Driftline) -> None:
    assert driftline("--version").out.startswith("driftline ")


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "driftline demo" in capsys.readouterr().out
