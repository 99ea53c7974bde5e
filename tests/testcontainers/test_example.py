"""The test that the README gives to teams, run as they would run it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.brokers import ROOT

pytestmark = [pytest.mark.testcontainers, pytest.mark.timeout(600)]


def test_the_test_of_the_readme_passes(kafka_image: str, driftline_image: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "examples/test_press.py"],
        cwd=ROOT,
        env={
            **os.environ,
            "KAFKA_IMAGE": kafka_image,
            "DRIFTLINE_IMAGE": driftline_image,
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        },
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
