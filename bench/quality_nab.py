"""The Numenta Anomaly Benchmark: its series, and its score under its three profiles.

Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms: the Numenta Anomaly Benchmark",
ICMLA 2015, section II; numbers as in its repository (``nab/sweeper.py``, ``config/profiles.json``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from schemas.codec import decode_reading
from streams.files import read_records
from streams.windows import Window, Windows, read_windows

SHIPPED = Path("streams/data/nab")
"""What this project ships: one series and its windows."""

PROBATION = 0.15
PROBATION_ROWS = 5000


@dataclass(frozen=True)
class Profile:
    """What a window that is hit is worth is 1; this is what the other outcomes cost.

    Parameters
    ----------
    false
        An alarm far from any window.
    missed
        A window without an alarm.
    """

    false: float
    missed: float


STANDARD = Profile(false=0.11, missed=1.0)
PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "standard": STANDARD,
        "low FP": Profile(false=0.22, missed=1.0),
        "low FN": Profile(false=0.11, missed=2.0),
    }
)
WINDOWS_FILES = ("combined_windows.json", "windows.json")


@dataclass(frozen=True)
class Series:
    """One series of the benchmark."""

    name: str
    times: list[int]
    values: list[float | None]
    windows: tuple[Window, ...]


def read_series(folder: Path) -> list[Series]:
    """Return every series of a folder that its windows know, in the order of their names.

    Parameters
    ----------
    folder
        With CSV files, also in folders below, and ``combined_windows.json`` or ``windows.json``
        beside or (as in the benchmark itself) in ``labels``.

    Raises
    ------
    FileNotFoundError
        There are no windows, or no series that they know.
    """
    known = _windows(folder)
    files = {path.stem: path for path in sorted(folder.rglob("*.csv")) if path.stem in known}
    if not files:
        raise FileNotFoundError(f"{folder}: no CSV file of which the windows know")
    found = []
    for name, path in sorted(files.items()):
        readings = [
            decode_reading(message)
            for _, message in read_records(path)
            if isinstance(message, bytes)
        ]
        found.append(
            Series(name, [r.ts for r in readings], [r.value for r in readings], known[name])
        )
    return found


def _windows(folder: Path) -> Windows:
    for place in (folder, folder / "labels", folder.parent / "labels"):
        for name in WINDOWS_FILES:
            if (place / name).is_file():
                return read_windows(place / name)
    raise FileNotFoundError(f"{folder}: no {' or '.join(WINDOWS_FILES)}")


def scaled_sigmoid(position: float) -> float:
    """Return the weight of a detection by its position.

    Parameters
    ----------
    position
        -1 at the beginning of a window, 0 at its end; beyond, in widths of the window.
    """
    return -1.0 if position >= 3.0 else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def raw_score(
    times: Sequence[int],
    windows: Sequence[Window],
    alarms: Sequence[int],
    profile: Profile = STANDARD,
) -> float:
    """Return the score of one series.

    The first 15 % of the rows, at most 750, are probation: nothing in them counts. A window counts
    from 0 to 1, the earlier its first alarm the more; what is missed or false costs what `profile`
    says, less for an alarm right behind a window.
    """
    probation = min(math.floor(PROBATION * len(times)), PROBATION * PROBATION_ROWS)
    raised = sorted({index for index in alarms if index >= probation})
    spans = [_rows(times, window) for window in windows]
    scored = [(first, last) for first, last in spans if last >= probation]
    result = 0.0
    for first, last in scored:
        hit = next((index for index in raised if first <= index <= last), None)
        if hit is None:
            result -= profile.missed
        else:
            width = last - first + 1
            result += scaled_sigmoid(-(last - hit + 1) / width) / scaled_sigmoid(-1.0)
    for index in raised:
        if any(first <= index <= last for first, last in spans):
            continue
        before = [(first, last) for first, last in spans if last < index]
        position = 3.0
        if before:
            first, last = before[-1]
            position = (index - last) / max(last - first, 1)
        result += profile.false * scaled_sigmoid(position)
    return result


def normalised(raw: float, windows: int, profile: Profile = STANDARD) -> float | None:
    """Return a sum of raw scores on NAB's scale: 0 for silence, 100 for a perfect detector.

    None without windows: silence is perfect then.
    """
    if not windows:
        return None
    silence = -profile.missed * windows
    return 100.0 * (raw - silence) / (windows - silence)


def _rows(times: Sequence[int], window: Window) -> tuple[int, int]:
    inside = [i for i, time in enumerate(times) if window.start <= time <= window.end]
    return inside[0], inside[-1]
