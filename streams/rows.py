"""Rows that are larger than a broker takes are stored in parts under numbered keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import orjson

PART_BYTES = 900_000
"""Below Kafka's default limit of 1 MiB for a batch, with room for the key and the framing."""

_OPENING = b'["sensor","'
_OPENING_BYTES = len(_OPENING)


def split_parts(
    key: list[str], value: bytes | None, stored_bytes: int = 0
) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield the records of one row.

    Parameters
    ----------
    key
        Parts of the row's key.
    value
        The row; None deletes it.
    stored_bytes
        Size of the row as it stands on the topic: parts that it no longer has are deleted.
    """
    size = len(value or b"")
    for number in range(max(1, _parts(size), _parts(stored_bytes))):
        # What orjson gives takes 4 kB of memory each, and a checkpoint holds a key for every row.
        name = msgspec.json.encode([*key, number] if number else key)
        start = number * PART_BYTES
        if value is None or (number and start >= size):
            yield name, None
        else:
            yield name, value[start : start + PART_BYTES]


def whole_rows(rows: Mapping[bytes, bytes]) -> tuple[list[bytes], list[bytes], dict[bytes, bytes]]:
    """Tell apart what can be had of sensors without a look into JSON: nearly all there is.

    Returns
    -------
    (list of bytes, list of bytes, dict)
        Ids and rows of sensors whose rows are in one part and whose keys escape nothing, and all
        the rest by key.
    """
    ids: list[bytes] = []
    values: list[bytes] = []
    rest: dict[bytes, bytes] = {}
    for key, row in rows.items():
        # A second string would end the first one with a quote, and a number has none at its end.
        name = key[_OPENING_BYTES:-2]
        if (
            key.startswith(_OPENING)
            and key.endswith(b'"]')
            and b'"' not in name
            and b"\\" not in name
            and len(row) < PART_BYTES
        ):
            ids.append(name)
            values.append(row)
        else:
            rest[key] = row
    return ids, values, rest


def parts_by_name(
    rows: Mapping[bytes, bytes],
) -> dict[tuple[str, ...], dict[int, tuple[bytes, bytes]]]:
    """Return key and value of each part of a row by its number, by the parts of the row's key."""
    found: dict[tuple[str, ...], dict[int, tuple[bytes, bytes]]] = {}
    for raw_key, part in rows.items():
        key = orjson.loads(raw_key)
        number = key.pop() if isinstance(key[-1], int) else 0
        found.setdefault(tuple(key), {})[number] = raw_key, part
    return {name: dict(sorted(parts.items())) for name, parts in found.items()}


def joined(parts: Mapping[int, tuple[bytes, bytes]]) -> bytes:
    """Put the parts of one row together."""
    return b"".join(part for _, part in parts.values())


def join_parts(rows: Mapping[bytes, bytes]) -> dict[tuple[str, ...], bytes]:
    """Put rows together again, by the parts of their key."""
    return {name: joined(parts) for name, parts in parts_by_name(rows).items()}


def _parts(size: int) -> int:
    return -(-size // PART_BYTES)
