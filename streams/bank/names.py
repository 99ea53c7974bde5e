"""Which row a sensor id has: a hash table of bytes that compiled code looks up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas import columns
from schemas.compiled import compiled
from streams.bank.step import find

_SMALLEST = 1024
_BYTES_PER_ID = 16


@compiled
def _enter(hashes: Any, numbers: Any, hashed: np.uint64, number: int) -> None:
    mask = np.uint64(hashes.shape[0] - 1)
    slot = hashed & mask
    while hashes[slot] != 0:
        slot = (slot + np.uint64(1)) & mask
    hashes[slot] = hashed
    numbers[slot] = number


@compiled
def _enter_all(old: Any, old_numbers: Any, hashes: Any, numbers: Any) -> None:
    for slot in range(old.shape[0]):
        if old[slot] != 0:
            _enter(hashes, numbers, old[slot], old_numbers[slot])


@compiled
def _keep(
    order: Any,
    numbered: Any,
    old_hashes: Any,
    old_numbers: Any,
    old_arena: Any,
    old_arena_at: Any,
    hashes: Any,
    numbers: Any,
    arena: Any,
    arena_at: Any,
) -> None:
    """Fill the tables with some rows; `numbered` is room for a number per old row, all -1."""
    end = 0
    for number in range(order.shape[0]):
        old = order[number]
        numbered[old] = number
        for place in range(old_arena_at[old], old_arena_at[old + 1]):
            arena[end] = old_arena[place]
            end += 1
        arena_at[number + 1] = end
    for slot in range(old_hashes.shape[0]):
        if old_hashes[slot] != 0 and numbered[old_numbers[slot]] >= 0:
            _enter(hashes, numbers, old_hashes[slot], numbered[old_numbers[slot]])


@compiled
def _add_many(
    closed: Any,
    lengths: Any,
    first: int,
    hashes: Any,
    numbers: Any,
    arena: Any,
    arena_at: Any,
    odd: Any,
) -> int:
    """Enter ids that stand one after the other, each before a quote; those that aren't plain later.

    Their places are written to `odd`, and counted.
    """
    at = 0
    left = 0
    for place in range(lengths.shape[0]):
        length = lengths[place]
        number = first + place
        begins = arena_at[number]
        for letter in range(length):
            arena[begins + letter] = closed[at + letter]
        arena_at[number + 1] = begins + length
        hashed, end = columns._id(closed, at, at + length + 1)
        if end == at + length + 1:
            _enter(hashes, numbers, hashed, number)
        else:
            odd[left] = place
            left += 1
        at += length + 1
    return left


def hash_of(name: bytes) -> np.uint64:
    """Return what `schemas.columns.scan` gives for a plain id, and any fixed number for others."""
    closed = np.frombuffer(name + b'"', np.uint8)
    hashed, end = columns._id(closed, 0, len(closed))
    if end == len(closed):
        return np.uint64(hashed)
    digest = hashlib.blake2b(name, digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little") | 1)


class Names:
    """Sensor ids, numbered from 0 in the order in which they came, or as `keep` has put them.

    Attributes
    ----------
    hashes, numbers, arena, arena_at
        As `streams.bank.step.find` takes them.
    """

    def __init__(self) -> None:
        self.hashes = np.zeros(_SMALLEST, np.uint64)
        self.numbers = np.zeros(_SMALLEST, np.int32)
        self.arena = np.zeros(_SMALLEST * _BYTES_PER_ID, np.uint8)
        self.arena_at = np.zeros(_SMALLEST, np.int64)
        self._count = 0

    def __len__(self) -> int:
        """Return how many ids there are."""
        return self._count

    def __getitem__(self, number: int) -> bytes:
        """Return the id of a row."""
        return self.arena[self.arena_at[number] : self.arena_at[number + 1]].tobytes()

    def find(self, name: bytes) -> int:
        """Return the row of an id, -1 if it has none."""
        data = np.frombuffer(name, np.uint8)
        return int(
            find(
                data,
                0,
                len(name),
                hash_of(name),
                self.hashes,
                self.numbers,
                self.arena,
                self.arena_at,
            )
        )

    def add(self, name: bytes) -> int:
        """Number an id that has none yet."""
        self._make_room(1, len(name))
        number = self._count
        begins = int(self.arena_at[number])
        self.arena[begins : begins + len(name)] = np.frombuffer(name, np.uint8)
        self.arena_at[number + 1] = begins + len(name)
        _enter(self.hashes, self.numbers, hash_of(name), number)
        self._count = number + 1
        return number

    def add_many(self, names: Sequence[bytes]) -> None:
        """Number ids that have none yet, in their order."""
        closed = b'"'.join(names) + b'"'
        self._make_room(len(names), len(closed))
        odd = np.empty(len(names), np.int64)
        left = _add_many(
            np.frombuffer(closed, np.uint8),
            np.fromiter(map(len, names), np.int64, len(names)),
            self._count,
            self.hashes,
            self.numbers,
            self.arena,
            self.arena_at,
            odd,
        )
        for place in odd[:left].tolist():
            _enter(self.hashes, self.numbers, hash_of(names[place]), self._count + place)
        self._count += len(names)

    def _make_room(self, ids: int, letters: int) -> None:
        """Have room for so many more ids, of so many bytes in all."""
        count = self._count + ids
        if 2 * count > len(self.hashes):
            old, old_numbers = self.hashes, self.numbers
            slots = len(old)
            while 2 * count > slots:
                slots *= 2
            self.hashes = np.zeros(slots, np.uint64)
            self.numbers = np.zeros(slots, np.int32)
            _enter_all(old, old_numbers, self.hashes, self.numbers)
        if count + 1 > len(self.arena_at):
            room = max(len(self.arena_at), ids)
            self.arena_at = np.concatenate([self.arena_at, np.zeros(room, np.int64)])
        if int(self.arena_at[self._count]) + letters > len(self.arena):
            room = max(len(self.arena), letters)
            self.arena = np.concatenate([self.arena, np.zeros(room, np.uint8)])

    def keep(self, order: npt.NDArray[np.int64]) -> None:
        """Forget all ids but those of some rows, and number these anew.

        Parameters
        ----------
        order
            Rows by their old number, in the order of their new ones.
        """
        old = (self.hashes, self.numbers, self.arena, self.arena_at)
        self.hashes, self.numbers = np.zeros_like(old[0]), np.zeros_like(old[1])
        self.arena, self.arena_at = np.zeros_like(old[2]), np.zeros_like(old[3])
        numbered = np.full(self._count, -1, np.int64)
        _keep(order, numbered, *old, self.hashes, self.numbers, self.arena, self.arena_at)
        self._count = len(order)
