"""Raw results as a file: what was measured, of which versions, on which machine, when."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import confluent_kafka

from bench.contenders import PEERS
from bench.environments import pinned
from tests.brokers import JARS, ROOT

LIBRARIES = (
    "driftline",
    "aiokafka",
    "confluent-kafka",
    "faust-streaming",
    "msgspec",
    "numba",
    "numpy",
    "orjson",
    "river",
)


def conditions() -> dict[str, Any]:
    """Return date, machine and versions."""
    peers = {
        peer.name: pinned(peer.requirements) for peer in PEERS if peer.requirements is not None
    }
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
            "system": platform.platform(),
        },
        "commit": _commit(),
        "versions": {
            "python": platform.python_version(),
            "kafka": JARS.name.removeprefix("libs-"),
            "librdkafka": confluent_kafka.libversion()[0],
            **{name: version(name) for name in LIBRARIES},
        },
        "peers": peers,
    }


def cpu_model() -> str:
    """Return what the processor calls itself."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def write(
    path: Path, what: Mapping[str, Any], runs: Iterable[Mapping[str, Any]], summary: Any
) -> None:
    """Write a JSON file.

    Parameters
    ----------
    path
        The file.
    what
        What was asked for.
    runs
        Every run as it was measured.
    summary
        What they come to.
    """
    content = {
        "conditions": conditions(),
        "asked": dict(what),
        "runs": [dict(run) for run in runs],
        "summary": summary,
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _commit() -> str | None:
    """Return the commit that is checked out, with a ``-dirty`` if it is not all."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None
