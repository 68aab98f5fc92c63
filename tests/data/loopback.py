"""A web server on loopback that plays the real ones, with their faults."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Page:
    """What lies at an address. ``tag`` False: the server gives neither ETag nor date."""

    content: bytes
    kind: str = "application/octet-stream"
    status: int = 200
    tag: bool = True
    location: str | None = None

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'


Fault = Callable[["Request", Page], None]


class Request(http.server.BaseHTTPRequestHandler):
    """One request; ``server.pages`` and ``server.faults`` say what to do."""

    server: Loopback
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = self.path
        self.server.requests.append((address, dict(self.headers.items())))
        page = self.server.pages.get(address) or self.server.pages.get(urlsplit(address).path)
        self.close_connection = True
        if page is None:
            page = Page(b"<html><title>404 Not Found</title></html>", "text/html", 404)
        waiting = self.server.faults[address]
        with contextlib.suppress(ConnectionError):
            (waiting.pop(0) if waiting else answer)(self, page)

    def do_HEAD(self) -> None:
        self.close_connection = True
        page = self.server.pages.get(self.path, Page(b"", status=404))
        self.head(page, len(page.content))

    def head(self, page: Page, size: int | None, status: int | None = None, **more: str) -> None:
        """Status line and headers."""
        self.send_response(status or page.status)
        self.send_header("Content-Type", page.kind)
        if size is not None:
            self.send_header("Content-Length", str(size))
        if page.tag:
            self.send_header("ETag", page.etag)
        if page.location:
            self.send_header("Location", page.location)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


def answer(request: Request, page: Page) -> None:
    """As a good server does, with the part asked for if it is still of the same file."""
    request.wfile.write(_begun(request, page))


def broken_off(after: int, *, reset: bool = False) -> Fault:
    """All of the headers and ``after`` bytes of what was asked for; then the connection ends, or is reset."""

    def fault(request: Request, page: Page) -> None:
        request.wfile.write(_begun(request, page)[:after])
        request.wfile.flush()
        if reset:  # what was sent has to arrive first
            time.sleep(0.05)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()

    return fault


def status(code: int, text: str = "trouble") -> Fault:
    """An error answer."""

    def fault(request: Request, page: Page) -> None:
        content = f"<html><title>{code}</title>{text}</html>".encode()
        request.head(Page(content, "text/html", code), len(content))
        request.wfile.write(content)

    return fault


def web_page(request: Request, page: Page) -> None:
    """An explanation in HTML that says 200."""
    content = b"<!DOCTYPE html>\n<html><head><title>Service\n unavailable</title></head><body>Sorry</body></html>"
    request.head(Page(content, "text/html"), len(content))
    request.wfile.write(content)


def by_bytes(request: Request, content: bytes, pause: float) -> None:
    """``content``, a byte now and then."""
    request.head(Page(content), len(content))
    for byte in content:
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        time.sleep(pause)


def page_by_bytes(request: Request, page: Page) -> None:
    """A web page that arrives in small pieces and calls itself a file."""
    by_bytes(request, b"\n <html><title>Sorry</title>", 0.001)


def drip(request: Request, page: Page) -> None:
    """The file, slowly."""
    by_bytes(request, page.content, 0.02)


def no_length(request: Request, page: Page) -> None:
    """The end of the connection is the end of the file."""
    request.head(page, None)
    request.wfile.write(page.content)


def endless(start: str, again: str = "", *, pause: float) -> Fault:
    """``start``, then ``again`` (or ``start`` once more) for ever."""

    def fault(request: Request, page: Page) -> None:
        text = start
        while not request.server.closing.wait(pause):
            request.wfile.write(text.encode())
            text = again or start

    return fault


def silence(request: Request, page: Page) -> None:
    """Headers, and then nothing."""
    request.head(page, len(page.content))
    request.server.closing.wait(10)


def another_part(request: Request, page: Page) -> None:
    """206 with a part that was not asked for."""
    size = len(page.content)
    request.head(page, size - 1, 206, Content_Range=f"bytes 1-{size - 1}/{size}")
    request.wfile.write(page.content[1:])


def _begun(request: Request, page: Page) -> bytes:
    """Sends the headers of what was asked for, the file or its rest, and returns the content that is to follow."""
    size, asked, start = len(page.content), request.headers.get("Range", ""), 0
    if page.tag and asked and request.headers.get("If-Range") == page.etag:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
    if start:
        request.head(page, size - start, 206, Content_Range=f"bytes {start}-{size - 1}/{size}")
    else:
        request.head(page, size)
    return page.content[start:]


class Loopback(http.server.ThreadingHTTPServer):
    """Serves ``pages`` by address. Of ``faults`` at an address, each answers one request, in turn."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.pages: dict[str, Page] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""

    def close(self) -> None:
        """Stop serving."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()
