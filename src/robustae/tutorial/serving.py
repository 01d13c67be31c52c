"""The classroom page over HTTP, for this machine alone."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from robustae.tutorial.classroom import classroom_html
from robustae.utils.checks import InputError

__all__ = ["serve_classroom"]

LOOPBACK = "127.0.0.1"


class _Visit(BaseHTTPRequestHandler):
    """Answers with the page at /, and with 404 elsewhere."""

    page = b""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/":
            return self.send_error(404, "Only the classroom page is here, at /")
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, format: str, *args: object) -> None:
        """Visits are nobody's business."""


def serve_classroom(report: Callable[[str], object], port: int = 0) -> None:
    """Serve the classroom page on the loopback address until Ctrl-C.

    Parameters
    ----------
    report : callable
        Called with the address, ``http://127.0.0.1:PORT/``, as soon as it answers.
    port : int
        From 1 to 65535; 0 takes any that is free.

    Raises
    ------
    InputError
        If the port cannot be had.
    """
    visit = type("Visit", (_Visit,), {"page": classroom_html().encode()})
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), visit)
    except (OSError, OverflowError) as error:
        raise InputError(f"port {port} cannot be had ({error}): another would do, or 0 for any.") from None
    with server:
        try:
            report(f"http://{LOOPBACK}:{server.server_port}/")
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            return
