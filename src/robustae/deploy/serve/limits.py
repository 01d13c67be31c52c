"""What a request may ask for, and the refusals beyond."""

from dataclasses import dataclass

from robustae.utils.checks import InputError

__all__ = ["Limits", "Refused", "too_long_an_answer", "too_many_cells", "too_many_columns", "too_many_rows"]


class Refused(Exception):
    """A request that is not answered, with the status and the sentence that give the reason."""

    def __init__(self, status: int, sentence: str, **headers: str):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True)
class Limits:
    """What one process takes on.

    Attributes
    ----------
    rows : int
        In a request.
    bytes : int
        Of a request's body.
    seconds : float
        From a request's first byte to its answer.
    queue : int
        Requests in hand at a time, the one being scored among them.
    threads : int
        Requests scored at a time.
    connections : int
        Open at a time; where more come, the longest one without a request is closed.
    header_seconds : float
        Until the header of a request must be there.
    columns : int
        In a request, those that the model does not need among them.
    """

    rows: int = 100_000
    bytes: int = 16 * 2**20
    seconds: float = 30.0
    queue: int = 64
    threads: int = 1
    connections: int = 256
    header_seconds: float = 10.0
    columns: int = 20_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"the limit on {name} must be above 0, and is {value!r}.")

    @property
    def cells(self) -> int:
        """Rows times columns of a request: one for every two bytes that it may have."""
        return max(2, self.bytes // 2)

    @property
    def answered_cells(self) -> int:
        """Of an answer, beside scores: one for every eight bytes."""
        return max(2, self.bytes // 8)


def too_many_rows(rows: int, limits: Limits) -> None:
    """Refuse more rows than are taken in one request."""
    _check("rows", rows, limits.rows)


def too_many_cells(cells: int, limits: Limits) -> None:
    """Refuse more cells than are taken in one request."""
    _check("cells", cells, limits.cells)


def too_many_columns(columns: int, limits: Limits) -> None:
    """Refuse more columns than are taken in one request."""
    _check("columns", columns, limits.columns)


def too_long_an_answer(cells: int, limits: Limits) -> None:
    """Refuse to answer with more cells than are given in one request."""
    if cells > limits.answered_cells:
        most = limits.answered_cells
        raise Refused(413, f"the answer would have {cells} cells, and at most {most} are given: send fewer.")


def _check(what: str, found: int, most: int) -> None:
    if found > most:
        raise Refused(413, f"the request has {found} {what}, and at most {most} are taken: send fewer.")
