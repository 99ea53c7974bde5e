"""CRC-32C, which every record batch holds, by the processor's own instruction where it has one.

aiokafka computes it from tables, which takes seven times as long.
"""

from __future__ import annotations

import google_crc32c

__all__ = ["crc32c"]


def crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of some bytes, as Kafka computes it."""
    value: int = google_crc32c.value(bytes(data))
    return value
