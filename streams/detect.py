"""Detectors on one raw column: no Kafka, no model, no scaling, no life cycle.

What comes out is what River's own classes find, index by index; what goes in is looked at first,
since one NaN would blind most of them for good.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from detectors import Detector, create, parameters
from schemas.errors import ConfigurationError, InvalidMessage, OutOfDomain
from streams.files import Cell

__all__ = ["Detection", "Skip", "build", "detect", "parse_assignments"]

#: Told of each row that no detector saw, and why.
Skip = Callable[[Cell, str], None]
Parameter = float | int | bool | str

_ASSIGNMENT = re.compile(r"(?P<name>[^.=]+)\.(?P<parameter>[^.=]+)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Detection:
    """What one detector said about one row.

    Attributes
    ----------
    index : int
        Row number, counted from 0.
    value : int or float
        The row's raw value.
    timestamp : str or None
        As it stands in the file.
    """

    index: int
    detector: str
    kind: Literal["warning", "drift"]
    value: float
    timestamp: str | None


def parse_assignments(texts: Iterable[str]) -> dict[str, dict[str, Parameter]]:
    """Read ``NAME.PARAM=VALUE`` texts.

    Returns
    -------
    dict
        Parameters by detector.

    Raises
    ------
    ConfigurationError
        A text is not of that form.
    """
    found: dict[str, dict[str, Parameter]] = {}
    for text in texts:
        match = _ASSIGNMENT.fullmatch(text)
        if match is None:
            raise ConfigurationError("--set", text, "NAME.PARAM=VALUE, such as adwin.delta=0.01")
        found.setdefault(match["name"], {})[match["parameter"]] = _scalar(match["value"])
    return found


def _scalar(text: str) -> Parameter:
    try:
        # River's documentation writes True and False.
        value = json.loads({"True": "true", "False": "false"}.get(text, text))
    except ValueError:
        return text
    return value if isinstance(value, float | int | bool) else text


def build(
    names: Sequence[str], assignments: Mapping[str, Mapping[str, Parameter]]
) -> list[Detector]:
    """Make the detectors, in the order named, each once.

    Raises
    ------
    ConfigurationError
        An unknown name or parameter, a value out of range, or parameters for a detector that is
        not asked for.
    """
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        parameters(name)  # An unknown detector is named before a parameter that goes astray.
    for name, given in assignments.items():
        if name not in chosen:
            parameter, value = next(iter(given.items()))
            raise ConfigurationError(
                "--set",
                f"{name}.{parameter}={value}",
                f"a parameter of a detector in use: {', '.join(chosen)}",
            )
    return [create(name, **assignments.get(name, {})) for name in chosen]


def detect(cells: Iterable[Cell], detectors: Sequence[Detector], skip: Skip) -> Iterator[Detection]:
    """Feed a column to detectors.

    Parameters
    ----------
    cells
        The column. An empty cell is a missing reading: it counts as a row and feeds nothing.
    detectors
        Fed in this order; their findings on a row come in this order.
    skip
        Called for each row that holds no finite number; no detector sees such a row.

    Yields
    ------
    Detection
        Every drift, and every warning once, when it begins.

    Raises
    ------
    ConfigurationError
        A detector of bits met another number.
    """
    warned = [False] * len(detectors)
    for cell in cells:
        if cell.value is None:
            continue
        if isinstance(cell.value, InvalidMessage):
            skip(cell, f"expected {cell.value.expected}")
            continue
        if isinstance(cell.value, str):
            skip(cell, f"{cell.value!r} is not a finite number")
            continue
        _refuse_other_than_bits(cell, detectors)
        for number, detector in enumerate(detectors):
            try:
                detector.update(float(cell.value))
            except OutOfDomain as error:
                skip(cell, str(error))
                continue
            kind: Literal["warning", "drift"] | None = None
            if detector.drift_detected:
                kind = "drift"
            elif detector.warning_detected and not warned[number]:
                kind = "warning"
            warned[number] = detector.warning_detected
            if kind is not None:
                yield Detection(cell.index, detector.name, kind, cell.value, cell.timestamp)


def _refuse_other_than_bits(cell: Cell, detectors: Sequence[Detector]) -> None:
    """A column of other numbers is the wrong column for the detector, not a bad row."""
    if cell.value in (0, 1):
        return
    for detector in detectors:
        if detector.domain == "bit":
            raise ConfigurationError(
                "--detector",
                detector.name,
                f"one that takes any number (it takes 0 and 1 only, row {cell.index} "
                f"holds {cell.value})",
            )
