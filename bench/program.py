"""A program under measurement: another process, its CPU time and memory, held and let go."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.brokers import ROOT

END_SECONDS = 20.0


# A measurement that is killed must leave nothing behind that goes on working: the kernel ends
# the program with its parent (PR_SET_PDEATHSIG), which an exec does not change.
_TIED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process so far, in nanosecond resolution."""
    # What clock_getcpuclockid(3) makes of a process id on Linux.
    return time.clock_gettime((~pid << 3) | 2)


class BenchError(Exception):
    """A measurement that could not be made."""


class Program:
    """A process that is measured from outside.

    Parameters
    ----------
    name
        What messages call it.
    command
        Its words.
    directory
        Its working directory, for what it may leave, and for its log.
    environment
        Variables beside those of this process.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DRIFTLINE_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _TIED, *command],
                cwd=directory,
                env={**inherited, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._read = b""

    def check(self) -> None:
        """Raise if it has ended.

        Raises
        ------
        BenchError
            With the end of its log.
        """
        code = self._process.poll()
        if code is not None:
            last = self.log.read_text(errors="replace").strip()[-2000:]
            raise BenchError(f"{self.name} ended with {code}: {last or 'it wrote nothing'}")

    def cpu_seconds(self) -> float:
        """Return the CPU time of all its threads so far, in nanosecond resolution."""
        return cpu_seconds(self.pid)

    def rss_bytes(self) -> int:
        """Return its resident memory."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def hold(self) -> None:
        """Freeze it."""
        self._process.send_signal(signal.SIGSTOP)

    def go(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def line(self, seconds: float) -> str | None:
        """Return the next line that it prints, or None after `seconds` without one."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._read:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return None
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                self._process.wait()
                self.check()
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def end(self) -> None:
        """End it as an operator would, or at once if it does not listen."""
        self.go()
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
