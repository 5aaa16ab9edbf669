"""Servers on this machine that take what the channels send."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HttpSink:
    """Keeps what is posted: (headers, data) in the order of arrival. `status` and `body` are what it answers; None: it
    hangs up."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status: int | None = 200
        self.body = b""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sink.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if sink.status is None:
                    return
                self.send_response(sink.status)
                self.send_header("Content-Length", str(len(sink.body)))
                self.end_headers()
                self.wfile.write(sink.body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def said(self) -> list[dict[str, object]]:
        return [json.loads(body) for _, body in self.got]


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    sink = HttpSink()
    thread = threading.Thread(target=sink.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield sink
    finally:
        sink.server.shutdown()
        thread.join()
        sink.server.server_close()


class SmtpSink:
    """Keeps mails: (to, message)."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Message]] = []
        self.port = 0

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (the library's name)
        for to in envelope.rcpt_tos:
            self.got.append((to, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=triage@example.org&smtp=127.0.0.1&to={{to}}"


@contextmanager
def smtp_sink() -> Iterator[SmtpSink]:
    from aiosmtpd.controller import Controller

    sink = SmtpSink()
    controller = Controller(sink, hostname="127.0.0.1", port=free_port())
    controller.start()
    sink.port = controller.port
    try:
        yield sink
    finally:
        controller.stop()


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
