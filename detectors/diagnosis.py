"""What a finding means: where the change lies, and how grave it is."""

from __future__ import annotations

from typing import Literal

from detectors.observed import Facts
from detectors.signal import Finding

Diagnosis = Literal["upstream", "data", "prior", "concept"]
Severity = Literal["low", "medium", "high"]

UNKNOWN = Facts()
"""Nothing but the finding itself."""

CHECKS = frozenset(("missing", "stuck", "range", "rate", "unit", "schema"))
"""Names that stand in place of a detector's for a fault on the way here."""

UNEXPLAINED = 0.5
"""Part of the errors' growth, at unchanged inputs, from which the model is out of date."""


def diagnose(signal: str, finding: Finding, facts: Facts = UNKNOWN) -> Diagnosis:
    """Say which part of the joint distribution of input and target has changed.

    Parameters
    ----------
    signal
        ``value``, ``error``, ``label``, ``prediction``, ``missing`` or ``feature:<name>``.
    finding
        What was found on it.
    facts
        What else is known of the change. What is not known decides nothing: then the signal does.

    Returns
    -------
    ``"upstream"``
        Readings fail to come, or a check explains them: the source, not the process, has changed.
    ``"prior"``
        The target P(y) has moved, and inputs are what the target makes them, P(x|y) as before
        (label shift).
    ``"concept"``
        Errors grew at unchanged inputs, or targets moved without them: P(y|x) has moved.
    ``"data"``
        The input P(x) has moved (covariate shift), as have errors and targets that come with it.

    References
    ----------
    Gama et al., "A survey on concept drift adaptation", ACM Computing Surveys 46(4), 2014,
    section 2. Moreno-Torres et al., "A unifying view on dataset shift in classification",
    Pattern Recognition 45(1), 2012.
    """
    if signal == "missing" or finding.detector in CHECKS:
        return "upstream"
    labels_moved = facts.labels or signal == "label"
    if labels_moved and facts.inputs_given_label is False:
        return "prior"
    grown = facts.unexplained is not None and facts.unexplained >= UNEXPLAINED
    if signal == "error":
        return "concept" if grown or not facts.inputs else "data"
    if signal == "label":
        if facts.inputs_given_label is None:
            return "prior"
        return "concept" if grown or not facts.inputs else "data"
    return "concept" if grown else "data"


def severity(finding: Finding) -> Severity:
    """Grade a finding by the shift of the mean, in standard deviations of the time before.

    Below 1 is ``"low"``, below 3 ``"medium"``, else ``"high"``; a warning is ``"low"``. So is
    a drift whose sides are not known. A check's drift is ``"high"``, as is any shift away from a
    constant.
    """
    before, after = finding.before, finding.after
    if finding.kind == "warning":
        return "low"
    if finding.detector in CHECKS:
        return "high"
    if before is None or after is None:
        return "low"
    shift = abs(after.mean - before.mean)
    if shift < before.std or shift == 0.0:
        return "low"
    return "medium" if shift < 3.0 * before.std else "high"
