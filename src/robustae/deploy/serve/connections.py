"""Connections: so many at a time, and a limit on how long each may keep the server waiting."""

from functools import cache
from typing import Any

from robustae.deploy.serve.limits import Limits
from robustae.utils.checks import need

__all__ = ["connection"]


def connection(limits: Limits, **given: Any) -> Any:
    """Return what treats one connection: made by uvicorn, in each worker."""
    return _connections(limits)(**given)


@cache
def _connections(limits: Limits) -> type:
    """Return uvicorn's protocol of HTTP/1.1, with what it leaves to a proxy in front.

    A connection without a request under way is closed after `header_seconds`, by when the header of one must
    be there; one whose request is not sent, or its answer not taken, within twice `seconds` is closed, too.
    Where more than `connections` are open, the one closed is that which has waited longest without a request.
    """
    base: Any = need("serve", "uvicorn.protocols.http.h11_impl", "robustae serve").H11Protocol
    waiting: dict[Any, None] = {}  # without a request, the longest first

    class Connection(base):
        timer: Any = None
        busy: bool | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._time()
            if len(self.connections) > limits.connections:
                next(iter(waiting), self).transport.abort()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._time()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._time()

        def connection_lost(self, exc: Exception | None) -> None:
            self.timer.cancel()
            waiting.pop(self, None)
            super().connection_lost(exc)

        def _time(self) -> None:
            """Begin to count anew where a request begins or ends, and only there: bytes buy no time."""
            busy = self.cycle is not None and not self.cycle.response_complete
            if busy is self.busy or self.transport.is_closing():
                return
            if self.timer is not None:
                self.timer.cancel()
            self.busy = busy
            waiting.pop(self, None) if busy else waiting.update({self: None})
            seconds = 2 * limits.seconds if busy else limits.header_seconds
            self.timer = self.loop.call_later(seconds, self.transport.abort)

    return Connection
