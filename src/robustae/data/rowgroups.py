"""Parquet row group by row group: the scanner of datasets reads far ahead, and holds gigabytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from robustae.data.batches import after, is_numeric, of_arrow, refuse_kind
from robustae.data.binary import refuse_twins
from robustae.data.column_kinds import Column
from robustae.data.refusals import readable
from robustae.utils.checks import InputError, need

__all__ = ["ParquetPart"]


class ParquetPart:
    """One file."""

    named = True

    def __init__(self, path: Path):
        self.path = path
        with self._opened() as content:
            refuse_twins(content.schema_arrow.names, path)
            self._types = {field.name: field.type for field in content.schema_arrow}
            self.n_rows: int = content.metadata.num_rows
        types = need("parquet", "pyarrow", "reading Parquet").types
        dated = [
            name for name, kind in self._types.items() if types.is_date(kind) or types.is_timestamp(kind)
        ]
        self.kinds = {name: Column(name, "date", form="datetime") for name in dated}
        self.columns = [name for name in self._types if not name.startswith("__index_level_")]

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        arrow = need("parquet", "pyarrow", "reading Parquet")
        parquet = need("parquet", "pyarrow.parquet", "reading Parquet")
        try:
            with readable(self.path), parquet.ParquetFile(self.path) as content:
                yield content
        except arrow.ArrowException as error:
            raise InputError(f"{str(self.path)!r} is not a Parquet file, or a damaged one.") from error

    def read_like(self, kinds: dict[str, Any]) -> None:
        """Columns have types: nothing is to be found out."""

    def check(self, columns: list[str]) -> None:
        """Refuse columns that are no numbers."""
        types = need("parquet", "pyarrow", "reading Parquet").types
        for name in columns:
            if not is_numeric(types, self._types[name]):
                refuse_kind(name, f"values of type {self._types[name]}", repr(str(self.path)))

    def batches(self, columns: list[str], rows: int, start: int = 0) -> Iterator[np.ndarray]:
        """Yield about `rows` rows at a time, from row `start` on."""
        for batch in self.arrow(columns, rows, start):
            yield of_arrow(batch.select(columns), repr(str(self.path)))

    def tables(self, rows: int) -> Iterator[Any]:
        """Yield Arrow tables with all columns."""
        table = need("parquet", "pyarrow", "reading Parquet").Table
        yield from (table.from_batches([batch]) for batch in self.arrow(self.columns, rows))

    def arrow(self, columns: list[str], rows: int, start: int = 0) -> Iterator[Any]:
        """Yield RecordBatches with these columns."""
        with self._opened() as content:
            for group in range(content.num_row_groups):
                length = content.metadata.row_group(group).num_rows
                if start < length:
                    yield from after(start, content.iter_batches(rows, row_groups=[group], columns=columns))
                start = max(start - length, 0)
