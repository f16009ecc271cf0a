"""Hands the page to browsers on this machine, and to nobody else.

It listens on 127.0.0.1, and answers only who names it so: a page from elsewhere, whose name was
made to lead here, could otherwise read along. It only ever says two things, the page and the story,
which lie ready as bytes: the training is never waited for.
"""

import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"
RECENTLY = 3.0  # seconds since a browser asked, in which it counts as watching


class Server:
    """Serves a page and its story, from threads of its own.

    Parameters
    ----------
    port : int
        0 takes one that is free.

    Attributes
    ----------
    url : str

    Raises
    ------
    OSError
        If there is no listening on this port.
    """

    def __init__(self, port: int = 0) -> None:
        try:
            self._http = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise OSError(
                f"the live page cannot be served on port {port} of {HOST}: "
                f"{getattr(error, 'strerror', None) or error}"
            ) from error
        self._http.owner = self
        self.port = self._http.server_address[1]
        self.url = f"http://{HOST}:{self.port}/"
        self.page, self.policy = b"", ""
        self._story = b"{}", 0  # and its number, in one: threads see both change at once
        self._asked, self._given = float("-inf"), -1
        self.closed = False
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.1,), daemon=True)

    def start(self, page: bytes, policy: str, story: bytes) -> None:
        """Begin to answer.

        Parameters
        ----------
        page : bytes
            HTML.
        policy : str
            What the page may do (Content-Security-Policy).
        story : bytes
            JSON.
        """
        self.page, self.policy = page, policy
        self.publish(story)
        self._thread.start()

    def publish(self, story: bytes) -> None:
        """Let this be the story from now on."""
        self._story = story, self._story[1] + 1

    def told(self) -> tuple[bytes, str]:
        """Return the story, and a mark by which it is known again."""
        story, number = self._story
        return story, f'"{number}"'

    def watched(self) -> bool:
        """Tell whether a browser asked for the story just now."""
        return time.monotonic() - self._asked < RECENTLY

    def asked(self) -> None:
        """Be told that a browser asks for the story."""
        self._asked = time.monotonic()

    def given(self, mark: str) -> None:
        """Be told that it was given the story with this mark."""
        self._given = int(mark.strip('"'))

    def close(self, patience: float = 2.0) -> None:
        """Stop answering, when who is watching has the last of the story, or patience ends."""
        if self._thread.is_alive():
            end = time.monotonic() + patience
            while self.watched() and self._given < self._story[1] and time.monotonic() < end:
                time.sleep(0.02)
            self._http.shutdown()
            self._thread.join()
        self.closed = True  # a browser may still be on the line
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False
    allow_reuse_address = True
    owner: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that go away in the middle of an answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that a connection may be silent
    server: _Server

    def do_GET(self) -> None:
        """Answer."""
        owner = self.server.owner
        if owner.closed:
            self.close_connection = True
            return
        names = {f"{HOST}:{owner.port}", f"localhost:{owner.port}"}
        if self.headers.get("Host") not in names:
            text = (
                f"for browsers on this machine, at {owner.url}; a tunnel must have this port too\n"
            )
            self._answer(HTTPStatus.FORBIDDEN, text.encode())
        elif self.path == "/":
            self._answer(HTTPStatus.OK, owner.page, "text/html; charset=utf-8")
        elif self.path == "/story.json":
            owner.asked()
            story, mark = owner.told()
            known = self.headers.get("If-None-Match") == mark
            status = HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK
            self._answer(status, b"" if known else story, "application/json", mark)
            owner.given(mark)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there are / and /story.json\n")

    do_HEAD = do_GET  # noqa: N815

    def _answer(
        self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8",
        mark: str | None = None,
    ) -> None:  # fmt: skip
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        policy = self.server.owner.policy + "; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")
        if mark is not None:
            self.send_header("ETag", mark)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Do not say which Python this is."""
        return "googlenet"

    def log_message(self, *what: Any) -> None:
        """Say nothing: the terminal belongs to the training."""
