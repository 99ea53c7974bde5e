"""How good alarms are, held against labelled windows.

A window is a hit if an alarm comes at an event within it, from the first to the last, both
included; otherwise it is missed. Its delay is that of the first such alarm; further alarms in it
count neither way. An alarm outside all windows is a false alarm. That is how the Numenta Anomaly
Benchmark tells them apart (Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms",
ICMLA 2015), without its weights. The times between false alarms and to a detection, and the rate
of missed windows, are MTFA, MTD and MDR of Bifet, Read, Pfahringer, Holmes and Žliobaitė, "CD-MOA:
change detection framework for massive online analysis", IDA 2013.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from streams.windows import Window

__all__ = ["Delay", "Score", "evenly_spaced", "score", "total"]

_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Delay:
    """From the first event of a window to the first alarm in it.

    Parameters
    ----------
    events
        Events of the sensor; 0: the first one raised it.
    seconds
        Event time since the start of the window.
    """

    events: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one sensor, or of several together.

    Parameters
    ----------
    events, outside
        All events, and those in no window.
    seconds_outside
        Event time that lies in no window.
    alarms, false_alarms
        All alarms, and those in no window.
    delays
        One per window; None where the window was missed.
    """

    events: int
    outside: int
    seconds_outside: float
    alarms: int
    false_alarms: int
    delays: tuple[Delay | None, ...]

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return len(self.delays)

    @property
    def hits(self) -> int:
        """Windows in which there was an alarm."""
        return sum(delay is not None for delay in self.delays)

    @property
    def missed(self) -> int:
        """Windows in which there was none."""
        return self.windows - self.hits

    @property
    def precision(self) -> float | None:
        """Hits among hits and false alarms; None where there is neither."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Hits among windows; None where there are none."""
        return _share(self.hits, self.windows)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None without windows and false alarms."""
        return _share(2 * self.hits, 2 * self.hits + self.false_alarms + self.missed)

    @property
    def mtfa_events(self) -> float | None:
        """Mean time between false alarms, in events outside windows; None if there were none."""
        return _share(self.outside, self.false_alarms)

    @property
    def mtfa_seconds(self) -> float | None:
        """The same in seconds of event time."""
        return _share(self.seconds_outside, self.false_alarms)

    @property
    def mtd_events(self) -> float | None:
        """Mean time to detection, in events; None without a hit."""
        return _share(sum(d.events for d in self.delays if d is not None), self.hits)

    @property
    def mtd_seconds(self) -> float | None:
        """The same in seconds of event time."""
        return _share(sum(d.seconds for d in self.delays if d is not None), self.hits)

    @property
    def mdr(self) -> float | None:
        """Missed detection rate: missed among windows; None where there are none."""
        return _share(self.missed, self.windows)


def score(times: Sequence[int], windows: Sequence[Window], alarms: Iterable[int]) -> Score:
    """Hold the alarms of one sensor against its windows.

    Parameters
    ----------
    times
        Time of each event in microseconds, in the order in which the events came.
    windows
        In the order of time, apart from one another.
    alarms
        For each alarm the index of the event at which it was raised.

    Examples
    --------
    >>> minutes = [60_000_000 * n for n in range(100)]
    >>> windows = [Window(minutes[50], minutes[59]), Window(minutes[80], minutes[89])]
    >>> found = score(minutes, windows, [20, 53, 54])
    >>> found.hits, found.missed, found.false_alarms, found.delays[0]
    (1, 1, 1, Delay(events=3, seconds=180.0))
    """
    starts = [window.start for window in windows]

    def window_at(time: int) -> int:
        number = bisect_right(starts, time) - 1
        return number if number >= 0 and time <= windows[number].end else -1

    first: dict[int, int] = {}
    outside = 0
    for index, time in enumerate(times):
        number = window_at(time)
        if number < 0:
            outside += 1
        else:
            first.setdefault(number, index)
    delays: list[Delay | None] = [None] * len(windows)
    raised = false_alarms = 0
    for index in sorted(alarms):
        raised += 1
        number = window_at(times[index])
        if number < 0:
            false_alarms += 1
        elif delays[number] is None:
            waited = (times[index] - windows[number].start) / _SECOND
            delays[number] = Delay(index - first[number], waited)
    return Score(
        len(times), outside, _seconds_outside(times, windows), raised, false_alarms, tuple(delays)
    )


def total(scores: Iterable[Score]) -> Score:
    """Add the counts of several sensors."""
    events = outside = alarms = false_alarms = 0
    seconds = 0.0
    delays: tuple[Delay | None, ...] = ()
    for one in scores:
        events += one.events
        outside += one.outside
        seconds += one.seconds_outside
        alarms += one.alarms
        false_alarms += one.false_alarms
        delays += one.delays
    return Score(events, outside, seconds, alarms, false_alarms, delays)


def evenly_spaced(events: int, alarms: int) -> list[int]:
    """Return the alarms of a dummy that looks at no data: so many, at equal distances.

    What finds no more than these has found nothing.

    Parameters
    ----------
    events
        How many events there are.
    alarms
        How many alarms are to be raised among them.

    Examples
    --------
    >>> evenly_spaced(100, 4)
    [12, 37, 62, 87]
    """
    return [(2 * number + 1) * events // (2 * alarms) for number in range(alarms)]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _seconds_outside(times: Sequence[int], windows: Sequence[Window]) -> float:
    if not times:
        return 0.0
    begin, end = min(times), max(times)
    inside = sum(max(min(w.end, end) - max(w.start, begin), 0) for w in windows)
    return (end - begin - inside) / _SECOND
