"""The partitioner agrees with Kafka's own clients."""

from __future__ import annotations

import pytest

from streams.partitioner import partition_for


# Values of Utils.murmur2 in Apache Kafka's own test (UtilsTest.testMurmur2).
@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_a_key_goes_to_the_partition_that_java_chooses(key: bytes, hashed: int) -> None:
    for count in (1, 2, 3, 8, 50):
        assert partition_for(key, count) == (hashed & 0x7FFFFFFF) % count
