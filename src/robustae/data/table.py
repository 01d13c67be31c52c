"""What a reader hands over: rows, their columns, and the label apart from them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from robustae.data.cells import is_missing
from robustae.data.dialect import Dialect
from robustae.data.identifiers import index_reason
from robustae.data.marks import marks_of
from robustae.data.mixed import MixedTable
from robustae.utils.checks import InputError, suggestion

_LEVELS = ("-", ".")  # markers that are a value of their own in a label, as in + and -
_WHOLE = re.compile(r"^([+-]?\d+)[.,]0*$")  # 1.0000 is 1
_NUMBERED = re.compile(r"\s*\[\d+\]$")  # as of a patient, glued to what the row is


MOST_KINDS = 50  # of a label: beyond, it is a measurement or a name


@dataclass(frozen=True)
class Table:
    """Rows read from a file.

    Attributes
    ----------
    values : array of shape (n, d), or (n, height, width[, channels]) from .npy and .npz, or MixedTable
        float64 from CSV and Parquet, a missing cell being NaN; a `MixedTable` where a column holds
        anything but numbers. Arrays keep their type (bytes are images).
    columns : list of d str
        Names, or positions in the file where it has no header; empty for images.
    labels : int array of shape (n,), or None
        1 = anomaly, 0 = normal; None where no label was asked for.
    dropped : dict of str to str
        The columns left out, each with the reason.
    named : bool
        Whether `columns` are names that the file gives.
    suffix : str
        Kind of file: ".csv", ".parquet", ".npy" or ".npz".
    slips : dict of str to str
        Columns of numbers or dates with a few cells that are neither, which count as missing, and the first
        of them.
    spare : dict of str to array of shape (n,)
        Columns left out because they only number the rows, for a model that was fitted on them.
    identifiers : dict of str to array of shape (n,)
        Columns that name the rows, for results to carry along.
    lines : int array of shape (n,), or None
        Where each row stands in the file, the first line being 1; None where there are no lines.
    dialect : Dialect or None
        How a text file is written.
    notes : list of str
        What should be known about how the file is read.
    apart : int
        Last rows that are no part of a fit: totals of those above, and notes.
    """

    values: Any
    columns: list[str]
    labels: np.ndarray | None = None
    dropped: dict[str, str] = field(default_factory=dict)
    named: bool = False
    suffix: str = ".csv"
    slips: dict[str, str] = field(default_factory=dict)
    spare: dict[str, np.ndarray] = field(default_factory=dict)
    identifiers: dict[str, np.ndarray] = field(default_factory=dict)
    lines: np.ndarray | None = None
    dialect: Dialect | None = None
    notes: list[str] = field(default_factory=list)
    apart: int = 0

    def __len__(self) -> int:
        return len(self.values)

    @property
    def to_fit(self) -> Any:
        """The rows that are part of a fit."""
        return self.values[: len(self) - self.apart] if self.apart else self.values

    @property
    def mixed(self) -> bool:
        """Whether there are columns of anything but numbers."""
        return isinstance(self.values, MixedTable)


# What each reader returns: the table, and the label as it stands in the file (None where not asked for).
Raw = tuple[Table, Any]


@dataclass(frozen=True)
class Request:
    """What the user sets for columns: which is the label, which to leave out."""

    label: str | int | None = None
    drop: tuple[str | int, ...] = ()
    identifier: str | None = None

    def identifier_in(self, names: list[str]) -> str | None:
        """Return the name of the column that names the rows; None where there is none."""
        if self.identifier is None:
            return None
        return names[position(self.identifier, names, "identifier")]

    def left_out(self, names: list[str], others: Sequence[str] = ()) -> tuple[dict[str, str], str | None]:
        """Return the columns not to be used, with reasons, and the name of the label's."""
        drop = [wanted for wanted in self.drop if str(wanted) not in others]
        dropped = {names[position(wanted, names, "column")]: "as asked" for wanted in drop}
        identifier = self.identifier_in(names)
        dropped |= {} if identifier is None else {identifier: "the identifier"}
        if self.label is None:
            return dropped, None
        label = names[position(self.label, names, "label", others)]
        return dropped | {label: "the label"}, label


def without_index(table: Table) -> Table:
    """Leave out named columns of numbers that only number the rows, or hold nothing, if others are left."""
    if table.mixed or not table.named:
        return table
    why = {name: unused_reason(name, table.values[:, j]) for j, name in enumerate(table.columns)}
    kept = [j for j, name in enumerate(table.columns) if not why[name]]
    if not kept or len(kept) == len(table.columns):
        return table
    spare = {name: table.values[:, j] for j, name in enumerate(table.columns) if why[name]}
    return replace(
        table,
        values=table.values[:, kept],
        columns=[table.columns[j] for j in kept],
        dropped=table.dropped | {name: why[name] for name in spare},
        spare=spare,
    )


def unused_reason(name: str, values: np.ndarray) -> str:
    """Why a column of numbers is of no use: it only numbers the rows, or is empty; "" where it is of use."""
    return "every cell is missing" if np.isnan(values).all() else index_reason(name, values)


def numbers_by_column(table: Table) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and cells of the columns that are numbers as read; the name is empty for images."""
    if isinstance(table.values, np.ndarray):
        yield from zip(table.columns, table.values.T, strict=True) if table.columns else [("", table.values)]
        return
    for name, values in table.values.columns.items():
        how = (table.values.spellings or {}).get(name)
        if values.dtype.kind == "f":
            yield name, values
        elif how is not None and how.kind == "number":
            yield name, how.floats(values.tolist())[0]


def marked_missing(table: Table) -> list[str]:
    """Say which columns hold such as -999 several times, far from all other values."""
    return [] if table.values.ndim > 2 else marks_of(numbers_by_column(table))


def slipped(cells: Any, unreadable: np.ndarray, lines: np.ndarray | None) -> str:
    """The first cell that cannot be read, where it stands, and how many more there are; empty for none."""
    at = np.flatnonzero(unreadable)
    if not len(at):
        return ""
    where = f"row {at[0]}" if lines is None else f"line {lines[at[0]]}"
    more = f" and {len(at) - 1} more" if len(at) > 1 else ""
    return f"text {str(cells[at[0]]).strip()[:40]!r} on {where}{more}"


def match_columns(table: Table, names: Sequence[str]) -> Table:
    """Put the columns of a named table in the order of `names`, and leave out the others.

    Parameters
    ----------
    table : Table
    names : sequence of str
        The columns wanted, for instance a model's `feature_names_in_`.

    Returns
    -------
    Table
        Its `dropped` also names the columns that were not wanted.

    Raises
    ------
    InputError
        If a column of `names` is not there, or was left out.
    """
    if not table.named or table.columns == list(names):
        return table
    columns = _by_name(table) | table.spare
    for name in names:
        if name not in columns:
            raise InputError(_lacking(table, name))
    extra = {name: "not a column of the model" for name in table.columns if name not in set(names)}
    dropped = {name: why for name, why in table.dropped.items() if name not in set(names)}
    chosen = {name: columns[name] for name in names}
    values = replace(table.values, columns=chosen) if table.mixed else np.column_stack(list(chosen.values()))
    return replace(table, values=values, columns=list(names), dropped=dropped | extra, spare={})


def as_mixed(table: Table) -> MixedTable:
    """Return the rows by columns, where they are numbers too."""
    return table.values if table.mixed else MixedTable(_by_name(table))


def _by_name(table: Table) -> dict[str, np.ndarray]:
    if table.mixed:
        return table.values.columns
    return {name: table.values[:, j] for j, name in enumerate(table.columns)}


def _lacking(table: Table, name: str) -> str:
    if name in table.dropped:
        return f"the model needs column {name!r}, which was left out: {table.dropped[name]}."
    return f"the data have no column {name!r}, which the model needs: {_nearest(name, table.columns)}"


def two_valued(values: Any, name: str, positive: str | None = None, normal: str | None = None) -> np.ndarray:
    """Turn a label into 1 (anomaly) and 0.

    Parameters
    ----------
    values : sequence of n str, numbers or bool
        The label as it stands in the file. Where each ends with an identifier in square brackets, as in
        "-[840801013]", that is no part of it.
    name : str
        What the label is called, for the messages.
    positive : str, optional
        The value that means anomaly; all others mean normal.
    normal : str, optional
        The value that means normal; all others mean anomaly.

    Returns
    -------
    int array of shape (n,)

    Raises
    ------
    InputError
        If a label is missing, if only one value occurs, if both `positive` and `normal` are given, or if,
        without either, the values are anything but 0 and 1 or false and true.
    """
    if positive is not None and normal is not None:
        raise InputError("give positive or normal, not both: all other values mean the opposite.")
    texts = _without_numbers([_label_text(value) for value in np.asarray(values).tolist()])
    found, counts = np.unique(texts, return_counts=True)
    options = [str(text) for text in found[np.argsort(counts, kind="stable")]]
    if any(is_missing(text) and text not in _LEVELS for text in options):
        raise InputError(f"label {name!r} is missing in some rows: every row needs one.")
    given = positive if normal is None else normal
    meant = _anomalous(options, name) if given is None else _meant(options, name, given)
    if len(options) < 2:
        raise InputError(f"label {name!r} is {options[0]!r} in every row: both kinds of rows are needed.")
    return np.array([(text == meant) == (normal is None) for text in texts], dtype=int)


def _label_text(value: Any) -> str:
    if value is None:
        return ""
    text = (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()
    return _WHOLE.sub(r"\1", text)


def _without_numbers(texts: list[str]) -> list[str]:
    if not texts or not all(map(_NUMBERED.search, texts)):
        return texts
    return [_NUMBERED.sub("", text) for text in texts]


def _meant(options: list[str], name: str, wanted: str) -> str:
    """The value that a user names; options are rarest first."""
    text = _label_text(wanted)
    if text in options:
        return text
    raise InputError(f"label {name!r} is never {wanted!r}: {_nearest(text, options[::-1])}")


def _anomalous(options: list[str], name: str) -> str:
    """Which of the values, rarest first, means anomaly."""
    lowered = {text.lower(): text for text in options}
    if set(lowered) <= {"0", "1"}:
        return "1"
    if set(lowered) <= {"false", "true"}:
        return lowered.get("true", "true")
    if len(options) > MOST_KINDS:
        raise InputError(
            f"label {name!r} must be 0 or 1, and holds {len(options)} different values: "
            "name the column that marks which rows are anomalies."
        )
    example = "positive", "anomaly", options[0]
    if len(options) > 2:
        # Several kinds of anomalies are likelier than of normal rows.
        example = "normal", "normal", options[-1]
    shown = ", ".join(map(repr, options[::-1][:4]))
    shown += f" and {len(options) - 4} more" if len(options) > 4 else ""
    raise InputError(
        f"label {name!r} must be 0 or 1, and holds {shown}: name the value that means {example[1]}, "
        f"for instance {example[0]}={example[2]!r} (on the command line --{example[0]} {example[2]!r})."
    )


def position(wanted: str | int, names: list[str], what: str, others: Sequence[str] = ()) -> int:
    """Return where a column given by name, else by number, stands; `others` would have done too."""
    if str(wanted) in names:
        return names.index(str(wanted))
    try:
        return range(len(names))[int(wanted)]
    except (ValueError, IndexError):
        hint = _nearest(str(wanted), [*others, *names]) or "images have no columns."
        raise InputError(f"{what} {str(wanted)!r} is not in the data: {hint}") from None


def _nearest(wanted: str, options: Sequence[str]) -> str:
    """Suggest the nearest of many names, else the first few."""
    hint = suggestion(wanted, options) if options else ""
    return hint if len(options) <= 8 or hint.startswith("did you mean") else suggestion(wanted, options[:8])
