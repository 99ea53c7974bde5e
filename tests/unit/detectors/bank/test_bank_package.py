"""The bank lies among the detectors and is none of them."""

from __future__ import annotations

import subprocess
import sys

from detectors import NAMES


def test_the_bank_is_no_detector() -> None:
    assert "bank" not in NAMES


def test_a_detector_by_name_needs_no_compiler() -> None:
    code = "import sys, detectors; detectors.create('adwin'); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
