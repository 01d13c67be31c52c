"""Connections: so many at a time, and limits on how long each waits and on the work that its bytes make."""

import time
from functools import cache
from typing import Any

from robustae.deploy.serve.limits import Limits
from robustae.utils.checks import need

__all__ = ["connection"]

READ, READ_OF_BODY = 2**13, 2**18  # bytes taken from a connection at a time
SMALL = 2**10  # bytes that are looked at at once
COSTLY, REST = 1e-3, 2.0  # seconds of the processor from which the line rests for so many times longer


def connection(limits: Limits, **given: Any) -> Any:
    """Return what treats one connection: made by uvicorn, in each worker."""
    return _connections(limits)(**given)


class _Line:
    """Connections with bytes that may be slow to understand: one has its turn, then the rest of the server.

    A body in chunks of a byte, or thousands of headers, take a thousand times longer than others of the size.
    The turn is that of the connection whose turns have taken least so far: who comes new waits for one turn.
    """

    def __init__(self) -> None:
        self.waiting: dict[Any, None] = {}
        self.moving = False

    def __contains__(self, one: Any) -> bool:
        return one in self.waiting

    def join(self, one: Any) -> None:
        self.waiting[one] = None
        one.transport.pause_reading()
        if not self.moving:
            self.moving = True
            one.loop.call_soon(self._next, one.loop)

    def leave(self, one: Any) -> None:
        self.waiting.pop(one, None)

    def _next(self, loop: Any) -> None:
        self.moving = bool(self.waiting)
        if not self.moving:
            return
        one = min(self.waiting, key=lambda waiting: waiting.taken)
        del self.waiting[one]
        begin = time.thread_time()
        try:
            one.take_turn()
        finally:
            took = time.thread_time() - begin
            one.taken += took
            loop.call_later(REST * took if took > COSTLY else 0, self._next, loop)


_Protocol: Any = object  # uvicorn's stands there: see `_connections`


class _Limited(_Protocol):
    """What is added to uvicorn's protocol of HTTP/1.1, for it leaves that to a proxy in front.

    A connection without a request under way is closed after `header_seconds`, by when the header of one must
    be there; one whose request is not sent, or its answer not taken, within twice `seconds` is closed, too.
    """

    h11: Any
    limits: Limits
    idle: dict[Any, None]  # connections without a request, the longest first
    line: _Line

    timer: Any = None
    busy: bool | None = None
    unread = 0  # bytes
    came = 0  # bytes, since its request began
    since = 0.0  # when that was, in seconds of the loop
    taken = 0.0  # seconds of the processor in the line

    def connection_made(self, transport: Any) -> None:
        transport.max_size = READ
        super().connection_made(transport)
        self._time()
        if sum(not one.transport.is_closing() for one in self.connections) > self.limits.connections:
            self._one_to_close().transport.abort()

    def data_received(self, data: bytes) -> None:
        self.unread += len(data)
        self.came += len(data)
        super().data_received(data)
        if self in self.line:
            self.transport.pause_reading()
        self._after()

    def handle_events(self) -> None:
        if self in self.line:
            return
        if self.unread > SMALL and not self._in_plain_body():
            self.line.join(self)
        else:
            self._handle()

    def take_turn(self) -> None:
        """Look at what has come."""
        self._handle()
        if not self.flow.read_paused:
            self.transport.resume_reading()
        self._after()

    def _handle(self) -> None:
        super().handle_events()
        if not self.flow.read_paused:
            self.unread = 0

    def _in_plain_body(self) -> bool:
        """Whether a body is under way whose length is known."""
        return self.conn.their_state is self.h11.SEND_BODY and not any(
            name == b"transfer-encoding" for name, _ in self.headers
        )

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (self.h11.IDLE, self.h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer was sent already
            self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._after()

    def connection_lost(self, exc: Exception | None) -> None:
        self.timer.cancel()
        self.idle.pop(self, None)
        self.line.leave(self)
        super().connection_lost(exc)

    def _after(self) -> None:
        self.transport.max_size = READ_OF_BODY if self._in_plain_body() else READ
        self._time()

    def _time(self) -> None:
        """Begin to count anew where a request begins or ends, and only there: bytes buy no time."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy is self.busy or self.transport.is_closing():
            return
        if self.timer is not None:
            self.timer.cancel()
        self.busy, self.since, self.came = busy, self.loop.time(), 0
        self.idle.pop(self, None) if busy else self.idle.update({self: None})
        seconds = 2 * self.limits.seconds if busy else self.limits.header_seconds
        self.timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        """Close it, but not where it is a header that waits for its turn: such are of few bytes."""
        if self in self.line and not self.busy:
            self.timer = self.loop.call_later(self.limits.header_seconds, self._late)
        else:
            self.transport.abort()

    def _one_to_close(self) -> Any:
        """Of too many: one without a request, else whose bytes wait for a turn, else of the slowest body."""
        slow = sorted((one for one in self.connections if one.keeps_waiting()), key=_Limited.speed)
        others = (*self.idle, *self.line.waiting, *slow)
        return next((one for one in others if one is not self and not one.transport.is_closing()), self)

    def keeps_waiting(self) -> bool:
        """Whether it has not sent its body, or not taken its answer, in a second."""
        return self.loop.time() - self.since > 1 and (self._in_plain_body() or self.flow.write_paused)

    def speed(self) -> float:
        """Return the bytes a second of a body that comes, 0 of one that has come."""
        return self.came / (self.loop.time() - self.since) if self._in_plain_body() else 0.0


@cache
def _connections(limits: Limits) -> type:
    """Return what treats connections within limits; they share one line."""
    base = need("serve", "uvicorn.protocols.http.h11_impl", "robustae serve").H11Protocol
    shared = {"h11": need("serve", "h11", "robustae serve"), "limits": limits, "idle": {}, "line": _Line()}
    return type("Connection", (_Limited, base), shared)
