"""The row of one sensor on the state topic, whatever it was written from.

=========  =========================================================================
begins     holds
=========  =========================================================================
``DLR3``   numbers, see `streams.bank.bank`; the last offset stands in the first section
``DLP2``   offset and time of the last event (8 bytes each, signed, the high one first), and a
           signed snapshot
=========  =========================================================================

So when a sensor sent its last event can be told without unpickling its row.
"""

from __future__ import annotations

from typing import Final

from learners import snapshot
from schemas.errors import SnapshotError
from schemas.settings import SensorSettings
from streams.bank import bank
from streams.sensor import Fit, Sensor, Stored, fit_of, refit, stored

MAGIC: Final = b"DLP2"
_NUMBER: Final = 8
_TIME_AT: Final = len(MAGIC) + _NUMBER
_HEAD: Final = _TIME_AT + _NUMBER


def write(sensor: Sensor, settings: SensorSettings, key: bytes) -> bytes:
    """Return the row of a sensor that is an object; what waits has rows of its own."""
    last = [n.to_bytes(_NUMBER, "big", signed=True) for n in (sensor.last_offset, sensor.last_ts)]
    return MAGIC + b"".join(last) + snapshot.dumps(stored(sensor, settings), key)


def verify(row: bytes, key: bytes) -> None:
    """Check the signature of a row, and the version of River, without reading what is in it.

    Raises
    ------
    SnapshotError
        If it is none, was changed, or was written with another key or by another River version.
    """
    if row.startswith(bank.MAGIC):
        bank.verified(row, key)
        beside = bank.split(row)[1]
        if beside:
            snapshot.verify(beside, key)
    else:
        snapshot.verify(snapshot_of(row), key)


def last_offset(row: bytes) -> int:
    """Return the offset of the sensor's last event, -1 if it has sent none."""
    if row.startswith(bank.MAGIC):
        return bank.last_offset(row)
    return int.from_bytes(row[len(MAGIC) : _TIME_AT], "big", signed=True)


def last_ts(row: bytes) -> int:
    """Return the time of the sensor's last event in microseconds, 0 if it has sent none."""
    if row.startswith(bank.MAGIC):
        return bank.last_ts(row)
    return int.from_bytes(row[_TIME_AT:_HEAD], "big", signed=True)


def read(row: bytes, key: bytes, sensor_id: str, settings: SensorSettings) -> tuple[Sensor, Fit]:
    """Return the sensor of a row, made to fit settings that may have changed since.

    What waits for labels stands in other rows and is not in it yet.

    Returns
    -------
    (Sensor, Fit)
        The sensor, and what of it goes on.

    Raises
    ------
    SnapshotError
        As `verify` does, and if the row's last event is not that of its snapshot.
    """
    if row.startswith(bank.MAGIC):
        return bank.read(row, key, sensor_id, settings), bank.fit_of(row, settings)
    found = snapshot.loads(snapshot_of(row), key)
    assert isinstance(found, Stored)
    if (found.values["last_offset"], found.values["last_ts"]) != (last_offset(row), last_ts(row)):
        raise SnapshotError("state: the last event of a row is not that of its snapshot")
    return refit(found, sensor_id, settings), fit_of(found, settings)


def snapshot_of(row: bytes) -> bytes:
    """Return the signed snapshot in a row.

    Raises
    ------
    SnapshotError
        If it is no row that `write` wrote.
    """
    if not row.startswith(MAGIC):
        raise SnapshotError("state: no row of a sensor, or one of an earlier version of Driftline")
    return row[_HEAD:]
