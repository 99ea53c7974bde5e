"""Snapshots: any state as signed bytes, and back only if the signature is right.

Layout: ``DLS1``, HMAC-SHA256 of all that follows (32 bytes), length of the River version (1 byte),
the River version, a pickle of protocol 5. Nothing is unpickled before the signature is verified:
a pickle from someone else is code from someone else, and a corrupt one may load silently.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any, Final

import river

from schemas.directories import own_directory
from schemas.errors import ConfigurationError, SnapshotError
from schemas.settings import State

__all__ = ["digest", "dumps", "loads", "signing_key", "verify"]

_MAGIC: Final = b"DLS1"
_DIGEST: Final = hashlib.sha256().digest_size
_HEAD: Final = len(_MAGIC) + _DIGEST
_SHORTEST_KEY: Final = 16
_NEW_KEY: Final = 32


def dumps(state: object, key: bytes, *, max_bytes: int | None = None) -> bytes:
    """Write and sign a snapshot.

    Parameters
    ----------
    state
        Anything that can be pickled.
    key
        From `signing_key`.
    max_bytes
        The most that the snapshot may take, such as the broker's limit for a message.

    Raises
    ------
    schemas.errors.SnapshotError
        If it is larger than ``max_bytes``, or can't be pickled.
    """
    try:
        pickled = pickle.dumps(state, protocol=5)
    except Exception as error:
        raise SnapshotError(
            f"snapshot: {type(state).__name__} can't be stored ({type(error).__name__}: {error})"
        ) from error
    version = str(river.__version__).encode()
    signed = bytes([len(version)]) + version + pickled
    size = _HEAD + len(signed)
    if max_bytes is not None and size > max_bytes:
        raise SnapshotError(
            f"snapshot: {type(state).__name__} takes {size} bytes, more than the {max_bytes}"
            " allowed: use a smaller model, or raise max.message.bytes of the topic"
        )
    return _MAGIC + _signature(key, signed) + signed


def loads(data: bytes, key: bytes) -> Any:
    """Read a snapshot that `dumps` wrote.

    Parameters
    ----------
    data
        The snapshot.
    key
        The key that it was signed with.

    Raises
    ------
    schemas.errors.SnapshotError
        If it is no snapshot, was changed, was signed with another key or by another River version.
    """
    pickled = _pickled(data, key)
    try:
        return pickle.loads(pickled)  # noqa: S301 - the signature was verified
    except Exception as error:
        raise SnapshotError(
            f"snapshot: written by another version of Driftline ({type(error).__name__}: {error})"
        ) from error


def verify(data: bytes, key: bytes) -> None:
    """Check the signature of a snapshot, and the version of River, without reading what is in it.

    Raises
    ------
    schemas.errors.SnapshotError
        If it is no snapshot, was changed, was signed with another key or by another River version.
    """
    _pickled(data, key)


def digest(state: object) -> str | None:
    """SHA-256, in hex, of what an object is made of.

    The same for a model that was stored and restored in between, which its snapshot is not: there
    it counts which of its equal strings are one object.

    Returns
    -------
    str or None
        None for an object that refers to itself.

    Examples
    --------
    >>> text = "temperature"
    >>> digest([text, text]) == digest([text, "".join(list(text))])
    True
    """
    pickled = io.BytesIO()
    pickler = pickle.Pickler(pickled, protocol=5)
    pickler.fast = True
    try:
        pickler.dump(state)
    except (ValueError, RecursionError):
        return None
    return hashlib.sha256(pickled.getvalue()).hexdigest()


def signing_key(state: State) -> bytes:
    """The key that snapshots are signed with.

    The secret from the settings, or else that in a file: ``state.signing_key_file``, or
    ``driftline/signing.key`` in ``$XDG_STATE_HOME`` (``~/.local/state``). A file that is not there
    is made, readable by its owner alone; of workers that start at once, all get the same key.

    Parameters
    ----------
    state
        Section ``state`` of the settings.

    Raises
    ------
    schemas.errors.ConfigurationError
        If the secret is too short, or the file can't be read or made.
    """
    if state.signing_key is not None:
        secret = state.signing_key.get_secret_value().encode()
        return _checked(secret, "state.signing_key", "**********")
    path = state.signing_key_file or (
        own_directory("XDG_STATE_HOME", ".local/state") / "signing.key"
    )
    field = "state.signing_key_file"
    try:
        if not path.exists():
            _make_key(path)
        return _checked(path.read_bytes().strip(), field, str(path))
    except OSError as error:
        allowed = f"a file that can be read and made ({error.strerror or error})"
        raise ConfigurationError(field, str(path), allowed) from error


def _pickled(data: bytes, key: bytes) -> memoryview:
    """Return the pickle in a snapshot, if it may be read."""
    if len(data) <= _HEAD or data[: len(_MAGIC)] != _MAGIC:
        raise SnapshotError("snapshot: these bytes are not a snapshot of Driftline, or are cut")
    signed = memoryview(data)[_HEAD:]
    if not hmac.compare_digest(_signature(key, signed), data[len(_MAGIC) : _HEAD]):
        raise SnapshotError(
            "snapshot: the signature does not fit: it was changed, or signed with another key"
            " (state.signing_key or state.signing_key_file must be the same on every worker)"
        )
    length = signed[0]
    version = bytes(signed[1 : 1 + length]).decode()
    if version != river.__version__:
        raise SnapshotError(
            f"snapshot: written with River {version}, but River {river.__version__} is installed:"
            f" install river=={version}, or begin with an empty state"
        )
    return signed[1 + length :]


def _signature(key: bytes, signed: bytes | memoryview) -> bytes:
    return hmac.digest(key, signed, "sha256")


def _checked(secret: bytes, field: str, shown: str) -> bytes:
    if len(secret) < _SHORTEST_KEY:
        raise ConfigurationError(field, shown, f"a key of at least {_SHORTEST_KEY} characters")
    return hashlib.sha256(secret).digest()


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes files of mode 0600
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_NEW_KEY).hex().encode())
            file.flush()
            os.fsync(file.fileno())
        # a link, unlike a rename, never replaces the key that another worker has just made
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(name)
