"""A partition that is full forgets the sensors that have been silent for the longest.

Which ones is a function of the order of events alone, so that a replay forgets the same ones.
"""

from __future__ import annotations

from typing import Final

from schemas.events import Adaptation, ModelRef
from schemas.ids import derived_id
from schemas.timestamps import format_timestamp
from streams.context import Context

RULE: Final = "state.max_sensors"
_SHARE: Final = 100


def at_once(kept: int, limit: int) -> int:
    """Return how many sensors are forgotten when more are kept than may be.

    A hundredth of the limit, since to look at all sensors for the sake of each one would take too
    long; all that are too many if the limit was lowered.
    """
    return max(kept - limit, limit // _SHARE)


def eviction(
    sensor_id: str, last_offset: int, last_ts: int, model: ModelRef, context: Context
) -> Adaptation:
    """Say that a sensor is forgotten.

    Parameters
    ----------
    sensor_id
        Which one.
    last_offset, last_ts
        Its last event, and the time of that in microseconds.
    model
        Its model.
    context
        The record that the partition had no room for.
    """
    if last_offset < 0:
        silent = "it has sent no event"
    else:
        silent = f"silent since offset {last_offset}, {format_timestamp(last_ts)}"
    return Adaptation(
        id=derived_id(
            "adaptation", context.kind, context.partition, context.record.offset, "evict", sensor_id
        ),
        ts=context.now,
        sensor_id=sensor_id,
        action="evict",
        rule=RULE,
        drift_event_id=None,
        model_before=model,
        model_after=None,
        reason=silent,
    )
