"""Machine code is kept from one process to the next, wherever that can be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.compiled import AVAILABLE, SOURCES

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

TELL = "from schemas import compiled as c; print(c._KEPT, c.is_kept(), c.is_complete())"


def told(place: Path, code: str = TELL, **more: str) -> list[str]:
    """What a process says that keeps its machine code there."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(place)} | more
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_it_is_complete_only_when_all_was_compiled(tmp_path: Path) -> None:
    place, kept, complete = told(tmp_path)
    assert Path(place).parent == tmp_path
    assert (kept, complete) == ("True", "False")
    told(tmp_path, "from schemas import compiled; compiled.mark_complete()")
    assert told(tmp_path)[1:] == ["True", "True"]


def test_where_nothing_can_be_written_a_copy_is_used(tmp_path: Path) -> None:
    told(tmp_path, "from schemas import compiled; compiled.mark_complete()")
    # Root may write anywhere, so the process is told that it may not.
    copy, kept, complete = told(tmp_path, f"import os; os.access = lambda *_: False; {TELL}")
    assert Path(copy).parent != tmp_path
    assert (kept, complete) == ("True", "True")
    assert not Path(copy).exists()


def test_without_a_place_to_write_it_is_compiled_each_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    assert told(file / "below")[1:] == ["False", "False"]


def test_a_user_without_a_home_has_it_compiled_each_time() -> None:
    homeless = "import pathlib\ndef none(*_): raise RuntimeError\npathlib.Path.home = none\n"
    unset = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": ""}
    assert told(Path(), homeless + TELL, **unset)[1:] == ["False", "False"]


def test_versions_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    old, recent = tmp_path / "old", tmp_path / "recent"
    old.mkdir()
    recent.mkdir()
    os.utime(old, (0, 0))
    told(tmp_path)
    assert not old.exists()
    assert recent.exists()


def test_the_sources_of_all_compiled_functions_are_in_the_digest() -> None:
    root = Path(__file__).parents[2]
    decorator = re.compile(r"^@(compiled|inlined|allocating)$|= compiled\(", re.MULTILINE)
    found = [
        path.relative_to(root).as_posix()
        for package in ("schemas", "detectors", "learners", "streams")
        for path in (root / package).rglob("*.py")
        if decorator.search(path.read_text())
    ]
    assert len(found) > 10
    assert [path for path in found if not path.startswith(SOURCES)] == []


NOT_COMPILED = """
import importlib, pkgutil, sys
from streams.bank.warm_up import warm_up
warm_up()
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0] not in ("schemas", "detectors", "learners", "streams"):
        continue
    for thing in vars(module).values():
        options = getattr(thing, "targetoptions", {})
        if getattr(thing, "__module__", "") == name and options.get("nopython"):
            if options.get("inline") != "always" and not thing.signatures:
                print(f"{name}.{thing.__name__}")
"""


def test_nothing_is_left_to_be_compiled_at_work(tmp_path: Path) -> None:
    # What is loaded brings its callees along unseen, so all of it is compiled here.
    assert told(tmp_path, NOT_COMPILED) == []
