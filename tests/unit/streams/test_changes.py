"""Rows are written as records of batches, the same bytes that aiokafka would write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import encode_varint
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.snapshot import signing_key
from schemas.compiled import AVAILABLE
from schemas.settings import Settings, load_settings
from streams.bank import bank as rows_of
from streams.bank.records import put_varint, size_of
from streams.changelog import Position, Restored, sensor_key
from streams.changes import BATCH_BYTES, Changes
from streams.pipeline import Pipeline
from streams.records import FileRecord
from streams.sending import ReadyBatch
from tests.pipelines import slice_of

HERE = TopicPartition("driftline.state", 3)
needs_numba = pytest.mark.skipif(not AVAILABLE, reason="numba is not installed")


def configured(**values: Any) -> Settings:
    return load_settings(None, {"state.signing_key": "only for these tests", **values})


def written(changes: Changes, *, transactional: bool = True) -> list[bytes]:
    """Header and records of each batch."""
    made = []
    for number, batch in enumerate(changes.batches):
        ready = ReadyBatch(batch, changes.timestamp, transactional=transactional)
        ready._set_producer_state(7, 2, 100 * number)
        made.append(bytes(ready._build()))
    return made


def by_aiokafka(changes: Changes, *, transactional: bool = True) -> list[bytes]:
    """The same rows in the same batches, written record by record."""
    rows, made = iter(changes), []
    for number, batch in enumerate(changes.batches):
        builder = DefaultRecordBatchBuilder(2, 0, transactional, 7, 2, 100 * number, 1 << 30)
        for offset in range(batch.records):
            key, value = next(rows)
            builder.append(offset, changes.timestamp, key, value, [])
        made.append(bytes(builder.build()))
    return made


def of_sensors(ids: list[str], events: int, **values: Any) -> tuple[Pipeline, Changes]:
    """What sensors leave that have sent some events each."""
    pipeline = Pipeline(configured(**values), 0)
    rng = np.random.default_rng(3)
    texts = [
        b'{"sensor_id":%s,"ts":%d,"value":%r}' % (_json(name), 1_767_614_400 + n, value)
        for n, value in enumerate(rng.normal(20.0, 1.0, events).tolist())
        for name in ids
    ]
    events_of_all = [FileRecord(offset, 0, None, text) for offset, text in enumerate(texts)]
    pipeline.process("sensors", slice_of(events_of_all))
    return pipeline, pipeline.take()[1]


def _json(name: str) -> bytes:
    return sensor_key(name)[len('["sensor",') : -1]


# From Python.

keys = st.binary(min_size=1, max_size=300)


@settings(deadline=None)
@given(
    st.lists(st.tuples(keys, st.none() | st.binary(max_size=400)), min_size=1, max_size=150),
    st.booleans(),
)
def test_rows_are_the_records_that_aiokafka_writes(
    rows: list[tuple[bytes, bytes | None]], transactional: bool
) -> None:
    changes = Changes()
    for key, value in rows:
        changes.append(key, value)
    assert list(changes) == rows
    assert len(changes) == len(rows)
    assert changes.value_bytes == sum(len(value or b"") for _, value in rows)
    assert written(changes, transactional=transactional) == by_aiokafka(
        changes, transactional=transactional
    )


def test_rows_that_a_batch_has_no_room_for_go_into_another() -> None:
    changes = Changes()
    rows = [(b"key-%d" % n, bytes(BATCH_BYTES // 3)) for n in range(4)]
    for key, value in rows:
        changes.append(key, value)
    assert [batch.records for batch in changes.batches] == [2, 2]
    assert list(changes) == rows
    assert all(len(batch) <= BATCH_BYTES for batch in written(changes))


def test_a_row_larger_than_a_batch_has_one_of_its_own() -> None:
    changes = Changes()
    for size in (10, BATCH_BYTES + 1, 10):
        changes.append(b"key", bytes(size))
    assert [batch.records for batch in changes.batches] == [1, 1, 1]
    assert written(changes) == by_aiokafka(changes)


# From a bank.


@needs_numba
@settings(deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_numbers_are_the_varints_of_aiokafka(number: int) -> None:
    expected = bytearray()
    encode_varint(number, expected.append)
    out = np.zeros(20, np.uint8)
    assert put_varint(number, out, 2) == 2 + len(expected) == 2 + size_of(number)
    assert out[2 : 2 + len(expected)].tobytes() == expected


@needs_numba
def test_rows_of_a_bank_are_the_records_that_aiokafka_writes() -> None:
    ids = [f"s-{number}" for number in range(700)]
    pipeline, changes = of_sensors(ids, 20)
    assert sum(batch.records for batch in changes.batches) == len(ids)
    assert written(changes) == by_aiokafka(changes)
    bank = pipeline.kept.bank
    assert bank is not None
    assert dict(changes) == {
        sensor_key(name): bank.stored(number) for number, name in enumerate(bank.ids())
    }
    assert changes.value_bytes == sum(len(value or b"") for _, value in changes)


@needs_numba
def test_many_rows_of_a_bank_fill_several_batches() -> None:
    _, changes = of_sensors([f"s-{number:04d}" for number in range(1500)], 3)
    for n in range(3):
        changes.append(b"later-%d" % n, b"x")
    more, _ = of_sensors([f"t-{number:04d}" for number in range(1500)], 3)
    bank = more.kept.bank
    assert bank is not None
    bank.dirty[:1500] = 1
    bank.take(changes)
    assert len(changes.batches) > 1
    assert len(changes) == len(dict(changes)) == 3003
    assert all(len(batch) <= BATCH_BYTES for batch in written(changes))
    assert written(changes) == by_aiokafka(changes)


@needs_numba
@pytest.mark.parametrize("events", [1, 30, 99, 400, 900])
def test_rows_of_every_length_are_records(events: int) -> None:
    """With a warm-up of a thousand values a row takes 8 kB and more."""
    _, changes = of_sensors(["a", "b"], events, **{"detectors.warmup": 1000})
    assert written(changes) == by_aiokafka(changes)


@needs_numba
def test_the_longest_of_them_is_longer_than_two_bytes_of_length_say() -> None:
    _, changes = of_sensors(["a"], 900, **{"detectors.warmup": 1000})
    ((_, row),) = changes
    assert row is not None
    assert len(row) > 8192


@needs_numba
def test_what_stands_beside_rows_is_written_with_them() -> None:
    pipeline, before = of_sensors([f"s-{number}" for number in range(30)], 200)
    rng = np.random.default_rng(5)
    shifted = rng.normal(30.0, 1.0, 3000)
    texts = [
        b'{"sensor_id":"s-%d","ts":%d,"value":%r}' % (n % 15, 1_767_620_000 + n, value)
        for n, value in enumerate(shifted.tolist())
    ]
    first = 200 * 30
    drifting = [FileRecord(first + n, 0, None, text) for n, text in enumerate(texts)]
    pipeline.process("sensors", slice_of(drifting))
    _, changes = pipeline.take()
    bank = pipeline.kept.bank
    assert bank is not None
    held = {sensor_key(name): bank.stored(bank.names.find(name.encode())) for name in bank.ids()}
    rows = {key: row for key, row in changes if key in held}
    assert len(rows) == 15
    assert rows == {key: held[key] for key in rows}
    assert any(rows_of.split(row)[1] for row in held.values())
    assert written(changes) == by_aiokafka(changes)
    heir = Pipeline(configured(), 0)
    heir.restore(Restored(Position(dict(pipeline.position)), _kept(before) | _kept(changes)))
    assert heir.kept.bank is not None
    assert {heir.kept.bank.stored(n) for n in range(len(heir.kept.bank))} == set(held.values())


ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@needs_numba
@settings(deadline=None)
@given(st.lists(ids, min_size=1, max_size=6, unique=True))
def test_any_id_stands_in_the_key_of_its_row(names: list[str]) -> None:
    pipeline, changes = of_sensors(names, 2)
    assert {key for key, _ in changes} == {sensor_key(name) for name in names}
    assert written(changes) == by_aiokafka(changes)
    heir = Pipeline(configured(), 0)
    heir.restore(Restored(Position(dict(pipeline.position)), _kept(changes)))
    assert sorted(heir.sensor_ids()) == sorted(names)


def _kept(changes: Changes) -> dict[bytes, bytes]:
    return {key: value for key, value in changes if value is not None}


@needs_numba
def test_a_row_of_a_bank_is_signed() -> None:
    pipeline, changes = of_sensors(["a", "b", "c"], 150)
    for _, row in changes:
        assert row is not None
        assert row.startswith(rows_of.MAGIC)
        assert rows_of.verified(row, signing_key(configured().state))
        with pytest.raises(rows_of.SnapshotError):
            rows_of.verified(row[:-1] + bytes([row[-1] ^ 1]), pipeline.kept.key)
