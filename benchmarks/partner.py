"""A partner's plain page on another origin, with the letter and without it: what the two are measured on.

One thing must stay true: the two pages differ by the snippet and by nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Maple House</title>
<meta name="description" content="A partner's page."><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"></head><body><main><h1>Maple House</h1><p>Who arrives needs a door.</p>{}
<p>The letter goes out in spring.</p></main></body></html>"""


@contextmanager
def partner(snippet: str) -> Iterator[str]:
    """Serves /with and /without the letter. Gives the address of both."""
    html, plain = "text/html; charset=utf-8", "text/plain"
    pages = {
        "/with": (200, html, PAGE.format(snippet)),
        "/without": (200, html, PAGE.format("")),
        "/robots.txt": (200, plain, "User-agent: *\nAllow: /\n"),
    }

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, kind, text = pages.get(self.path, (404, plain, ""))
            body = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://localhost:{site.server_port}"
    site.shutdown()
