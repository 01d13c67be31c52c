"""The loop: rows in, scores and worst cells out."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from robustae.data.layout import HEAD, skipped
from robustae.data.text import separator_in
from robustae.deploy.records import RowReader
from robustae.deploy.watch.feed import Feed, Line
from robustae.deploy.watch.lines import LineReader, format_of, is_above, reader_for, says_units
from robustae.deploy.watch.output import CsvWriter, JsonWriter, ScoredRow
from robustae.fit.explain import FLAG_AT
from robustae.utils.checks import InputError

if TYPE_CHECKING:
    from robustae.estimators.autoencoder import RobustAutoencoder


__all__ = ["Tally", "Watch", "watch"]

LEARN = 256  # rows that are learnt from together


@dataclass(frozen=True)
class Watch:
    """How to watch.

    Attributes
    ----------
    format, to : str or None
        "csv" or "jsonl"; None is decided by the first line, and written as it is read.
    cells : int
        Worst cells written for each row.
    cut : float
        Noise deviations beyond which a cell is written.
    strict : bool
        Whether a bad line ends it all.
    forget : float or None
        Weight of what comes against what was learnt before (see `partial_fit`); None learns nothing.
    header : bool or None
        Whether the first line of CSV has the names of the columns; None is decided by that line.
    skipped : tuple of str
        Columns that come and are no part of the model, by name or position.
    """

    format: str | None = None
    to: str | None = None
    cells: int = 3
    cut: float = FLAG_AT
    strict: bool = False
    forget: float | None = None
    header: bool | None = None
    skipped: tuple[str, ...] = ()


@dataclass
class Tally:
    """What was read, flagged and skipped."""

    rows: int = 0
    flagged: int = 0
    bad: int = 0
    learnt: int = 0
    closed: bool = False  # whether the output was, before all was written
    start: float = field(default_factory=time.monotonic)

    def sentence(self) -> str:
        """Return it in words."""
        seconds = time.monotonic() - self.start
        learnt = f", learnt from {self.learnt}" if self.learnt else ""
        closed = "; the output was closed before all was written" if self.closed else ""
        return (
            f"{self.rows} rows scored, {self.flagged} flagged, {self.bad} bad lines{learnt}, {seconds:.1f} s"
            f"{closed}."
        )


def watch(
    model: "RobustAutoencoder",
    feed: Feed,
    out: IO[str],
    how: Watch | None = None,
    warn: Callable[[str], None] = print,
    tally: Tally | None = None,
) -> Any:
    """Score rows as they come until the feed ends or nobody reads `out` any more.

    Parameters
    ----------
    model : RobustAutoencoder
        Fitted; it is not changed.
    feed : Feed
    out : text file
        Gets one line per row.
    how : Watch, optional
    warn : callable
        Called with a sentence on each bad line.
    tally : Tally, optional
        Counts along.

    Returns
    -------
    RobustAutoencoder
        The model, with what it learnt on the way.

    Raises
    ------
    InputError
        If the first line lacks columns that the model needs, or, where strict, at a bad line.
    """
    watcher = _Watcher(
        RowReader.of(model, (how or Watch()).skipped), how or Watch(), out, warn, tally or Tally()
    )
    try:
        for batch in feed.batches():
            watcher.report_western(feed.western)
            watcher.take(batch)
        watcher.finish()
    except BrokenPipeError:
        watcher.tally.closed = True
    return watcher.row_reader.named()


@dataclass(frozen=True)
class _Row:
    """A row's place among all, its line, and its cells in the model's order."""

    place: int
    line: int
    cells: Sequence[Any]


class _Watcher:
    def __init__(
        self, row_reader: RowReader, how: Watch, out: IO[str], warn: Callable[[str], None], tally: Tally
    ):
        self.row_reader, self.how, self.out, self.warn, self.tally = row_reader, how, out, warn, tally
        self.reader: LineReader | None = None
        self.writer: CsvWriter | JsonWriter | None = None
        self.count = 0  # rows, bad ones included
        self.to_learn: list[_Row] = []
        self.may_wait = how.header is None  # for names, with notes above
        self.above: list[tuple[Line, str]] = []
        self.western = 0  # lines
        self.below = False  # whether the line before was that of names

    def report_western(self, lines: int) -> None:
        """Say, once, that lines are not in UTF-8."""
        if lines and not self.western:
            self.warn("lines that are not UTF-8 are read as Windows-1252 (--encoding names another).")
        self.western = lines

    def take(self, batch: list[Line]) -> None:
        """Score the rows of some lines, and write what was found."""
        good: list[_Row] = []
        try:
            for line, text in self._texts(batch):
                row = self._row(line, text)
                good += [] if row is None else [row]
        finally:  # where a bad line ends it all, those before it are scored
            if good:
                self._score(good)
            self.out.flush()

    def _texts(self, batch: list[Line]) -> Iterator[tuple[Line, str | None]]:
        """Lines that are rows: without blank ones, those of names, and what stands around these."""
        for line in batch:
            text = line.text
            if text is None:
                yield line, text
            elif not text.strip():
                continue
            elif self.reader is None:
                yield from self._begin(line, text)
            elif not self._are_units(text):
                yield line, text

    def finish(self) -> None:
        """Take what was held back for notes as lines like others."""
        self.may_wait, lines = False, [line for line, _ in self.above]
        self.above = []
        if lines:
            self.take(lines)

    def _begin(self, line: Line, text: str) -> Iterator[tuple[Line, str]]:
        """The first lines, until one decides how they are read: what stands above names are notes."""
        kind = self.how.format or format_of(text)
        waits = self.may_wait and kind == "csv" and len(self.above) < HEAD
        if waits and is_above(text, self.row_reader):
            self.above.append((line, text))
            return
        self.reader, named = reader_for(text, kind, self.row_reader, self.how.header)
        self.writer = (CsvWriter if (self.how.to or kind) == "csv" else JsonWriter)(self.out, self.how.cells)
        self.below = named
        notes = sum(separator_in(note) is None for _, note in self.above)
        if named and notes:
            self.warn(f"{skipped(notes)}.")
        yield from [*([] if named else self.above), *([] if named else [(line, text)])]
        self.above = []

    def _are_units(self, text: str) -> bool:
        """Whether a line is one of units, which may stand below the names."""
        below, self.below = self.below, False
        found = below and self.reader is not None and says_units(text, self.reader)
        if found:
            self.warn("the line below the names has units, and is no row.")
        return found

    def _row(self, line: Line, text: str | None) -> _Row | None:
        place = self.count
        self.count += 1
        if text is None or self.reader is None:
            return self._bad(line.number, line.why)
        try:
            return _Row(place, line.number, self.reader.row(text))
        except InputError as error:
            return self._bad(line.number, str(error))

    def _bad(self, number: int, why: str) -> None:
        sentence = f"line {number} is left out: {' '.join(why.split())}"
        self.tally.bad += 1
        if self.how.strict:
            raise InputError(sentence)
        self.warn(sentence)

    def _score(self, rows: list[_Row]) -> None:
        """Score rows together; where that fails one by one, to find those at fault."""
        try:
            scored = self._scored(rows)
        except ValueError as error:
            if len(rows) == 1:
                return self._bad(rows[0].line, str(error))
            for row in rows:
                self._score([row])
            return None
        assert self.writer is not None
        self.tally.rows += len(rows)
        self.tally.flagged += sum(one.anomaly for one in scored)
        self.writer.write(scored)
        return self._learn(rows)

    def _scored(self, rows: list[_Row]) -> list[ScoredRow]:
        model, X = self.row_reader.model, self._rows(rows)
        scores = model.score_samples(X).tolist()
        scored = [
            ScoredRow(row.place, score, bool(score < model.offset_))
            for row, score in zip(rows, scores, strict=True)
        ]
        self._add_cells(scored, model.explain(X, self.how.cut))
        return scored

    def _rows(self, rows: list[_Row]) -> Any:
        columns = list(zip(*(row.cells for row in rows), strict=True))
        return self.row_reader.rows(columns, self.row_reader.needed)

    def _add_cells(self, scored: list[ScoredRow], account: dict[str, np.ndarray]) -> None:
        """Give each row its cells, farthest off first, as `explain` sorts them."""
        parts = zip(*(account[name].tolist() for name in ("row", "column", *ScoredRow.PARTS)), strict=True)
        for row, column, *found in parts:
            if len(scored[row].cells) < self.how.cells:
                name = column if isinstance(column, str) else self.row_reader.columns[column]
                scored[row].cells.append((name, *found))

    def _learn(self, rows: list[_Row]) -> None:
        forget = self.how.forget
        if forget is None:
            return
        self.to_learn += rows
        if len(self.to_learn) >= LEARN:
            rows, self.to_learn = self.to_learn, []
            self._learn_from(rows, forget)

    def _learn_from(self, rows: list[_Row], forget: float) -> None:
        try:
            self.row_reader.model.partial_fit(self._rows(rows), forget=forget)
            self.tally.learnt += len(rows)
        except ValueError as error:
            self.warn(f"nothing is learnt from {len(rows)} rows: {' '.join(str(error).split())}")
