"""Features as a model can take them: bounded in number, in kinds and in size.

What a sensor sends is not under our control: a serial number as a string feature would make a
category of every event. So the first `MAX_NAMES` names are kept, and of each string feature the
first `MAX_CATEGORIES` categories (`MAX_CATEGORIES_IN_ALL` over all features); all later ones are
the category `OTHER`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from learners.base import LARGEST, VALUE, Feature, number
from schemas.codec import Reading

__all__ = ["MAX_CATEGORIES", "MAX_NAMES", "MAX_TEXT", "OTHER", "Encoder", "compact", "inputs"]

MAX_NAMES: Final = 256
MAX_CATEGORIES: Final = 64
MAX_TEXT: Final = 64
MAX_CATEGORIES_IN_ALL: Final = 1024
OTHER: Final = "other"

_STEADY: Final = 20
_LEAP: Final = 10.0


def inputs(reading: Reading) -> dict[str, Feature]:
    """What a learner is given of a sensor event: features by name, missing ones left out.

    Of an event with a value, the value is the only feature.
    """
    if reading.features is None:
        return {} if reading.value is None else {VALUE: reading.value}
    return {name: value for name, value in reading.features.items() if value is not None}


def compact(x: Mapping[str, Feature]) -> dict[str, Feature]:
    """The features with long strings shortened: the same text always becomes the same text.

    Examples
    --------
    >>> compact({"lot": "a" * 1000})
    {'lot': 'aaaaaaaaaaaaaaaa…sha256:41edece42d63e8d9bf515a9ba6932e1c'}
    """
    return {name: _short(value) if type(value) is str else value for name, value in x.items()}


class Encoder:
    """Makes of one sensor's features what its model is fed.

    The kind of a feature is that of its first value; a value of the other kind counts as missing.
    A number more than ten times larger than any before, once there were twenty, leaps: it is
    predicted from as if it were ten times larger, and is not learned, since a scaler that has seen
    1e29 once calls all else zero for ever. A real change of magnitude is followed within a few
    events, because each leap moves the limit tenfold.

    Parameters
    ----------
    one_hot
        Whether a string becomes a number, 0 or 1, for each category known; if not, it stays a
        string, one of the known ones.
    """

    def __init__(self, one_hot: bool) -> None:
        self.one_hot = one_hot
        self._largest: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._categories: dict[str, dict[str, None]] = {}
        self._in_all = 0

    def learn(self, x: Mapping[str, Feature]) -> dict[str, Feature]:
        """Take names, kinds, categories and magnitudes of ``x`` into account.

        Returns
        -------
        dict
            What the model is to learn: ``x`` encoded, without the numbers that leap.
        """
        leaps = [name for name, value in x.items() if self._take(name, value)]
        encoded = self.encode(x)
        for name in leaps:
            del encoded[name]
        return encoded

    def encode(self, x: Mapping[str, Feature]) -> dict[str, Feature]:
        """The features as the model is fed with; what was never learned is left out."""
        encoded: dict[str, Feature] = {}
        for name, value in x.items():
            if type(value) is str:
                self._encode_text(name, value, encoded)
            elif name in self._largest and (usable := _usable(value)) is not None:
                limit = self._limit(name)
                encoded[name] = max(-limit, min(limit, usable))
        return encoded

    def _take(self, name: str, value: Feature) -> bool:
        """Take one feature into account; whether it is a number that leaps."""
        is_new = name not in self._largest and name not in self._categories
        if is_new and len(self._largest) + len(self._categories) == MAX_NAMES:
            return False
        if type(value) is str:
            if name not in self._largest:
                self._take_category(self._categories.setdefault(name, {}), _short(value))
            return False
        usable = _usable(value)
        if usable is None or name in self._categories:
            return False
        limit = self._limit(name)
        self._largest[name] = max(self._largest.get(name, 0.0), min(abs(usable), limit))
        self._counts[name] = min(self._counts.get(name, 0) + 1, _STEADY)
        return abs(usable) > limit

    def _take_category(self, known: dict[str, None], category: str) -> None:
        if category in known or len(known) == MAX_CATEGORIES:
            return
        if self._in_all < MAX_CATEGORIES_IN_ALL:
            known[category] = None
            self._in_all += 1

    def _encode_text(self, name: str, text: str, encoded: dict[str, Feature]) -> None:
        known = self._categories.get(name)
        if known is None:
            return
        short = _short(text)
        category = short if short in known else OTHER
        if not self.one_hot:
            encoded[name] = category
            return
        # zeros are written too: to a scaler a missing feature is not a zero
        encoded.update(dict.fromkeys((f"{name}={each}" for each in (*known, OTHER)), 0.0))
        encoded[f"{name}={category}"] = 1.0

    def _limit(self, name: str) -> float:
        largest = self._largest.get(name, 0.0)
        return _LEAP * largest if largest and self._counts[name] == _STEADY else LARGEST


def _usable(value: Feature) -> float | None:
    finite = number(value)
    return finite if finite is not None and abs(finite) <= LARGEST else None


def _short(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:16]}…sha256:{digest[:32]}"
