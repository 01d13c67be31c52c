"""Encodings of text: UTF-8, else by its mark, else Windows-1252, unless one is named."""

import codecs
from collections.abc import Callable

from robustae.utils.checks import InputError

__all__ = ["Decoder", "as_western", "known_encoding", "marked"]

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LONGEST_MARK = 4  # bytes


def known_encoding(name: str) -> str:
    """Return an encoding of text by Python's own name.

    Raises
    ------
    InputError
        If it is not known.
    """
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True):
        raise InputError(f"encoding={name!r} is not known: use utf-8, cp1252, latin-1 or utf-16.")
    return found.name


def marked(head: bytes) -> str | None:
    """Return the encoding that the first bytes of a text name."""
    return next((name for mark, name in MARKS if head.startswith(mark)), None)


def as_western(text: bytes) -> str | None:
    """Return a text in Windows-1252; None where it holds what no text does."""
    try:
        found = text.decode("cp1252")
    except UnicodeDecodeError:
        return None
    return None if any(ord(sign) < 32 and sign not in "\t\r\n\x0c" for sign in found) else found


class Decoder:
    """Reads the text of a stream, of which parts come one after another, and lines are looked at one by one.

    Parameters
    ----------
    encoding : str, optional
        Without one the first bytes decide, by their mark; without that it is UTF-8, and lines that are not
        are read as Windows-1252.
    """

    def __init__(self, encoding: str | None = None):
        self.encoding = None if encoding is None else known_encoding(encoding)
        self._by_line = encoding is None
        self._start = b""
        self._decode: Callable[[bytes, bool], str] | None = None

    def part(self, part: bytes) -> bytes:
        """Return a part in an encoding in which a line ends in one byte; the last part is an empty one."""
        if self.encoding is None:
            self._start += part
            if part and len(self._start) < LONGEST_MARK and b"\n" not in part:
                return b""
            part, self._start = self._start, b""
            found = marked(part)
            self.encoding, self._by_line = found or "utf-8", found is None
        if not self.encoding.startswith("utf-") or self.encoding.startswith("utf-8"):
            return part
        self._decode = self._decode or codecs.getincrementaldecoder(self.encoding)("replace").decode
        try:
            return self._decode(part, not part).encode()
        except UnicodeError as error:  # no mark
            raise InputError(f"the input is not {self.encoding}: {error}.") from None

    def line(self, line: bytes) -> tuple[str | None, bool]:
        """Return the text of a line, None if it cannot be read, and whether it is read as Windows-1252."""
        wide = str(self.encoding).startswith("utf-")
        try:
            return line.decode("utf-8-sig" if wide else str(self.encoding)), False
        except UnicodeDecodeError:
            text = as_western(line) if self._by_line else None
            return text, text is not None
