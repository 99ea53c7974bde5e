"""Faults on the way here, told apart from drift: one check per module, one state per sensor.

=========  ======================================================================
`stuck`    the same reading again and again
`limits`   readings that can't be (the check ``range``)
`rate`     another sampling rate, a clock that jumps
`unit`     another unit
`schema`   other features, of another type; `words`: other words in them
=========  ======================================================================
"""

from detectors.hygiene.state import VALUE, Checked, Hygiene
from detectors.hygiene.stuck import Repeats
from detectors.hygiene.unit import CONVERSIONS, Conversion, conversion, reference_in_use

__all__ = [
    "CONVERSIONS",
    "VALUE",
    "Checked",
    "Conversion",
    "Hygiene",
    "Repeats",
    "conversion",
    "reference_in_use",
]
