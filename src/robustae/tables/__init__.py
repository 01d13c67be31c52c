"""Tables as people have them: numbers, truth values, categories and dates made numbers, and back."""

from robustae.tables.columns import Columns
from robustae.tables.kinds import Column, LeftOut
from robustae.tables.rows import MixedRows, encoded, missing_of, rows_of, settled

__all__ = ["Column", "Columns", "LeftOut", "MixedRows", "encoded", "missing_of", "rows_of", "settled"]
