"""Inputs, labels and errors of one sensor, so that a change can be laid to one of them.

Four questions are answered, each by what is recent against what was before:

- Has P(x) moved? The inputs' own distributions.
- Has P(y) moved? That of the labels.
- Has P(x|y) moved? The inputs, less what the label makes expected: by class, or along a line.
- Has P(y|x) moved? The errors, less what was usual for inputs in the same bin.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from detectors.histogram import BLOCK, FEWEST, Categories, Histogram

__all__ = ["Facts", "Input", "Labels", "Observed"]

Labels = Literal["none", "classes", "numbers"]
"""What a sensor's labels are."""

CLASSES: Final = 4
"""Classes by which inputs are told apart: the first ones that come."""

KNOWN: Final = 10
"""Labelled events of a class, or of a bin, from which its mean is known."""

SURE: Final = 3.5
"""Standard errors beyond which a mean has moved."""

SLIGHT: Final = 0.25
"""Standard deviations below which a mean has not moved, however sure."""

STEADY: Final = 500.0
"""Labelled events whose errors count in the mean of a bin."""

LONG: Final = 4000.0
"""Labelled events by which inputs are known by their label; then half of them are forgotten."""

CAUGHT_UP: Final = 200
"""Labels of events after a change at which what came before it is forgotten."""

GIVEN_UP: Final = 2000
"""The same in events, where labels do not come."""

_BY_LABEL_AT: Final = 8
_BINS_AT: Final = _BY_LABEL_AT + 3 * CLASSES


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a change; None: it can't be told.

    Attributes
    ----------
    inputs, labels
        Whether P(x) and P(y) have moved.
    inputs_given_label
        Whether P(x|y) has moved.
    unexplained
        The part of the errors' growth that the inputs do not account for, from 0 on; None if
        errors have not grown.
    """

    inputs: bool | None = None
    labels: bool | None = None
    inputs_given_label: bool | None = None
    unexplained: float | None = None


class Input:
    """One input: its distribution, and labels and errors by its value."""

    __slots__ = ("_bins", "_kept", "seen")

    def __init__(self, seen: Histogram | Categories) -> None:
        self.seen = seen
        # Two blocks of: errors, what is unusual of them; inputs, what the label does not expect.
        # Then by label: count, mean and sum of squares for each class; or the moments of a line.
        # Then by bin: errors, their mean; none before there are bins.
        self._kept = array("f", bytes(4 * _BINS_AT))
        self._bins = 0

    def judge(
        self,
        value: Any,
        error: float | None,
        number: int | None,
        y: float | None,
        learn: bool,
    ) -> None:
        """Take a labelled event.

        Parameters
        ----------
        value
            Of this input.
        error
            Of the prediction, if it counts.
        number, y
            Of its class, or of its label in standard deviations, if it has one.
        learn
            Whether this is how things usually are.
        """
        seen, kept = self.seen, self._kept
        if isinstance(seen, Categories):
            at = seen.bin_of(value)
        elif seen.bins:
            z = seen.scaled(value)
            at = seen.bin_at(z)
            if number is not None:
                self._by_class(z, _BY_LABEL_AT + 3 * number, learn)
            elif y is not None:
                self._by_number(z, y, learn)
        else:
            return
        if error is None:
            return
        if not self._bins:
            self._bins = seen.bins
            kept.extend(array("f", bytes(4 * 2 * self._bins)))
        at = _BINS_AT + 2 * at
        n, mean = kept[at], kept[at + 1]
        if n >= KNOWN:
            kept[4] += 1.0
            kept[5] += error - mean
        if learn:
            if n < STEADY:
                kept[at] = n = n + 1.0
            kept[at + 1] = mean + (error - mean) / n

    def _by_class(self, z: float, at: int, learn: bool) -> None:
        """Hold an error against those of its class."""
        kept = self._kept
        n, mean, squares = kept[at], kept[at + 1], kept[at + 2]
        if n >= KNOWN:
            self._surprise(z - mean, squares / (n - 1.0))
        if learn:
            kept[at] = n = n + 1.0
            kept[at + 1] = after = mean + (z - mean) / n
            kept[at + 2] = squares + (z - mean) * (z - after)
            if n >= LONG:
                kept[at] /= 2.0
                kept[at + 2] /= 2.0

    def _by_number(self, z: float, y: float, learn: bool) -> None:
        """Hold an error against the line that errors follow with the label."""
        # Count, both means, both sums of squares, sum of products.
        kept, at = self._kept, _BY_LABEL_AT
        n, mean_z, mean_y, squares_z, squares_y, products = kept[at : at + 6]
        if n >= 3 * KNOWN:
            slope = products / squares_y if squares_y > 0.0 else 0.0
            residual = z - mean_z - slope * (y - mean_y)
            self._surprise(residual, (squares_z - slope * products) / (n - 2.0))
        if learn:
            n += 1.0
            after_z, after_y = mean_z + (z - mean_z) / n, mean_y + (y - mean_y) / n
            kept[at] = n
            kept[at + 1] = after_z
            kept[at + 2] = after_y
            kept[at + 3] = squares_z + (z - mean_z) * (z - after_z)
            kept[at + 4] = squares_y + (y - mean_y) * (y - after_y)
            kept[at + 5] = products + (z - mean_z) * (y - after_y)
            if n >= LONG:
                for i in (0, 3, 4, 5):
                    kept[at + i] /= 2.0

    def forget_errors(self) -> None:
        """Begin anew what is known of errors."""
        del self._kept[_BINS_AT:]
        self._bins = 0
        for i in (0, 1, 4, 5):
            self._kept[i] = 0.0

    def turn(self) -> None:
        """Begin a block of labelled events."""
        self._kept[:4] = self._kept[4:8]
        self._kept[4:8] = array("f", bytes(4 * 4))

    def unusual_error(self) -> tuple[int, float]:
        """Return how many recent errors have inputs that are known, and their mean excess."""
        n = self._kept[0] + self._kept[4]
        return int(n), (self._kept[1] + self._kept[5]) / n if n else 0.0

    def moved_given_label(self) -> bool | None:
        """Tell whether the mean has moved at the same labels; None if that is not known."""
        n = self._kept[2] + self._kept[6]
        if n < FEWEST or not isinstance(self.seen, Histogram):
            return None
        mean = (self._kept[3] + self._kept[7]) / n
        return abs(mean) > max(SURE * self.seen.dependence / math.sqrt(n), SLIGHT)

    def _surprise(self, residual: float, variance: float) -> None:
        self._kept[6] += 1.0
        distance = residual / math.sqrt(max(variance, 1e-6))
        self._kept[7] += min(max(distance, -5.0), 5.0)


class Observed:
    """Inputs, labels and errors of one sensor.

    Parameters
    ----------
    labels
        What its labels are.
    warmup
        Values that make a reference.

    Attributes
    ----------
    inputs
        By name.
    label
        None before the first, and where labels are none.
    """

    __slots__ = (
        "_caught_up",
        "_error",
        "_events",
        "_held_at",
        "_judged",
        "_labels",
        "_waited",
        "_warmup",
        "inputs",
        "label",
    )

    def __init__(self, labels: Labels, warmup: int) -> None:
        self._labels = labels
        self._warmup = warmup
        self._restart()

    def _restart(self) -> None:
        self.inputs: dict[str, Input] = {}
        self.label: Histogram | Categories | None = None
        # Reference, and two blocks: count, sum and sum of squares.
        self._error = array("d", bytes(8 * 9))
        self._events = self._judged = 0
        self._held_at: int | None = None
        self._caught_up = self._waited = 0

    def event(self, x: Mapping[str, float | str]) -> None:
        """Take the inputs of an event."""
        if self._held_at is not None:
            self._waited += 1
            if self._waited >= GIVEN_UP or self._labels == "none":
                self._restart()
        inputs = self.inputs
        self._events += 1
        if self._events > BLOCK:
            self._events = 1
            for known in inputs.values():
                known.seen.turn()
        for name, value in x.items():
            found = inputs.get(name)
            if found is None:
                text = isinstance(value, str)
                found = Input(Categories(self._warmup) if text else Histogram(self._warmup))
                inputs[name] = found
            seen = found.seen
            if isinstance(seen, Categories):
                seen.add(str(value))
            elif not isinstance(value, str):
                seen.add(value)

    def judge(
        self,
        offset: int,
        x: Mapping[str, float | str],
        error: float | None,
        label: float | str | None,
    ) -> None:
        """Take what became of an event whose truth is known now.

        Parameters
        ----------
        offset
            Of the event.
        x
            Its inputs.
        error
            Of the prediction; None if it says nothing of the model in use.
        label
            A class by its name, or a number; None for a task without labels.
        """
        learn = self._held_at is None
        if not learn and self._held_at is not None and offset >= self._held_at:
            self._caught_up += 1
            if self._caught_up >= CAUGHT_UP:
                self._restart()
                return
        self._judged += 1
        if self._judged > BLOCK:
            self._judged = 1
            self._turn(learn)
        number = y = None
        if isinstance(label, str):
            if not isinstance(self.label, Categories):
                self.label = Categories(self._warmup)
            self.label.add(label)
            number = self.label.bin_of(label)
            if number >= CLASSES:
                number = None
        elif label is not None:
            if not isinstance(self.label, Histogram):
                self.label = Histogram(self._warmup)
            self.label.add(label)
            y = self.label.scaled(label) if self.label.ready else None
        inputs = self.inputs
        for name, value in x.items():
            known = inputs.get(name)
            if known is not None and isinstance(value, str) == isinstance(known.seen, Categories):
                known.judge(value, error, number, y, learn)
        if error is not None:
            self._error[6] += 1.0
            self._error[7] += error
            self._error[8] += error * error

    def inputs_moved(self) -> bool:
        """Tell whether any input's distribution has moved."""
        for known in self.inputs.values():
            found = known.seen.distances()
            if found is not None and known.seen.moved(found):
                return True
        return False

    def told(self, offset: int) -> None:
        """Begin anew after a drift that was told, once labels have come as far.

        Until then the reference stays what it was before the change, so that late labels are
        judged by it.
        """
        if self._held_at is not None:
            return
        self._held_at = offset
        for known in self.inputs.values():
            known.seen.hold()
        if self.label is not None:
            self.label.hold()

    def forget_errors(self) -> None:
        """Begin the errors anew: those of another model are others."""
        self._error = array("d", bytes(8 * 9))
        for known in self.inputs.values():
            known.forget_errors()

    def facts(self, moved: list[str]) -> Facts:
        """Answer the four questions.

        Parameters
        ----------
        moved
            Names of the inputs that have moved, the one that moved the farthest first.
        """
        label = self.label
        found = None if label is None else label.distances()
        given = [known.moved_given_label() for known in self.inputs.values()]
        return Facts(
            bool(moved) if self.inputs else None,
            None if label is None or found is None else label.moved(found),
            True if True in given else (False if False in given else None),
            self._unexplained(moved),
        )

    def _unexplained(self, moved: list[str]) -> float | None:
        """Return the part of the errors' growth that none of the moved inputs accounts for."""
        n, total, squares = self._error[:3]
        recent = self._error[3] + self._error[6]
        if n < FEWEST or recent < FEWEST:
            return None
        growth = (self._error[4] + self._error[7]) / recent - total / n
        # An error that was always the same is known no better than one in so many.
        spread = squares / n - (total / n) * (total / n)
        variance = max(spread, 1.0 / n if self._labels == "classes" else 0.0)
        if growth <= 3.0 * math.sqrt(variance * (1.0 / n + 1.0 / recent)):
            return None
        part = 1.0
        for name in moved:
            known, excess = self.inputs[name].unusual_error()
            if known < max(KNOWN, 0.1 * recent):
                return 0.0
            sure = excess > 2.0 * math.sqrt(variance / known)
            part = min(part, max(excess, 0.0) / growth if sure else 0.0)
        return part

    def _turn(self, learn: bool) -> None:
        """Begin a block of labelled events; the one before the last becomes part of the rest."""
        error = self._error
        if learn:
            for i in range(3):
                error[i] += error[3 + i]
            if error[0] > 2.0 * STEADY:
                for i in range(3):
                    error[i] /= 2.0
        error[3:6] = error[6:9]
        error[6:9] = array("d", bytes(8 * 3))
        if self.label is not None:
            self.label.turn()
        for known in self.inputs.values():
            known.turn()
