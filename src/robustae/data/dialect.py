"""How a file of text is written, so that results can be written alike."""

from dataclasses import dataclass

__all__ = ["Dialect"]


@dataclass(frozen=True)
class Dialect:
    """What separates the cells, the encoding, and the decimal mark of a file of text."""

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
