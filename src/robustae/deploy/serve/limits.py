"""What a request may ask for, and the refusals that say so."""

from dataclasses import dataclass

from robustae.utils.checks import InputError

__all__ = ["Limits", "Refused", "too_many_rows"]


class Refused(Exception):
    """A request that is not answered, with the status and the sentence that say why."""

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
    """

    rows: int = 100_000
    bytes: int = 16 * 2**20
    seconds: float = 30.0
    queue: int = 64
    threads: int = 1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"the limit on {name} must be above 0, and is {value!r}.")


def too_many_rows(rows: int, limits: Limits) -> None:
    """Refuse more rows than are taken in one request."""
    if rows > limits.rows:
        raise Refused(413, f"the request has {rows} rows, and at most {limits.rows} are taken: send fewer.")
