"""The bytes of a file, however it comes: by name or on standard input, plain or gzip."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from schemas.errors import ConfigurationError, DriftlineError

Wrap = Callable[[BinaryIO, int | None], BinaryIO]
"""Puts a layer (a progress bar) around the raw file: (file, size in bytes or None) -> file."""

_GZIP_MAGIC = b"\x1f\x8b"

_BOM = b"\xef\xbb\xbf"

_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


@contextmanager
def open_input(path: Path | str, wrap: Wrap | None = None) -> Iterator[io.BufferedReader]:
    """The bytes of a file, unzipped if need be and without a byte-order mark.

    Raises
    ------
    ConfigurationError
        There is no such file, it can't be read, or it isn't UTF-8 at all (UTF-16).
    """
    try:
        raw: BinaryIO = sys.stdin.buffer if str(path) == "-" else open(path, "rb")  # noqa: SIM115
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise ConfigurationError("FILE", str(path), f"a file that can be read ({reason})") from None
    try:
        size = Path(path).stat().st_size if str(path) != "-" else None
        layered = wrap(raw, size) if wrap is not None else raw
        stream = _buffered(layered)
        if stream.peek(2)[:2] == _GZIP_MAGIC:
            stream = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=stream)))
        try:
            start = stream.peek(3)[:3]
            if start == _BOM:
                stream.read(3)
            elif start[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise ConfigurationError("FILE", str(path), "text in UTF-8 (it is in UTF-16)")
            yield stream
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DriftlineError(f"{path}: the gzip file is cut or damaged ({error})") from None
    finally:
        if raw is not sys.stdin.buffer:
            raw.close()


def _buffered(raw: BinaryIO) -> io.BufferedReader:
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(Any, raw))


def stem(path: Path | str) -> str:
    """The name of a file without its suffixes: what a sensor is called that has no name."""
    if str(path) == "-":
        return "stdin"
    name = Path(path).name
    return name.split(".", 1)[0] or name


def is_json(path: Path | str, stream: io.BufferedReader) -> bool:
    """Tell JSON lines from CSV: by the suffix, or else by how the file begins."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
    if suffixes and suffixes[-1] in _JSON_SUFFIXES:
        return True
    if suffixes and suffixes[-1] == ".csv":
        return False
    return stream.peek(1024)[:1024].lstrip().startswith(b"{")
