"""The pages of the documentation as programs: their commands, what they print, their links.

A fenced block of ``console`` or ``bash`` holds commands, each behind ``$ ``, and what they print.
A line ``...`` stands for any number of lines. With ``DOCS_UPDATE=1`` in the environment the tests
write what the commands print now into the pages, in the shape that the pages have.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
UPDATE = os.environ.get("DOCS_UPDATE") == "1"
ELIDED = "..."
COMMAND_SECONDS = 120.0
FOLLOW_SECONDS = 6.0

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NO_CONTAINER = ("docker", "kubectl")
_INSTALL = ("pip", "git", "cd", "python3", "source", "export", "pytest")
_NEEDS_BROKER = frozenset(
    (
        "run",
        "topics",
        "produce",
        "check",
        "alerts",
        "dlq",
        "state",
        "models",
        "retrain",
        "dashboard",
    )
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language and the lines in it."""

    page: Path
    language: str
    text: str
    line: int


@dataclass
class Step:
    """One command of a page, and the lines that the page says it prints."""

    page: Path
    command: str
    expected: list[str]
    line: int

    @property
    def words(self) -> list[str]:
        """The words of its first simple command, assignments left out."""
        words = shlex.split(self.command.replace("\\\n", " "), comments=True)
        first = next((i for i, word in enumerate(words) if "=" not in word), 0)
        return words[first:]

    @property
    def kind(self) -> str:
        """``parsed``, ``make``, ``long``, ``kafka`` or ``plain``."""
        words = self.words
        match words[0]:
            case "make":
                return "make"
            case word if word in _NO_CONTAINER or word in _INSTALL:
                return "parsed"
            case "driftline" if words[1:2] == ["demo"]:
                return "long"
            case "python" if words[1:3] in (
                ["-m", "tests.chaos"],
                ["-m", "bench"],
                ["-m", "bench.quality"],
                ["-m", "bench.diagnosis"],
                ["-m", "bench.false_alarms"],
                ["-m", "bench.upstream_faults"],
                ["-m", "bench.first_days"],
            ):
                return "long"
            case "driftline" if len(words) > 1 and words[1] in _NEEDS_BROKER:
                return "kafka"
            case "curl":
                return "kafka"
            case _:
                through_kafka = "kafka-" in self.command or "subscribe.py" in self.command
                return "kafka" if through_kafka else "plain"

    @property
    def stays(self) -> bool:
        """Whether it runs until it is stopped, beside what follows."""
        return self.words[:2] == ["driftline", "run"] or self.words[:3] == [
            "driftline",
            "retrain",
            "run",
        ]

    @property
    def follows(self) -> bool:
        """Whether it prints what comes until Ctrl-C."""
        words = self.words
        return words[:3] == ["driftline", "alerts", "tail"] or "subscribe.py" in self.command

    @property
    def place(self) -> str:
        """Page and line, for the name of a test."""
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        yield Block(page, found[1], found[2], text.count("\n", 0, found.start()) + 1)


def steps(page: Path) -> list[Step]:
    """Return the commands of a page in their order."""
    found: list[Step] = []
    for block in blocks(page):
        if block.language not in ("console", "bash"):
            continue
        lines = block.text.splitlines()
        here: list[Step] = []
        for number, line in enumerate(lines, block.line + 1):
            if line.startswith("$ "):
                here.append(Step(page, line[2:], [], number))
            elif here and here[-1].command.endswith("\\") and not here[-1].expected:
                here[-1].command += f"\n{line}"
            elif here:
                here[-1].expected.append(line)
            else:
                raise ValueError(f"{page.name}:{number}: expected a command behind '$ '")
        found += here
    return found


def matches(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Tell whether `printed` is as a page says, ``...`` standing for any lines."""
    parts = ["\n".join(map(re.escape, part)) for part in _split(expected)]
    pattern = r"(?:.*\n)*?".join(f"{part}\n" if part else "" for part in parts)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def shortened(expected: Sequence[str], printed: Sequence[str]) -> list[str]:
    """`printed` in the shape of `expected`: as many lines before and after the ``...``."""
    if ELIDED not in expected:
        return list(printed)
    head = list(expected).index(ELIDED)
    tail = list(reversed(expected)).index(ELIDED)
    if head + tail >= len(printed):
        return list(printed)
    return [*printed[:head], ELIDED, *printed[len(printed) - tail :]]


def write(changed: Sequence[tuple[Step, Sequence[str]]]) -> None:
    """Put what steps printed into their pages."""
    by_page: dict[Path, list[tuple[Step, Sequence[str]]]] = {}
    for step, printed in changed:
        by_page.setdefault(step.page, []).append((step, printed))
    for page, entries in by_page.items():
        lines = page.read_text(encoding="utf-8").splitlines()
        for step, printed in sorted(entries, key=lambda entry: -entry[0].line):
            start = step.line + step.command.count("\n")
            lines[start : start + len(step.expected)] = shortened(step.expected, printed)
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass
class Shell:
    """Runs the commands of a page as its reader would, in a folder like a fresh checkout.

    Attributes
    ----------
    folder
        An empty folder.
    environment
        Variables beside those of every reader.
    translate
        Text of a page -> text here (addresses, names of topics).
    translate_back
        What is printed here -> text of a page.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    translate: Callable[[str], str] = str
    translate_back: Callable[[str], str] = str
    _running: list[tuple[Step, subprocess.Popen[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for entry in ROOT.iterdir():
            if not entry.name.startswith("."):
                (self.folder / entry.name).symlink_to(entry)
        tools = self.folder / ".tools"
        tools.mkdir()
        self.tool("python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        self.tool("driftline", f'#!/bin/sh\nexec "{sys.executable}" -m streams "$@"\n')
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
        self._environment = {
            **inherited,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "XDG_STATE_HOME": str(self.folder / ".state"),
            "MPLBACKEND": "Agg",
            **self.environment,
        }

    def tool(self, name: str, script: str) -> None:
        """Make a command that the page takes for granted."""
        path = self.folder / ".tools" / name
        path.write_text(script)
        path.chmod(0o755)

    def run(self, step: Step) -> tuple[int, list[str]]:
        """Run a command to its end: exit code and the lines it printed, stderr too."""
        process = self._start(step)
        try:
            if step.follows:
                time.sleep(FOLLOW_SECONDS)
                os.killpg(process.pid, signal.SIGINT)
            printed, _ = process.communicate(timeout=COMMAND_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        code = 0 if step.follows and process.returncode in (0, 130) else process.returncode
        return code, [line.rstrip() for line in self.translate_back(printed).splitlines()]

    def start(self, step: Step) -> None:
        """Start a command that stays until `stop`."""
        self._running.append((step, self._start(step)))

    def stop(self) -> dict[str, tuple[int, str]]:
        """End what was started, with SIGTERM: exit code and output by command."""
        for _, process in self._running:
            os.killpg(process.pid, signal.SIGTERM)
        ended: dict[str, tuple[int, str]] = {}
        for step, process in self._running:
            try:
                printed, _ = process.communicate(timeout=20.0)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                printed, _ = process.communicate()
            ended[step.command] = (process.returncode, printed)
        self._running.clear()
        return ended

    def _start(self, step: Step) -> subprocess.Popen[str]:
        bash = shutil.which("bash")
        assert bash is not None
        return subprocess.Popen(
            [bash, "-euo", "pipefail", "-c", f"exec 2>&1; {self.translate(step.command)}"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        found.add(plain.replace(" ", "-"))
    return found


def links(page: Path) -> list[str]:
    """Return the targets of the links and pictures of a page that lead into this project."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def _split(lines: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line == ELIDED:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts
