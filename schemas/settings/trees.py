"""Settings as trees: one laid over another, and text that stands for a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Make a tree of values by dotted key; None is left out, and text for a table is JSON."""
    tree: dict[str, Any] = {}
    for key, value in overrides.items():
        if value is None:
            continue
        branch: Any = from_json(value) if isinstance(value, str) and value[:1] in "[{" else value
        for part in reversed(key.split(".")):
            branch = {part: branch}
        tree = merge(tree, branch)
    return tree


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid on it; a list, or a model with its class, replaces the other."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        is_part = isinstance(value, Mapping) and "class" not in value
        if is_part and isinstance(below, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def from_json(text: str) -> Any:
    """Return what the text is as JSON, or else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
