"""Rows are signed four at a time, exactly as hashlib signs each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.compiled import AVAILABLE
from streams.bank import signatures

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")

BEFORE = bytes(range(8))
"""Eight bytes have to stand before the first message."""


def signed(messages: Sequence[bytes], key: bytes) -> list[bytes]:
    """Sign messages that stand one after the other."""
    data = np.frombuffer(BEFORE + b"".join(messages), np.uint8)
    ends = len(BEFORE) + np.cumsum([len(message) for message in messages])
    begins = ends - [len(message) for message in messages]
    out = np.zeros(signatures.SIZE * len(messages), np.uint8)
    places = np.arange(len(messages)) * signatures.SIZE
    signer = signatures.signer(key)
    signatures.sign(data, begins, ends, len(messages), signer, out, places)
    return [out[at : at + signatures.SIZE].tobytes() for at in places.tolist()]


def by_hashlib(message: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(message, digest_size=signatures.SIZE, key=key).digest()


keys = st.binary(min_size=1, max_size=signatures.LONGEST_KEY)
messages = st.binary(min_size=1, max_size=700)


@settings(deadline=None)
@given(st.lists(messages, min_size=1, max_size=11), keys)
def test_each_signature_is_that_of_hashlib(texts: list[bytes], key: bytes) -> None:
    assert signed(texts, key) == [by_hashlib(text, key) for text in texts]


def test_every_length_around_the_blocks_is_signed_as_by_hashlib() -> None:
    key = b"k" * 32
    texts = [bytes(n % 251 for n in range(length)) for length in range(1, 400)]
    assert signed(texts, key) == [by_hashlib(text, key) for text in texts]


def test_a_signer_signs_the_same_again() -> None:
    data = np.frombuffer(BEFORE + b"message", np.uint8)
    signer = signatures.signer(b"key")
    out = np.zeros(2 * signatures.SIZE, np.uint8)
    for place in (0, signatures.SIZE):
        at = (np.array([8]), np.array([15]), 1, signer, out, np.array([place]))
        signatures.sign(data, *at)
    assert out[:16].tobytes() == out[16:].tobytes() == by_hashlib(b"message", b"key")


def test_one_row_can_be_signed_within_the_bytes_that_hold_it() -> None:
    data = np.frombuffer(bytes(24) + b"message" + bytes(9), np.uint8).copy()
    signer = signatures.signer(b"key")
    signatures.sign(data, np.array([24]), np.array([31]), 1, signer, data, np.array([8]))
    assert data.tobytes() == bytes(8) + by_hashlib(b"message", b"key") + b"message" + bytes(9)
