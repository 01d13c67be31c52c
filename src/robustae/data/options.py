"""What a user may set about how a file is written."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from robustae.data.cells import RARE
from robustae.data.dates import ORDERS
from robustae.data.encodings import known_encoding
from robustae.data.numerals import OTHER
from robustae.data.spelling import KINDS, Hints
from robustae.utils.checks import InputError, one_of

__all__ = ["ReadOptions"]

DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
THOUSANDS = (".", ",", " ", "'", "")


@dataclass(frozen=True)
class ReadOptions:
    """How cells of text files are read, where that is not to be found out.

    Parameters
    ----------
    sep : str, optional
        One character that separates the cells, or tab, comma, semicolon, pipe.
    decimal, thousands : str, optional
        Marks of numbers; one of them settles the other.
    encoding : str, optional
        As Python names it: utf-8, cp1252, latin-1, utf-16.
    date_format : str, optional
        "dmy", "mdy", "ymd", or a format as of `datetime.strptime`, as %d.%m.%Y.
    types : mapping of str to str
        Kinds of columns by name: number, category, date or text.
    identifier : str, optional
        The column that names the rows: it is no measurement, and goes along into results.
    unreadable : float
        Share of the cells of a column of numbers or dates that may be neither, and then count as missing.
    texts : collection of str
        Columns that are kept as written, for a model that knows how to read them.

    Raises
    ------
    InputError
        If one of them cannot be used.
    """

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    date_format: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    identifier: str | None = None
    unreadable: float = RARE
    texts: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.sep is not None and len(self.delimiter or "") != 1:
            raise InputError(f"sep={self.sep!r} must be one character, or tab, comma, semicolon or pipe.")
        if self.decimal is not None:
            one_of("decimal", self.decimal, OTHER)
        if self.thousands is not None:
            one_of("thousands", self.thousands, THOUSANDS)
        if self.thousands and self.thousands == self.decimal:
            raise InputError(f"decimal and thousands are both {self.decimal!r}: they must differ.")
        if self.date_format is not None and "%" not in self.date_format:
            one_of("date_format", self.date_format, ORDERS)
        for name, kind in self.types.items():
            one_of(f"types[{name!r}]", kind, KINDS)
        known_encoding(self.encoding or "utf-8")

    @property
    def delimiter(self) -> str | None:
        """What separates the cells, as a character."""
        return None if self.sep is None else DELIMITERS.get(self.sep, self.sep)

    def hints(self, delimiter: str = ",", points: int = 0) -> Hints:
        """Return what decides how cells are read."""
        decimal = self.decimal or OTHER.get(self.thousands or "", "")
        return Hints(decimal, self.date_format or "", dict(self.types), delimiter, points)
