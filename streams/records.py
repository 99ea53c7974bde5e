"""What goes into the owned partition and what comes out of it, without any client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from schemas.events import DriftEvent

InputName = Literal["sensors", "labels", "control", "alerts", "models"]
INPUTS: tuple[InputName, ...] = ("sensors", "labels", "control", "alerts", "models")
"""The co-partitioned topics that one owner of a partition reads together."""


class Record(Protocol):
    """One Kafka record, as aiokafka's ``ConsumerRecord`` and `FileRecord` both are."""

    @property
    def offset(self) -> int:
        """Offset in its partition."""

    @property
    def timestamp(self) -> int:
        """Kafka timestamp in milliseconds since the Unix epoch."""

    @property
    def key(self) -> bytes | None:
        """Key, None where there is none."""

    @property
    def value(self) -> bytes | None:
        """Value, None for a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Headers in their order."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A record that comes from a file instead of a topic."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Outgoing(NamedTuple):
    """A record to be written with the next checkpoint, into the owned partition's number.

    Parameters
    ----------
    topic
        Full topic name.
    key, value
        Bytes, or None for null.
    headers
        Header names and values in order.
    timestamp
        Milliseconds since the epoch; None is the time of writing.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp: int | None = None


@dataclass(slots=True)
class Counts:
    """What a slice did, for the metrics; added up by the caller.

    Attributes
    ----------
    seconds
        That a worker took for it, on the clock.
    """

    scored: int = 0
    skipped: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)
    """Events that were scored, but kept from the model, by reason. Compiled code keeps back none:
    it leaves such events to the plain path."""
    labels: dict[str, int] = field(default_factory=dict)
    drift_events: dict[tuple[str, str, str], int] = field(default_factory=dict)
    adaptations: dict[str, int] = field(default_factory=dict)
    begun_anew: dict[str, int] = field(default_factory=dict)
    """Learners and detectors of stored sensors that began anew, since they are configured otherwise
    now, or by another version of River."""
    muted: int = 0
    absorbed: list[DriftEvent] = field(default_factory=list)
    """Drift events that are not told, since one of the fleet stands for them."""
    last_event_ts: int | None = None
    seconds: float = field(default=0.0, compare=False)
