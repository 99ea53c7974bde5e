"""What README.md and docs/ say is so: commands, what they print, snippets, tables and links."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import detectors
import learners
from schemas.settings import load_settings
from streams.metrics import Reason
from tests import docs
from tests.docs import PAGES, ROOT, UPDATE, Shell, Step

STEPS = [step for page in PAGES for step in docs.steps(page)]
BLOCKS = [block for page in PAGES for block in docs.blocks(page)]


def _of_kind(kind: str) -> list[Step]:
    return [step for step in STEPS if step.kind == kind]


def _by_place(step: Step) -> str:
    return step.place


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="module")
def printed() -> Iterator[list[tuple[Step, list[str]]]]:
    collected: list[tuple[Step, list[str]]] = []
    yield collected
    if UPDATE:
        docs.write(collected)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("step", _of_kind("plain"), ids=_by_place)
def test_a_command_prints_what_the_page_says(
    step: Step, shell: Shell, printed: list[tuple[Step, list[str]]]
) -> None:
    code, lines = shell.run(step)
    assert code == 0, "\n".join(lines)
    printed.append((step, lines))
    if not UPDATE:
        assert docs.matches(step.expected, lines), "\n".join(lines)


@pytest.mark.parametrize("step", _of_kind("make"), ids=_by_place)
def test_a_make_target_of_the_documentation_is_there(step: Step) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *step.words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("step", STEPS, ids=_by_place)
def test_a_command_is_good_bash(step: Step) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run([bash, "-n", "-c", step.command], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("step", _of_kind("long"), ids=_by_place)
def test_a_command_that_takes_minutes_has_the_options_of_the_page(step: Step, shell: Shell) -> None:
    # It has tests of its own.
    options = [word for word in step.words if word.startswith("--")]
    rest = itertools.takewhile(lambda word: not word.startswith("--"), step.words)
    code, lines = shell.run(Step(step.page, f"{' '.join(rest)} --help", [], step.line))
    assert code == 0, lines
    for option in options:
        assert any(option in line for line in lines)


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language in ("python", "toml", "json", "yaml")],
    ids=lambda block: f"{block.page.name}:{block.line}",
)
def test_a_snippet_is_good(block: docs.Block, tmp_path: Path) -> None:
    match block.language:
        case "python":
            examples = [path.read_text(encoding="utf-8") for path in _examples()]
            assert any(block.text.strip() in text for text in examples), "not in examples/"
        case "toml":
            assert tomllib.loads(block.text)
            file = tmp_path / "snippet.toml"
            file.write_text(block.text)
            settings = load_settings(file)
            learners.create(settings.learner)
            for name, params in settings.detectors.params.items():
                detectors.create(name, **params)
        case "json":
            assert json.loads(block.text)
        case _:
            assert yaml.safe_load(block.text)


def test_every_example_is_told_of() -> None:
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in (ROOT / "examples").iterdir():
        if path.is_file():
            assert f"examples/{path.name}" in told


def test_the_ten_line_example_has_ten_lines() -> None:
    assert len((ROOT / "examples" / "find_a_change.py").read_text().splitlines()) <= 10


def test_the_configuration_of_the_examples_is_allowed() -> None:
    settings = load_settings(ROOT / "examples" / "driftline.toml")
    assert settings.for_sensor("oven-2").learner.task == "classification"
    assert settings.for_sensor("press-7").learner.task == "forecast"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in docs.links(page):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if anchor:
            assert anchor in docs.anchors(there), target


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_key_of_the_configuration_is_described_and_no_other(reference: ModuleType) -> None:
    keys = [key for key, _ in reference.keys(reference.Settings)]
    assert sorted(keys) == sorted(reference.MEANING)
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for key in keys:
        assert f"| `{key}` |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_those_that_the_code_makes(page: Path, reference: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    if UPDATE:
        page.write_text(reference.updated(text), encoding="utf-8")
    else:
        assert reference.updated(text) == text, "run python docs/reference.py"


def test_every_table_of_the_reference_stands_in_a_page(reference: ModuleType) -> None:
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in reference.TABLES:
        assert f"<!-- begin {name} -->" in told


def test_every_alert_rule_has_a_part_in_operations() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    names = [
        rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    ]
    assert names
    headings = docs.anchors(ROOT / "docs" / "operations.md")
    for name in names:
        assert name.lower() in headings


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for reason in Reason:
        assert f"| `{reason.value}` |" in page


def test_the_picture_is_what_its_program_draws(shell: Shell) -> None:
    new = shell.folder / "machine-temperature.png"
    if not new.exists():  # the README's own command has drawn it, unless this test runs alone
        code, lines = shell.run(
            Step(PAGES[0], f"python examples/plot_drift.py {new.name}", [], 0),
        )
        assert code == 0, lines
    signature, size = b"\x89PNG\r\n\x1a\n", slice(16, 24)
    kept = (ROOT / "docs" / "images" / new.name).read_bytes()
    assert new.read_bytes().startswith(signature)
    assert new.read_bytes()[size] == kept[size]


def _examples() -> list[Path]:
    return [path for path in (ROOT / "examples").iterdir() if path.suffix == ".py"]


def test_output_with_an_ellipsis_matches_any_lines_in_its_place() -> None:
    assert docs.matches(["a", "...", "z"], ["a", "b", "c", "z"])
    assert docs.matches(["a", "...", "z"], ["a", "z"])
    assert docs.matches(["..."], [])
    assert not docs.matches(["a", "...", "z"], ["a", "b"])
    assert not docs.matches(["a"], ["a", "b"])
    assert docs.shortened(["1", "...", "2"], ["a", "b", "c", "d"]) == ["a", "...", "d"]
