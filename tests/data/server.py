"""A server on this machine that breaks off, lies and refuses as a test tells it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

CONTENT = np.random.default_rng(0).bytes(700_001)


class Server:
    """Serves `files` by their paths, and CONTENT at any other; does wrong what it is told to.

    Attributes
    ----------
    asked : list
        The Range headers of the requests, None for none.
    cuts : list
        For each request, how many bytes it sends before it breaks off; None for all.
    """

    def __init__(self):
        self.content, self.ranges, self.status = CONTENT, True, None
        self.files = {}
        self.asked, self.cuts, self.shift, self.length_known = [], [], 0, True
        self.location = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # we hang up on it as often as it on us
        self.url = f"http://127.0.0.1:{self.http.server_port}/file"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request):
        wanted = request.headers.get("Range")
        content = self.files.get(request.path, self.content)
        self.asked.append(wanted)
        first = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if self.location:
            request.send_response(302)
            request.send_header("Location", self.location)
            request.end_headers()
            return
        if self.status:
            request.send_error(self.status)
            return
        if wanted and self.ranges and first >= len(content):
            request.send_error(416)
            return
        body = content
        if wanted and self.ranges:
            first += self.shift
            body = body[first:]
            request.send_response(206)
            whole = f"bytes {first}-{len(content) - 1}/{len(content)}"
            request.send_header("Content-Range", whole)
        else:
            request.send_response(200)
        if self.length_known:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        cut = self.cuts.pop(0) if self.cuts else None
        request.wfile.write(body[:cut])

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
