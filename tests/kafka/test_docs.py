"""The commands of README.md and docs/ that need Kafka, each page from its top, on a real one."""

from __future__ import annotations

import re
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.topics import TOPICS
from tests import docs
from tests.brokers import KafkaServer, free_ports, wait_for
from tests.docs import PAGES, UPDATE, Shell, Step
from tests.kafka_tools import TOOLS

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PATIENCE = 30.0


def _kafka_steps(page: Path) -> list[Step]:
    return [step for step in docs.steps(page) if step.kind == "kafka"]


def _once(step: Step) -> bool:
    """Whether a command changes something, so that it can't be tried again."""
    return step.words[1:2] == ["produce"] or any(
        word in step.command for word in (" replay", " ack ", " mute ", " request ", "-producer")
    )


@pytest.fixture
def reader(kafka: KafkaServer, tmp_path: Path) -> Iterator[Shell]:
    """A reader of the pages at a Kafka, in topics of their own."""
    prefix = f"docs-{uuid.uuid4().hex[:8]}"
    (port,) = free_ports(1)
    names = "|".join(topic.name for topic in TOPICS)

    def here(text: str) -> str:
        text = text.replace("localhost:9092", kafka.bootstrap_servers)
        text = text.replace("localhost:8080", f"localhost:{port}")
        return re.sub(rf"\bdriftline\.({names})\b", rf"{prefix}.\1", text)

    def there(text: str) -> str:
        text = text.replace(kafka.bootstrap_servers, "localhost:9092")
        return text.replace(f"{prefix}.", "driftline.").replace(prefix, "driftline")

    shell = Shell(
        tmp_path,
        {
            "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "DRIFTLINE_TOPICS__PREFIX": prefix,
            "DRIFTLINE_GROUP": prefix,
            "DRIFTLINE_HTTP__PORT": str(port),
        },
        here,
        there,
    )
    # The example subscribes to the names that topics have by default.
    example = tmp_path / "examples"
    source = example.resolve()
    example.unlink()
    example.mkdir()
    for path in source.iterdir():
        if path.is_file():
            (example / path.name).write_text(here(path.read_text(encoding="utf-8")))
    for name in TOOLS:
        shell.tool(name, f'#!/bin/sh\nexec "{sys.executable}" -m tests.kafka_tools {name} "$@"\n')
    shell.port = port  # type: ignore[attr-defined]
    yield shell
    shell.stop()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if _kafka_steps(page)], ids=lambda page: page.name
)
def test_commands_that_need_kafka_print_what_the_page_says(page: Path, reader: Shell) -> None:
    changed: list[tuple[Step, list[str]]] = []
    started = False
    for step in _kafka_steps(page):
        if " --delete " in step.command:
            _stop(reader)  # as the page asks for
            started = False
        if step.stays:
            reader.start(step)
            if step.words[1] == "run":
                started = True
                wait_for(lambda: _ready(reader), 60.0, f"{step.place}: the worker is not ready")
            continue
        if started:
            wait_for(lambda: _caught_up(reader), 60.0, f"{step.place}: the worker does not end")
        deadline = time.monotonic() + PATIENCE
        while True:
            code, lines = reader.run(step)
            good = code == 0 and (UPDATE or docs.matches(step.expected, lines))
            if good or _once(step) or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        assert code == 0, f"{step.place}: {step.command}\n" + "\n".join(lines)
        changed.append((step, lines))
        assert good, f"{step.place}: {step.command}\n" + "\n".join(lines)
    _stop(reader)
    if UPDATE:
        docs.write(changed)


def _stop(reader: Shell) -> None:
    for command, (code, log) in reader.stop().items():
        assert code == 0, f"{command}\n{log}"


def _get(reader: Shell, path: str) -> str | None:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{reader.port}{path}",  # type: ignore[attr-defined]
            timeout=5.0,
        ) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def _ready(reader: Shell) -> bool:
    return _get(reader, "/readyz") is not None


def _caught_up(reader: Shell) -> bool:
    """Whether the worker stands at the end of all inputs, two checkpoints long."""
    before = _get(reader, "/metrics") or ""
    time.sleep(2.5)
    after = _get(reader, "/metrics") or ""
    behind = re.findall(r"^driftline_records_behind{.*} (\S+)$", after, re.MULTILINE)
    counts = [
        re.findall(r"^driftline_\w+_total.* (\S+)$", text, re.MULTILINE) for text in (before, after)
    ]
    return bool(behind) and not any(map(float, behind)) and counts[0] == counts[1]
