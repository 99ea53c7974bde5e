"""What a handler knows besides the sensor and the event."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.settings import SensorSettings, Settings
from schemas.timestamps import MAX_US
from streams.maintenance import Spans
from streams.records import FileRecord, Record

_NONE_YET = FileRecord(-1, 0, None, None)


@dataclass(slots=True)
class Context:
    """Where an input comes from and what holds for its sensor.

    One object serves a sensor for as long as it is in memory; the pipeline sets `kind` and
    `record` before each call, since an object per event would cost more than it tells.

    Attributes
    ----------
    settings, sensor_settings
        Of the deployment, and of this sensor.
    partition
        Number of the owned partition.
    key
        Signs models.
    maintenance
        Windows in which the sensor is being worked on.
    kind
        Which input topic the record stood on.
    record
        The record that is processed.
    sensors
        In the fleet: as many in each partition as in this one.
    """

    settings: Settings
    sensor_settings: SensorSettings
    partition: int
    key: bytes = field(repr=False)
    maintenance: Spans = ()
    kind: str = ""
    record: Record = _NONE_YET
    sensors: int = 1

    @property
    def now(self) -> int:
        """Time of the record in microseconds: a replay sees the same one."""
        return min(max(self.record.timestamp, 0) * 1000, MAX_US)
