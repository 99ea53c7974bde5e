"""Without transactions a crash may fall between the parts of one row: it counts as not written."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest

from schemas.errors import SnapshotError
from streams import kept, rows
from tests.pipelines import Partition, configured, label, reading

PART = 12_000


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART_BYTES", PART)
    monkeypatch.setattr(kept, "PART_BYTES", PART)


def deployed(guarantee: str = "at_least_once") -> Partition:
    return Partition(configured(guarantee=guarantee, learner={"task": "classification"}))


def sent(partition: Partition, sensor: str, n: int, features: int = 1) -> dict[bytes, bytes]:
    """Let a sensor send a labelled event; return the rows as they then stand."""
    values = {f"t{number}": float(n) for number in range(features)}
    partition.feed("sensors", reading(sensor, features=values, n=n, event_id=f"{n}"))
    partition.feed("labels", label(sensor, f"{n}", n % 2, n=n))
    return dict(partition.rows)


def parts_of(sensor: str, found: Mapping[bytes, bytes]) -> list[bytes]:
    mine = [key for key in found if orjson.loads(key)[:2] == ["sensor", sensor]]
    return sorted(mine, key=lambda key: len(orjson.loads(key)))


def torn(sensor: str, partition: Partition, before: Mapping[bytes, bytes]) -> None:
    """Put the state back to where a crash after the first part of a row would have left it."""
    for key in parts_of(sensor, {**before, **partition.rows})[1:]:
        if key in before:
            partition.rows[key] = before[key]
        else:
            partition.rows.pop(key, None)


@pytest.mark.parametrize("sensor", ["press-7", "Öfen"])
def test_its_sensor_begins_anew_and_the_others_go_on(
    sensor: str, caplog: pytest.LogCaptureFixture
) -> None:
    partition = deployed()
    sent(partition, "other", 0)
    before = sent(partition, sensor, 0, features=60)
    after = sent(partition, sensor, 1, features=60)
    assert len(parts_of(sensor, before)) > 1
    torn(sensor, partition, before)
    partition.restart()
    assert partition.pipeline.sensor(sensor) is None
    assert partition.sensor("other").events == 1
    (line,) = [record for record in caplog.records if record.levelname == "WARNING"]
    told = line.msg
    assert isinstance(told, dict)
    assert (told["sensor"], told["row"], told["partition"]) == (sensor, "sensor", 0)
    sent(partition, sensor, 2)
    assert len(parts_of(sensor, partition.rows)) == 1 < len(parts_of(sensor, after))
    partition.restart()
    assert partition.sensor(sensor).events == 1


@pytest.mark.parametrize("sensor", ["press-7", "Öfen"])
def test_a_row_that_has_become_smaller_is_whole_without_what_it_has_left_behind(
    sensor: str,
) -> None:
    partition = deployed()
    small = sent(partition, sensor, 0)
    assert len(parts_of(sensor, small)) == 1
    large = sent(partition, sensor, 1, features=60)
    assert len(parts_of(sensor, large)) > 1
    partition.rows = {**large, **small}
    partition.restart()
    assert partition.sensor(sensor).events == 1
    sent(partition, sensor, 2)
    assert len(parts_of(sensor, partition.rows)) == 1


def test_a_fleet_that_was_written_in_part_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    partition = deployed()
    sent(partition, "press-7", 0)
    partition.rows |= {b'["fleet"]': b'{"openings":{"a', b'["fleet",1]': b"12]}}"}
    partition.restart()
    assert partition.sensor("press-7").events == 1
    assert "counts as not written" in str(caplog.records[-1].msg)


def test_where_there_are_transactions_it_is_no_crash_and_the_worker_ends() -> None:
    partition = deployed("exactly_once")
    before = sent(partition, "press-7", 0, features=60)
    sent(partition, "press-7", 1, features=60)
    torn("press-7", partition, before)
    with pytest.raises(SnapshotError, match="signature"):
        partition.restart()


def test_a_whole_row_with_another_signature_ends_the_worker_in_any_case() -> None:
    partition = deployed()
    sent(partition, "press-7", 0)
    (key,) = parts_of("press-7", partition.rows)
    partition.rows[key] = partition.rows[key][:-1] + b"?"
    with pytest.raises(SnapshotError, match="signature"):
        partition.restart()
