"""The functions of `detectors.season`, compiled: what they change are numbers of a row anyway."""

from __future__ import annotations

from detectors import season
from detectors.season import HOLDS, INTEGERS, SLOTS
from schemas.compiled import compiled, shared

__all__ = ["HOLDS", "INTEGERS", "SLOTS", "advance", "expected"]

for _function in (
    season.place_of,
    season.share_between,
    season.held_against,
    season.is_no_use,
    season.close_hour,
):
    shared(_function)

expected = compiled(season.expected)
advance = compiled(season.advance)
