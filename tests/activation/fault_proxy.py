"""A proxy on a port of this machine, before a real server, that fails as a test scripts it."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_OWN_HEADERS = {"transfer-encoding", "connection", "keep-alive", "content-length", "date", "server"}


class FaultProxy:
    """Hands requests on to a port, or does per request that writes what the script says.

    A status, or a status and a body: answered without asking the server; ``reset``: the connection ends before the server is asked;
    ``lost``: it is asked, and there is no answer; ``half``: the answer ends in the middle of its body.
    """

    def __init__(self, port: int, writes: tuple[str, ...] = ("PUT",)) -> None:
        self._port, self._writes = port, writes
        self.script: list[Any] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

            def handle_expect_100(self) -> bool:
                # Answers are buffered, and a client waits a second for this one before it sends its body.
                go_on = super().handle_expect_100()
                self.wfile.flush()
                return go_on

            def handle_any(self) -> None:
                proxy._forward(self)

            wbufsize = -1
            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Listen."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _forward(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        step = self.script.pop(0) if self.script and handler.command in self._writes else None
        if isinstance(step, int | tuple):
            status, content = step if isinstance(step, tuple) else (step, b"")
            self._answer(handler, status, {"Retry-After": "7", "Content-Length": str(len(content))}, content)
            return
        if step == "reset":
            handler.close_connection = True
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if step == "lost":
            handler.close_connection = True
            return
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN_HEADERS}
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else str(len(content))
        if step == "half":
            length, handler.close_connection = str(len(content) + 100), True
        self._answer(handler, answer.status, {**headers, "Content-Length": length or "0"}, content)

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
        handler.wfile.flush()
