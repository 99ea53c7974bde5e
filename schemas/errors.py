"""Every exception of the project.

::

    DriftlineError
    ├── ConfigurationError      exit code 2: a setting, an argument or a topic is wrong
    │   └── UnknownKey          a key that does not exist, with the nearest one that does
    ├── InvalidMessage          bytes that are not the message they should be (also ValueError)
    ├── OutOfDomain             a number that a detector must not see (also ValueError)
    ├── SnapshotError           a stored state or model that can't be trusted or read
    ├── TopicError              a topic that is missing or differs from what is needed
    ├── Fenced                  another worker owns the partition now
    └── BrokerGone              no broker for longer than ``kafka.outage_timeout``
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BrokerGone",
    "ConfigurationError",
    "DriftlineError",
    "Fenced",
    "InvalidMessage",
    "OutOfDomain",
    "SnapshotError",
    "TopicError",
    "UnknownKey",
    "nearest",
    "shorten",
]

_SHOWN = 100
_LISTED = 20


class DriftlineError(Exception):
    """Base of everything that Driftline raises on purpose; ``str`` of it is one line."""


class ConfigurationError(DriftlineError):
    """A setting or an argument that can't be used; the process ends with exit code 2.

    Parameters
    ----------
    field
        Dotted name of the setting, or the option as the user wrote it.
    value
        What was given. A secret must be masked by the caller.
    allowed
        What would be right, as a noun phrase: ``a port from 0 to 65535``.

    Examples
    --------
    >>> str(ConfigurationError("http.port", 99999, "a port from 0 to 65535"))
    'http.port: 99999 is not allowed: expected a port from 0 to 65535'
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(field, value, allowed)
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        """One line for the user."""
        value = shorten(repr(self.value))
        return f"{shorten(self.field)}: {value} is not allowed: expected {_line(self.allowed)}"


class UnknownKey(ConfigurationError):
    """A key that does not exist. Its value is not repeated: it may be a misspelt password.

    Parameters
    ----------
    field
        The key as it was written.
    known
        The keys that exist; the nearest one is named.
    """

    def __init__(self, field: str, known: Iterable[str]) -> None:
        candidates = tuple(known)
        guess = nearest(field, candidates)
        listed = ", ".join(candidates[:_LISTED]) + (", …" if len(candidates) > _LISTED else "")
        allowed = f"did you mean {guess}?" if guess else f"known are {listed}"
        super().__init__(field, None, allowed)
        self.known = candidates
        # what pickle hands to the constructor
        self.args = (field, candidates)

    def __str__(self) -> str:
        """One line for the user."""
        return f"{shorten(self.field)} is not a known key: {_line(self.allowed)}"


class InvalidMessage(DriftlineError, ValueError):
    """A message that is not what it should be; it becomes a dead letter.

    Parameters
    ----------
    path
        Where in the message, as a JSON path: ``$.features.temperature``.
    expected
        What should have been there, as a noun phrase of ours that repeats nothing of the input.

    Examples
    --------
    >>> str(InvalidMessage("$.value", "a finite number"))
    '$.value: expected a finite number'
    """

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(path, expected)
        self.path = path
        self.expected = expected

    def __str__(self) -> str:
        """One line for the user."""
        return f"{shorten(self.path)}: expected {_line(self.expected)}"


class OutOfDomain(DriftlineError, ValueError):
    """A number that a detector must not see: not finite, or not 0 or 1 where a bit is due."""


class SnapshotError(DriftlineError):
    """A stored state or model that is unsigned, corrupt, of another key or another version."""


class TopicError(DriftlineError):
    """A topic that is missing, or whose partitions or settings differ from what is needed."""


class Fenced(DriftlineError):
    """Another worker has taken the partition over; this one must never write to it again."""


class BrokerGone(DriftlineError):
    """No broker has answered for longer than ``kafka.outage_timeout``."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be, or None.

    Of dotted names those under the same parent are looked at first, then those that end alike
    under another one: ``bootstrap_servers`` was meant to be ``kafka.bootstrap_servers``.
    """
    parent, tail = _split(name)
    candidates = [(candidate, *_split(candidate)) for candidate in known]
    siblings = {end: candidate for candidate, above, end in candidates if above == parent}
    found = difflib.get_close_matches(tail, siblings, n=1, cutoff=0.6)
    if found:
        return siblings[found[0]]
    elsewhere = {end: candidate for candidate, _, end in reversed(candidates)}
    found = difflib.get_close_matches(tail, elsewhere, n=1, cutoff=0.8)
    return elsewhere[found[0]] if found else None


def _split(name: str) -> tuple[str, str]:
    parent, _, tail = name.lower().replace("-", "_").rpartition(".")
    return parent, tail


def shorten(text: str, limit: int = _SHOWN) -> str:
    """``text`` on one printable line of at most ``limit`` characters."""
    line = _line(text[: limit + 1])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
