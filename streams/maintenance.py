"""Planned maintenance: what a sensor sends meanwhile is counted, and says nothing of it.

A window is a stretch of event time, so recorded events meet it as live ones do.
"""

from __future__ import annotations

import fnmatch
import re

import numpy as np

from schemas.columns import Readings
from schemas.settings import Settings

Spans = tuple[tuple[int, int], ...]
"""Begin and end in microseconds; the end is no part of it."""


class Maintenance:
    """The windows of a deployment.

    Parameters
    ----------
    settings
        Of the whole deployment.
    """

    def __init__(self, settings: Settings) -> None:
        self._windows = [
            (window.from_, window.until, re.compile(fnmatch.translate(window.match)))
            for window in settings.maintenance
        ]

    def of(self, sensor_id: str) -> Spans:
        """Return the windows of one sensor."""
        return tuple(
            (begin, end) for begin, end, matcher in self._windows if matcher.match(sensor_id)
        )

    def leave_out(self, readings: Readings, data: bytes | np.ndarray, stop: int) -> None:
        """Leave events that fall into a window to the plain path.

        Parameters
        ----------
        readings
            Columns of sensor events; those of the windows are no longer plain.
        data
            What the columns point into.
        stop
            How many of them there are.
        """
        for begin, end, matcher in self._windows:
            ts = readings.ts[:stop]
            inside = (ts >= begin) & (ts < end) & (readings.plain[:stop] == 1)
            for n in np.flatnonzero(inside).tolist():
                at = readings.id_at[n]
                name = bytes(data[at : at + readings.id_length[n]])
                if matcher.match(name.decode()):
                    readings.plain[n] = 0


def is_within(spans: Spans, ts: int) -> bool:
    """Tell whether an event time falls into one of the windows."""
    return any(begin <= ts < end for begin, end in spans)
