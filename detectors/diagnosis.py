"""What a finding means: where the change lies, and how grave it is."""

from __future__ import annotations

from typing import Literal

from detectors.signal import Finding

Diagnosis = Literal["upstream", "data", "prior", "concept"]
Severity = Literal["low", "medium", "high"]

CHECKS = frozenset(("stuck", "unit"))
"""Names that stand in place of a detector's for a fault on the way here."""

INPUT_MOVED = 3.0
"""Standard errors by which the input's mean must have moved to explain a grown error."""


def diagnose(signal: str, finding: Finding, value_shift: float | None) -> Diagnosis:
    """Say which part of the joint distribution of input and target has changed.

    Parameters
    ----------
    signal
        ``value``, ``error``, ``label``, ``prediction``, ``missing`` or ``feature:<name>``.
    finding
        What was found on it.
    value_shift
        How far the input's mean has moved since the change point, as a z-score; None if there
        is no input to compare.

    Returns
    -------
    ``"upstream"``
        Readings fail to come, are stuck or come in another unit: the source, not the process,
        has changed.
    ``"data"``
        The input P(x) has moved (covariate shift), as have errors that come with it.
    ``"prior"``
        The target P(y) has moved (label shift).
    ``"concept"``
        Errors grew while the input stayed: P(y|x) has moved.

    References
    ----------
    Gama et al., "A survey on concept drift adaptation", ACM Computing Surveys 46(4), 2014,
    section 2.
    """
    if signal == "missing" or finding.detector in CHECKS:
        return "upstream"
    if signal == "label":
        return "prior"
    if signal == "error":
        moved = value_shift is not None and abs(value_shift) >= INPUT_MOVED
        return "data" if moved else "concept"
    return "data"


def severity(finding: Finding) -> Severity:
    """Grade a finding by the shift of the mean, in standard deviations of the time before.

    Below 1 is ``"low"``, below 3 ``"medium"``, else ``"high"``; a warning is ``"low"``. So is
    a drift whose sides are not known. Any shift away from a constant is ``"high"``.
    """
    before, after = finding.before, finding.after
    if finding.detector in CHECKS:
        return "high"
    if finding.kind == "warning" or before is None or after is None:
        return "low"
    shift = abs(after.mean - before.mean)
    if shift < before.std or shift == 0.0:
        return "low"
    return "medium" if shift < 3.0 * before.std else "high"
