"""Is this signal still the same? Detectors, and what turns their flags into findings.

A detector is made by `create`, fed by its `update`, and asked for `drift_detected`. Everything
here is a pure function of the values it is given, in their order, and can be pickled.
"""

from __future__ import annotations

from detectors.base import Detector
from detectors.registry import classes, create, parameters

NAMES: tuple[str, ...] = tuple(classes())
"""Names of all detectors, in alphabetical order."""

__all__ = ["NAMES", "Detector", "create", "parameters"]
