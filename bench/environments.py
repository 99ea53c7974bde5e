"""Virtual environments of peers whose requirements are not Driftline's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.program import BenchError
from tests.brokers import ROOT

ENVIRONMENTS = ROOT / ".cache" / "bench"


def python_with(requirements: Path, note: Callable[[str], None]) -> str:
    """Return the Python of an environment with exactly these requirements; make it if need be.

    Parameters
    ----------
    requirements
        A file of pinned versions; the environment is named after it, and made anew when it changes.
    note
        Told when something is installed.

    Raises
    ------
    BenchError
        They can't be installed.
    """
    folder = ENVIRONMENTS / requirements.stem
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    wanted = requirements.read_text()
    if not installed.exists() or installed.read_text() != wanted:
        note(f"installing {requirements.name} into {folder.relative_to(ROOT)}")
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        _run([str(python), "-m", "pip", "install", *quiet, "-r", str(requirements)])
        installed.write_text(wanted)
    return str(python)


def pinned(requirements: Path) -> dict[str, str]:
    """Return the versions in a file of requirements, by name."""
    lines = requirements.read_text().splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: {done.stderr.strip()[-1000:]}")
