"""The request queue: so many requests in hand, a few threads that score, one time limit for all."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from starlette.requests import ClientDisconnect, Request

from robustae.deploy.serve.limits import Limits, Refused

__all__ = ["PLACE", "Deadline", "RequestQueue"]

PLACE = "robustae.place"  # in a request's scope
SOON = "1"  # seconds after which those sent away may come back


class Deadline:
    """A moment after which nobody waits for the answer."""

    def __init__(self, seconds: float):
        self.seconds, self.at = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left, 0 at least."""
        return max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Give up the work where it comes too late."""
        if not self.left:
            raise self.missed()

    def missed(self) -> Refused:
        """The refusal of a request whose scoring takes too long."""
        return Refused(504, f"scoring took longer than {self.seconds:g} s: send fewer rows.")


class _Place:
    """A request's place among those in hand: given up when its thread has ended and its answer is sent."""

    def __init__(self, leave: Callable[[], None]):
        self._leave, self._holders, self._lock = leave, 1, threading.Lock()

    def hold(self) -> None:
        """Keep it for one more."""
        with self._lock:
            self._holders += 1

    def release(self, *_: Any) -> None:
        """Let go of it."""
        with self._lock:
            self._holders -= 1
            last = not self._holders
        if last:
            self._leave()


class RequestQueue:
    """Takes requests in, scores them off the event loop, and sends away those that are too many."""

    def __init__(self, limits: Limits):
        self.limits, self.in_hand = limits, 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="scoring")

    async def handle(self, request: Request, work: Callable[[bytes, Deadline], Any]) -> Any:
        """Read the body and return ``work(body, deadline)``.

        The request is in hand until `leave` is called, after its answer was sent.

        Raises
        ------
        Refused
            413 too large, 408 sent too slowly, 429 too many, 503 waited too long, 504 scored too long.
        """
        deadline = Deadline(self.limits.seconds)
        place = request.scope[PLACE] = self._enter()
        body = await self._body(request, deadline)
        place.hold()  # a thread cannot be stopped: it holds the place until it ends, whoever still waits
        try:
            future = self._pool.submit(work, body, deadline)
        except BaseException:
            place.release()
            raise
        future.add_done_callback(place.release)
        return await _result(future, deadline)

    def _enter(self) -> _Place:
        with self._lock:
            if self.in_hand >= self.limits.queue:
                raise Refused(429, f"{self.in_hand} requests are in hand already: retry.", Retry_After=SOON)
            self.in_hand += 1
        return _Place(self._leave)

    def _leave(self) -> None:
        with self._lock:
            self.in_hand -= 1

    async def _body(self, request: Request, deadline: Deadline) -> bytes:
        try:
            return await asyncio.wait_for(_read(request, self.limits.bytes), deadline.left)
        except TimeoutError:
            raise Refused(408, f"the body did not come within {deadline.seconds:g} s.") from None
        except ClientDisconnect:
            raise Refused(400, "the connection ended before the body did.") from None

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def _read(request: Request, most: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > most:
        raise _too_large(most)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> Refused:
    return Refused(413, f"the body is larger than the {most} bytes taken in one request: send fewer rows.")


async def _result(future: Future[Any], deadline: Deadline) -> Any:
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), deadline.left)
    except TimeoutError:
        if future.cancelled():
            sentence = f"not begun within {deadline.seconds:g} s, others came first: retry."
            raise Refused(503, sentence, Retry_After=SOON) from None
        raise deadline.missed() from None
