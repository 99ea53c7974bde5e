"""A worker starts whether its compiled code can be had or not, and says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from schemas import compiled
from streams.bank import warm_up
from streams.bank.warm_up import Compiled

pytestmark = pytest.mark.skipif(not compiled.AVAILABLE, reason="numba is not installed")


@pytest.fixture
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def test_it_is_ready_when_all_of_it_was_called(
    logged: list[structlog.typing.EventDict],
) -> None:
    prepared = Compiled()
    await prepared.prepare()
    assert prepared.ready
    assert [line["log_level"] for line in logged][-1] == "info"


async def test_a_compiler_that_fails_is_told_and_leaves_the_plain_way(
    monkeypatch: pytest.MonkeyPatch, logged: list[structlog.typing.EventDict]
) -> None:
    monkeypatch.setattr(compiled, "is_complete", lambda: False)
    monkeypatch.setattr(warm_up.sys, "executable", "/bin/false")
    prepared = Compiled()
    await prepared.prepare()
    assert not prepared.ready
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["reason"] == "RuntimeError: compiling ended with exit code 1"


async def test_kept_code_that_cannot_be_loaded_is_told_and_leaves_the_plain_way(
    monkeypatch: pytest.MonkeyPatch, logged: list[structlog.typing.EventDict]
) -> None:
    def damaged() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(compiled, "is_complete", lambda: True)
    monkeypatch.setattr(warm_up, "warm_up", damaged)
    prepared = Compiled()
    await prepared.prepare()
    assert not prepared.ready
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert line["reason"] == "OSError: the disk is gone"
