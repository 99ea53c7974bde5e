"""The partition that Kafka's own clients choose for a key."""

from __future__ import annotations

from aiokafka.partitioner import murmur2

__all__ = ["partition_for"]


def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as the producers of Java and aiokafka choose it.

    librdkafka agrees only when told ``partitioner=murmur2_random``.

    Parameters
    ----------
    key
        The record's key.
    partitions
        How many partitions the topic has, at least 1.

    Returns
    -------
    int
        From 0 to ``partitions - 1``.

    References
    ----------
    Apache Kafka, ``org.apache.kafka.common.utils.Utils.murmur2`` and ``toPositive``.

    Examples
    --------
    >>> partition_for(b"press-7", 8)
    7
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
