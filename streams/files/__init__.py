"""Recorded events in files: CSV and JSON lines, read as the messages of the contract.

A file is read the way ``driftline produce`` and ``driftline backtest`` need it: one message
(or the reason why there is none) per line, in file order, in bounded memory.
"""

from streams.files.column import Cell, read_cells
from streams.files.messages import Columns, Kind, read_records
from streams.files.opening import Wrap, open_input

__all__ = ["Cell", "Columns", "Kind", "Wrap", "open_input", "read_cells", "read_records"]
