"""Rows of CSV, the bad ones among them."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence

from schemas.errors import ConfigurationError


def table_rows(stream: io.BufferedReader) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and cells of each row, or what is wrong with its text."""
    # surrogateescape lets one row with bad bytes be refused without losing the rest.
    text = (line.decode("utf-8", "surrogateescape") for line in stream)
    first = next(text, "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(itertools.chain([first], text), delimiter=delimiter, strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"a row of CSV ({error})"
        else:
            if any("\udc80" <= char <= "\udcff" for cell in row for char in cell):
                yield line, "text in UTF-8"
            else:
                yield line, row
        line = reader.line_num + 1


def header_of(rows: Iterator[tuple[int, list[str] | str]]) -> list[str]:
    """Take the names of the columns off the rows; none for an empty file.

    Raises
    ------
    ConfigurationError
        If the first row is no row, or a name comes twice.
    """
    for _, row in rows:
        if isinstance(row, str):
            raise ConfigurationError("header", "line 1", row)
        if row:
            names = [name.strip() for name in row]
            doubled = next((n for n in names if n and names.count(n) > 1), None)
            if doubled is not None:
                raise ConfigurationError("header", doubled, "each column name once")
            return names
    return []


def width(header: Sequence[str], row: Sequence[str]) -> str:
    """Say how many cells a row should have had."""
    return f"{len(header)} cells, as in the header, not {len(row)}"
