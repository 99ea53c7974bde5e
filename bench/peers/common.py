"""What all peers share: the model and the detectors of a sensor, and their count of events."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from river import drift, linear_model, preprocessing


class Sensor:
    """A forecast from the last three values, and three detectors on its error, all in memory.

    The model and the detectors are River's, with River's defaults.
    """

    __slots__ = ("adwin", "ddm", "lags", "mean", "model", "n", "page_hinkley")

    def __init__(self) -> None:
        self.lags: collections.deque[float] = collections.deque(maxlen=3)
        self.model = preprocessing.StandardScaler() | linear_model.LinearRegression()
        self.adwin = drift.ADWIN()
        self.page_hinkley = drift.PageHinkley()
        self.ddm = drift.binary.DDM()
        self.mean = 0.0
        self.n = 0

    def judge(self, value: float) -> float | None:
        """Learn from one reading; return the error of its forecast if a detector fired."""
        error = 0.0
        if len(self.lags) == 3:
            x = {"l1": self.lags[0], "l2": self.lags[1], "l3": self.lags[2]}
            error = abs(self.model.predict_one(x) - value)
            self.model.learn_one(x, value)
        self.lags.append(value)
        self.n += 1
        self.mean += (error - self.mean) / self.n
        self.adwin.update(error)
        self.page_hinkley.update(error)
        self.ddm.update(1 if error > 2 * self.mean else 0)
        if self.adwin.drift_detected or self.page_hinkley.drift_detected or self.ddm.drift_detected:
            return error
        return None


class Milestones:
    """Prints each of a few counts as soon as so many events have been processed."""

    def __init__(self, counts: Iterable[int]) -> None:
        self._ahead = sorted(counts)
        self._count = 0

    def passed(self, events: int = 1) -> None:
        """Count `events` more."""
        self._count += events
        while self._ahead and self._count >= self._ahead[0]:
            print(self._ahead.pop(0), flush=True)
