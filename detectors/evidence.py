"""What speaks for a finding: which inputs moved, how far, and which of them first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from detectors.distances import Distances, of_categories, of_normals
from detectors.histogram import SIGNIFICANT, Categories, Histogram
from detectors.moments import Statistics
from detectors.observed import Facts, Observed
from detectors.signal import Finding, Position, SignalMonitor

__all__ = ["MOST", "Evidence", "Subject", "evidence_for", "facts_of"]

Subject = Literal["value", "feature", "error", "label", "prediction", "missing"]
Method = Literal["histogram", "categories", "normal"]

MOST: Final = 10
"""Entries of one drift event."""

_READING: Final = "value"
_FEATURE: Final = "feature:"
_FEWEST: Final = 5
"""Values since a suspected change below which it is none."""
_STANDARD_ERRORS: Final = 3.0
_PART_OF_A_STD: Final = 0.5
"""The least shift of a value's mean that can account for grown errors, in standard deviations."""
_OUT_OF_RANGE: Final = 2.0
"""Standard deviations by which a mean has moved however the values depend on one another."""


_OF_EVENTS: Final = ("rate", "schema")
"""Checks whose statistics are no values of their signal."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How far one thing has moved.

    Attributes
    ----------
    subject, name
        What: ``feature`` and its name; ``label`` and a class, or None for all of them; the others
        have no name.
    method
        ``histogram`` and ``categories``: counts, a reference against the last 50 to 99 values.
        ``normal``: closed forms, from the mean and the standard deviation of the values up to the
        change point and from there on. Bits are ``categories``, counted by the change point.
    distances
        How far.
    reference, recent
        How many values were compared.
    shift
        Of the mean, in standard deviations of the reference; None for categories.
    moved
        Whether that is no accident.
    change_point
        Since when; None if that is not known.
    first_moved
        Of the inputs that have moved: whether this one did so first.
    """

    subject: Subject
    name: str | None
    method: Method
    distances: Distances
    reference: int
    recent: int
    shift: float | None
    moved: bool
    change_point: Position | None = None
    first_moved: bool = False


def evidence_for(
    found: Sequence[tuple[str, Finding]],
    told: tuple[str, Finding],
    monitors: Mapping[str, SignalMonitor],
    observed: Observed | None,
) -> tuple[Evidence, ...]:
    """Return what speaks for a finding, the farthest moved first.

    Parameters
    ----------
    found
        All that was found at this event, by signal; that of one class is ``label:<class>``.
    told
        The one among them that is told.
    monitors
        Of the sensor, by signal, after the findings.
    observed
        Of a sensor whose events have features or labels.
    """
    entries: list[Evidence] = []
    points = {
        signal: finding.change_point
        for signal, finding in reversed(found)
        if finding.detector not in _OF_EVENTS
    }
    if observed is not None:
        entries += _of_inputs(observed, monitors, points, told[1].after)
        entries += _of_labels(observed)
    listed = {(entry.subject, entry.name) for entry in entries}
    for signal, finding in (told, *(pair for pair in found if pair is not told)):
        entry = _of_finding(signal, finding)
        if entry is not None and (entry.subject, entry.name) not in listed:
            entries.append(entry)
            listed.add((entry.subject, entry.name))
    for signal in (_READING, "error", "prediction"):
        if (signal, None) not in listed:
            entry = _of_suspicion(signal, monitors.get(signal))
            if entry is not None:
                entries.append(entry)
    entries.sort(key=_farthest_first)
    return _first_marked(entries)[:MOST]


def facts_of(
    evidence: Sequence[Evidence],
    told: tuple[str, Finding],
    monitors: Mapping[str, SignalMonitor],
    observed: Observed | None,
) -> Facts:
    """Return what is known about the change that a finding is about."""
    if observed is None or not observed.inputs:
        return Facts(inputs=_value_moved(monitors.get(_READING)))
    moved = [
        name
        for entry in evidence
        if entry.moved and entry.subject in ("feature", _READING)
        for name in (entry.name or _READING,)
        if name in observed.inputs
    ]
    signal = told[0]
    name = signal.removeprefix(_FEATURE)
    if (signal.startswith(_FEATURE) or signal == _READING) and name not in moved:
        moved = [name, *moved] if name in observed.inputs else moved
    known = observed.facts(moved)
    if not known.labels and _led_by(monitors.get("label"), *told):
        return replace(known, labels=True)
    return known


def _led_by(label: SignalMonitor | None, signal: str, found: Finding) -> bool:
    """Tell whether the label has moved farther than an input: what it causes moves less.

    The detectors of a number know of its change before its distribution shows it.
    """
    change = _suspected(label)
    before, after = found.before, found.after
    if change is None or not signal.startswith(_FEATURE) or before is None or after is None:
        return False
    _, earlier, since = change
    own, cause = abs(after.mean - before.mean), abs(since.mean - earlier.mean)
    return bool(_value_moved(label)) and cause * before.std > own * earlier.std


def _suspected(
    monitor: SignalMonitor | None,
) -> tuple[Position, Statistics, Statistics] | None:
    """Return what a monitor suspects now, None too where there is no monitor."""
    return None if monitor is None else monitor.suspected


def _value_moved(monitor: SignalMonitor | None) -> bool | None:
    """Tell whether a value's mean has moved by enough for its errors to come from that."""
    found = _suspected(monitor)
    if monitor is None or found is None:
        return None
    _, before, since = found
    shift = abs(since.mean - before.mean)
    reference = monitor.measure
    # Of dependent values fewer count: the scale is their standard deviation made wider.
    scale = before.std if reference is None else max(reference.scale, before.std)
    sure = min(_STANDARD_ERRORS * scale / math.sqrt(since.n), _OUT_OF_RANGE * before.std)
    return since.n >= _FEWEST and shift >= max(sure, _PART_OF_A_STD * before.std)


def _came_along(monitor: SignalMonitor | None, after: Statistics | None) -> bool:
    """Tell whether a mean has moved since the change of another signal: too few values to count."""
    found = _suspected(monitor)
    if found is None or after is None or not _value_moved(monitor):
        return False
    return abs(found[2].n - after.n) <= max(_FEWEST, after.n // 4)


def _of_inputs(
    observed: Observed,
    monitors: Mapping[str, SignalMonitor],
    points: Mapping[str, Position],
    after: Statistics | None,
) -> list[Evidence]:
    """Say of each input how its recent values lie to its reference."""
    entries = []
    for name, known in observed.inputs.items():
        seen = known.seen
        distances = seen.distances()
        if distances is None:
            continue
        signal = _READING if name == _READING else f"{_FEATURE}{name}"
        moved = (
            signal in points or seen.moved(distances) or _came_along(monitors.get(signal), after)
        )
        point = points.get(signal)
        if moved and point is None:
            change = _suspected(monitors.get(signal))
            point = None if change is None else change[0]
        entries.append(
            Evidence(
                _READING if name == _READING else "feature",
                None if name == _READING else name,
                "histogram" if isinstance(seen, Histogram) else "categories",
                distances,
                *seen.counted,
                seen.shift() if isinstance(seen, Histogram) else None,
                moved,
                point,
            )
        )
    return entries


def _of_labels(observed: Observed) -> list[Evidence]:
    """Say the same of the labels."""
    label = observed.label
    distances = None if label is None else label.distances()
    if label is None or distances is None:
        return []
    if isinstance(label, Categories):
        moved = label.moved(distances)
        return [Evidence("label", None, "categories", distances, *label.counted, None, moved)]
    moved, shift = label.moved(distances), label.shift()
    return [Evidence("label", None, "histogram", distances, *label.counted, shift, moved)]


def _of_finding(signal: str, finding: Finding) -> Evidence | None:
    before, after = finding.before, finding.after
    if before is None or after is None or after.n < 1 or before.n < 1:
        return None
    if finding.detector in _OF_EVENTS:
        return None
    return replace(_of_two(signal, before, after), moved=True, change_point=finding.change_point)


def _of_suspicion(signal: str, monitor: SignalMonitor | None) -> Evidence | None:
    """Say of a signal that no detector has told what it may have moved by."""
    change = _suspected(monitor)
    if change is None or change[2].n < _FEWEST or change[1].n < _FEWEST:
        return None
    reference = None if monitor is None else monitor.measure
    # Of dependent values fewer count.
    wider = 1.0 if reference is None or not reference.std else reference.scale / reference.std
    entry = _of_two(signal, change[1], change[2], wider)
    if signal == _READING:
        entry = replace(entry, moved=bool(_value_moved(monitor)))
    return replace(entry, change_point=change[0]) if entry.moved else entry


def _of_two(signal: str, before: Statistics, after: Statistics, wider: float = 1.0) -> Evidence:
    """Compare a signal before and after, as bits or as if both were normal."""
    subject, name = _subject(signal)
    if _bits(before) and _bits(after):
        distances = of_categories(
            [before.n * (1.0 - before.mean), before.n * before.mean],
            [after.n * (1.0 - after.mean), after.n * after.mean],
        )
        return Evidence(subject, name, "categories", distances, before.n, after.n, None, True)
    distances = of_normals(before, after)
    shift = (after.mean - before.mean) / before.std if before.std > 0.0 else None
    if shift is None:
        distances = replace(distances, wasserstein=None)
    limit = SIGNIFICANT * wider * math.sqrt(1.0 / before.n + 1.0 / after.n)
    moved = distances.ks is not None and distances.ks > limit
    return Evidence(subject, name, "normal", distances, before.n, after.n, shift, moved)


def _bits(values: Statistics) -> bool:
    """Tell whether values were 0 and 1 alone: then their spread follows from their mean."""
    if not 0.0 <= values.mean <= 1.0 or values.std > 1.0:
        return False
    squares = values.n * values.mean * (1.0 - values.mean)
    return math.isclose(
        values.std * values.std * (values.n - 1), squares, rel_tol=1e-6, abs_tol=1e-6
    )


def _subject(signal: str) -> tuple[Subject, str | None]:
    subject, colon, name = signal.partition(":")
    return subject, name if colon else None  # type: ignore[return-value]


def _farthest_first(entry: Evidence) -> tuple[bool, float, float]:
    return not entry.moved, -entry.distances.js, -(entry.distances.wasserstein or 0.0)


def _first_marked(entries: list[Evidence]) -> tuple[Evidence, ...]:
    inputs = [
        entry
        for entry in entries
        if entry.moved and entry.change_point and entry.subject in ("feature", _READING)
    ]
    first = min(inputs, key=lambda entry: entry.change_point.offset, default=None)  # type: ignore[union-attr]
    return tuple(replace(entry, first_moved=True) if entry is first else entry for entry in entries)
