"""Lines of a stream in small batches: what is there within a moment, and never more than fits."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, Queue
from typing import IO

from robustae.data.encodings import Decoder

__all__ = ["Feed", "Line"]

CHUNK = 2**16  # bytes read at a time
WAITING = 8  # chunks that may wait to be read; then the sender has to
BATCH_BYTES = 2**22  # of lines in a batch
END = b""


@dataclass(frozen=True)
class Line:
    """A line that came: its number from 1 on, and its text; None where it cannot be read, and why."""

    number: int
    text: str | None
    why: str = ""


class Feed:
    """Reads a stream in a thread of its own, so that a batch can be handed on while more is awaited.

    Parameters
    ----------
    stream : binary file
    rows : int
        Lines in a batch, at most.
    seconds : float
        That the first line of a batch waits for others.
    longest : int
        Bytes of a line.
    encoding : str, optional
        Without one UTF-8, or as the first bytes say; lines that are not are read as Windows-1252.

    Attributes
    ----------
    western : int
        How many lines were read as Windows-1252.
    """

    def __init__(
        self,
        stream: IO[bytes],
        rows: int = 256,
        seconds: float = 0.05,
        longest: int = 2**20,
        encoding: str | None = None,
    ):
        self.rows, self.seconds, self.longest = rows, seconds, longest
        self.western = 0
        self._decoder = Decoder(encoding)
        self._chunks: Queue[bytes] = Queue(WAITING)
        self._rest, self._too_long, self._number = bytearray(), False, 0
        self._waiting = self._stopped = False
        threading.Thread(target=self._read, args=(_reader(stream),), daemon=True).start()

    def _read(self, read: Callable[[int], bytes]) -> None:
        chunk = None
        while chunk != END:
            try:
                chunk = read(CHUNK)
            except (OSError, ValueError):  # closed
                chunk = END
            self._chunks.put(chunk)

    def stop(self, *_: object) -> None:
        """End the batches, also from a signal handler: those handed out are finished first."""
        self._stopped = True
        if self._waiting:
            raise KeyboardInterrupt

    def batches(self) -> Iterator[list[Line]]:
        """Yield the lines, batch by batch, until the stream ends or is stopped."""
        batch: list[Line] = []
        size = 0
        due: float | None = None
        while (chunk := self._next(due)) != END:
            for line in self._lines(b"" if chunk is None else self._decoder.part(chunk)):
                batch.append(line)
                size += len(line.text or "")
                if len(batch) >= self.rows or size > BATCH_BYTES:
                    yield batch
                    batch, size, due = [], 0, None
            if batch and (chunk is None or due is not None and time.monotonic() >= due):
                yield batch
                batch, size = [], 0
            due = (due or time.monotonic() + self.seconds) if batch else None
        batch += self._lines(self._decoder.part(END))
        yield from [batch + self._last()] if batch or self._rest else []

    def _next(self, due: float | None) -> bytes | None:
        """The next chunk; None where none comes in time."""
        try:
            self._waiting = True
            if self._stopped:
                return END
            return self._chunks.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
        except Empty:
            return None
        except KeyboardInterrupt:
            self._stopped = True
            return END
        finally:
            self._waiting = False

    def _lines(self, chunk: bytes) -> Iterator[Line]:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            yield self._line(part)
        self._keep(rest)

    def _keep(self, part: bytes) -> None:
        """Keep the start of a line, unless it is too long already."""
        self._rest += part
        if len(self._rest) > self.longest:
            self._too_long = True
            self._rest.clear()

    def _line(self, part: bytes) -> Line:
        self._keep(part)
        kept, too_long = bytes(self._rest), self._too_long
        self._rest.clear()
        self._too_long = False
        self._number += 1
        if too_long:
            return Line(self._number, None, "it is too long.")
        text, western = self._decoder.line(kept)
        self.western += western
        return Line(self._number, text and text.rstrip("\r"), f"it is not {self._decoder.encoding}.")

    def _last(self) -> list[Line]:
        """A line that the stream leaves without an end."""
        return [self._line(b"")] if self._rest or self._too_long else []


def _reader(stream: IO[bytes]) -> Callable[[int], bytes]:
    """Read what is there, past Python's buffers: a thread that waits in one would block the exit."""
    try:
        place = stream.fileno()
    except (OSError, AttributeError, ValueError):
        return stream.read
    return lambda size: os.read(place, size)
