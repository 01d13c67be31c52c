"""Around every request: the token, the counts, and errors as JSON."""

import hmac
import time
from typing import Any

from starlette.responses import JSONResponse

from robustae.deploy.serve.metrics import Metrics
from robustae.deploy.serve.queue import PLACE

__all__ = ["Guard", "error_response"]

LONGEST = 2000  # characters of a sentence
OPEN = "/v2/health/"  # what tells that the server lives needs no token


def error_response(status: int, sentence: str, headers: Any = None) -> JSONResponse:
    """An error as the protocol has it."""
    return JSONResponse({"error": sentence[:LONGEST]}, status, headers)


class Guard:
    """Lets requests through that bring the token, and counts all."""

    def __init__(self, app: Any, metrics: Metrics, token: str | None):
        self.app, self.metrics = app, metrics
        self.expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, answer = time.perf_counter(), _Answer(send)
        app = _two_lengths() if _is_ambiguous(scope) else self.app if self._may(scope) else _unknown_caller()
        with self.metrics.in_hand.track_inprogress():
            try:
                await app(scope, receive, answer)
            finally:
                if PLACE in scope:
                    scope[PLACE].release()
                self._count(scope, answer.status, time.perf_counter() - start)

    def _may(self, scope: Any) -> bool:
        """Compare in a time that tells nothing of the token."""
        if self.expected is None or scope["path"].startswith(OPEN):
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self.expected)

    def _count(self, scope: Any, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self.metrics.requests.labels(route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)


class _Answer:
    """Passes an answer on, and keeps its status."""

    def __init__(self, send: Any):
        self.send, self.status = send, 500

    async def __call__(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        await self.send(message)


def _is_ambiguous(scope: Any) -> bool:
    """Whether another server on the way could see the end of the body, and another request, elsewhere."""
    names = {name for name, _ in scope["headers"]}
    chunked = b"transfer-encoding" in names
    return chunked and (b"content-length" in names or scope["http_version"] == "1.0")


def _two_lengths() -> JSONResponse:
    sentence = "the length of the body is told in two ways: send Content-Length or, in HTTP/1.1, chunks."
    return error_response(400, sentence, {"Connection": "close"})


def _unknown_caller() -> JSONResponse:
    sentence = "the token is missing or wrong: send the header 'Authorization: Bearer TOKEN'."
    return error_response(401, sentence, {"WWW-Authenticate": "Bearer"})
