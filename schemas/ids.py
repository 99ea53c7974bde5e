"""Ids that are a function of what they name, so that a replay makes the same ones."""

from __future__ import annotations

import hashlib

__all__ = ["derived_id", "drift_event_id"]


def derived_id(*parts: str | int) -> str:
    """32 hex digits out of ``parts``: same parts, same id.

    Each part is written with its type and length before it, so no two different lists of parts
    are the same bytes: ``("a", "bc")``, ``("ab", "c")`` and ``("1",)``, ``(1,)`` all differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        kind = b"s" if isinstance(part, str) else b"i"
        digest.update(b"%s%d:%s," % (kind, len(data), data))
    return digest.hexdigest()[:32]


def drift_event_id(
    partition: int, offset: int, sensor_id: str, signal: str, detector: str, kind: str
) -> str:
    """Id of a drift event: a function of where it came from and of what it says, of no clock."""
    return derived_id("drift", partition, offset, sensor_id, signal, detector, kind)
