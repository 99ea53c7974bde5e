"""What the web server asks of the process that it speaks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, Protocol, TypedDict


class PartitionStatus(TypedDict):
    """One owned partition of the sensors topic.

    ``position`` is the next source offset, ``behind`` the records not yet processed (null while it
    is not known), ``sensors`` how many sensors it holds in state.
    """

    partition: int
    state: Literal["restoring", "running", "paused", "unowned"]
    position: int | None
    behind: int | None
    sensors: int | None


class DeadLetterStatus(TypedDict):
    """One dead letter: where it came from, why it was refused, and when (RFC 3339)."""

    topic: str
    partition: int
    offset: int
    message: str
    ts: str | None


class Status(TypedDict):
    """What ``/api/status`` shows and the page draws; what is null or left out is not shown.

    ``events`` never falls while the process lives: the page takes the rate from its differences.
    The lists hold the newest first. ``recent_drift`` and ``recent_adaptations`` hold the JSON
    objects of the topics ``alerts`` and ``adaptations``.
    """

    role: Literal["worker", "dashboard"]
    version: NotRequired[str]
    group: NotRequired[str]
    guarantee: NotRequired[str]
    task: NotRequired[str]
    events: int | None
    sensors: NotRequired[int | None]
    drift_events: NotRequired[int | None]
    dead_letters: NotRequired[int | None]
    lag_seconds: NotRequired[float | None]
    partitions: Sequence[PartitionStatus]
    recent_drift: Sequence[Mapping[str, Any]]
    recent_adaptations: NotRequired[Sequence[Mapping[str, Any]]]
    recent_dead_letters: NotRequired[Sequence[DeadLetterStatus]]


class HealthSource(Protocol):
    """The process, as far as the web server knows it.

    All three are called on the event loop for every request: they must answer from memory.
    """

    @property
    def alive(self) -> bool:
        """False once the process cannot go on by itself; a supervisor then restarts it."""

    @property
    def ready(self) -> tuple[bool, list[str]]:
        """Whether all assigned partitions are restored and their lag is known, else why not."""

    def status(self) -> Mapping[str, Any]:
        """Return a `Status`, safe to change by the caller."""
