"""Compiled functions: numba where it is installed, and a way to tell whether it is.

What is compiled here is never the only way to do a thing: every caller has a plain path, which
says what is meant, is tested to give the same to the last bit, and is taken where numba is missing.

The machine code is kept in ``<digest>`` in ``NUMBA_CACHE_DIR``, or else in ``driftline`` in
``$XDG_CACHE_HOME`` (``~/.cache``). The digest is that of all `SOURCES`: numba itself looks at the
file of the outermost function alone, and would go on with a callee as it was before.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from schemas.directories import own_directory

try:
    import numba as _numba
except ImportError:
    numba: Any = None
else:
    import numba.extending

    numba = _numba

__all__ = [
    "AVAILABLE",
    "SOURCES",
    "allocating",
    "compiled",
    "inlined",
    "is_complete",
    "is_kept",
    "mark_complete",
    "shared",
]

F = TypeVar("F", bound=Callable[..., Any])

AVAILABLE: Final = numba is not None
"""Whether compiled functions are compiled. If not, nobody is to call them: they are slow."""

_KEPT_SECONDS: Final = 30 * 86_400
"""Machine code of a version that was made so long ago is deleted when another one is made."""

SOURCES: Final = ("schemas", "detectors", "learners", "streams/bank", "streams/slices.py")
"""Where compiled functions stand, and the constants that are compiled into them."""


def compiled(function: F) -> F:
    """Compile a function on its first call, and keep the result on disk.

    No fast-math: results are those of the same operations in Python, in the same order. A division
    by zero gives an infinity or NaN instead of an exception. The interpreter's lock is released.

    The function makes no arrays (slices of others are none). Numba then counts no references to
    them, which takes it longer than many a step in here.
    """
    return _made(function, _nrt=False)


def inlined(function: F) -> F:
    """Compile a function into those that call it: for steps of a few instructions."""
    return _made(function, _nrt=False, inline="always")


def allocating(function: F) -> F:
    """Compile a function that makes arrays, otherwise as `compiled` does."""
    return _made(function, _nrt=True)


def shared(function: F) -> F:
    """Let compiled functions call it; in Python it stays as it is, and is never compiled."""
    if numba is None:
        return function
    made: F = numba.extending.register_jitable(_nrt=False, error_model="numpy")(function)
    return made


def _made(function: F, **options: Any) -> F:
    if numba is None:
        return function
    made: F = numba.njit(cache=_KEPT is not None, error_model="numpy", nogil=True, **options)(
        function
    )
    return made


def _digest() -> str:
    root = Path(__file__).parent.parent
    found = hashlib.sha256()
    for name in SOURCES:
        place = root / name
        for source in [place] if place.is_file() else sorted(place.rglob("*.py")):
            status = source.stat()
            found.update(f"{source}{status.st_size}{int(status.st_mtime)}".encode())
    return found.hexdigest()[:16]


def _place() -> Path:
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given) / _digest()
    return own_directory("XDG_CACHE_HOME", ".cache") / _digest()


def _forget_old_versions(parent: Path) -> None:
    for place in parent.iterdir():
        if place.is_dir() and time.time() - place.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(place, ignore_errors=True)


def _keep_on_disk() -> Path | None:
    """Choose where machine code is kept; None if nothing can be written there."""
    if numba is None:
        return None
    try:
        place = _place()
        if not place.exists():
            place.mkdir(parents=True, exist_ok=True)
            _forget_old_versions(place.parent)
        if not os.access(place, os.W_OK):
            # As in a container with a file system to read only. Numba wants to write all the same.
            place = _copied(place)
    except (OSError, RuntimeError):  # The second is what a user without a home comes to.
        return None
    numba.config.CACHE_DIR = str(place)
    return place


def _copied(place: Path) -> Path:
    copy = Path(tempfile.mkdtemp(prefix="driftline-compiled-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    return Path(shutil.copytree(place, copy, dirs_exist_ok=True))


_KEPT: Final = _keep_on_disk()
_COMPLETE: Final = "complete"


def is_kept() -> bool:
    """Tell whether machine code is kept for the next process."""
    return _KEPT is not None


def is_complete() -> bool:
    """Tell whether all of it was compiled and kept before."""
    return _KEPT is not None and (_KEPT / _COMPLETE).exists()


def mark_complete() -> None:
    """Note that everything has been compiled."""
    if _KEPT is not None:
        (_KEPT / _COMPLETE).touch()
