"""The checksum of record batches is that of Kafka."""

from __future__ import annotations

from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from streams.checksum import crc32c


def test_it_is_crc_32c() -> None:
    # The check value of the catalogue of CRC algorithms, for the digits from 1 to 9.
    assert crc32c(b"123456789") == 0xE3069283


@given(st.binary(max_size=300), st.integers(0, 20))
def test_it_is_that_of_aiokafka_for_any_bytes(data: bytes, first: int) -> None:
    assert crc32c(memoryview(data)[first:]) == calc_crc32c(data[first:])
