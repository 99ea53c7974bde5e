"""What a handler knows besides the sensor and the event."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.settings import SensorSettings, Settings
from streams.records import Record


@dataclass(frozen=True, slots=True)
class Context:
    """Where an input comes from and what holds for its sensor.

    Attributes
    ----------
    settings, sensor_settings
        Of the deployment, and of this sensor.
    partition
        Number of the owned partition.
    key
        Signs models.
    kind
        Which input topic the record stood on.
    record
        The record that is processed.
    """

    settings: Settings
    sensor_settings: SensorSettings
    partition: int
    key: bytes = field(repr=False)
    kind: str
    record: Record

    @property
    def now(self) -> int:
        """Time of the record in microseconds: a replay sees the same one."""
        return max(self.record.timestamp, 0) * 1000
