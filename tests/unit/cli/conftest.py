"""The command line under test, in this process, on the embedded broker."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import Settings, load_settings
from streams.cli import main
from tests.brokers import EmbeddedServer

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Result:
    """What a run of the command looked like from outside."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Driftline = Callable[..., Result]


@pytest.fixture
def driftline(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Driftline:
    """Run ``driftline`` with these arguments, in an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def settings(embedded_broker: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a deployment of the test's own, which the command reads from its environment."""
    environment = {
        "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": embedded_broker.bootstrap_servers,
        "DRIFTLINE_GUARANTEE": embedded_broker.guarantee,
        "DRIFTLINE_TOPICS__PREFIX": f"cli-{next(_NUMBERS)}",
        "DRIFTLINE_GROUP": f"cli-{next(_NUMBERS)}",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.fixture
def deployment(settings: Settings, embedded_broker: EmbeddedServer) -> Settings:
    """The same with its topics created."""
    embedded_broker.create_topics(settings)
    return settings
