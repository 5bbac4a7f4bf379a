"""A service held in memory, on a port of this machine, with failures as a test scripts them.

A service has ``lock``, ``asked`` and ``script``, and answers by ``allowed``; a :class:`Refused` is an answer of 4xx.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class Refused(Exception):
    """An answer of 4xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Loopback:
    """A service on a port of this machine."""

    def __init__(self, service: Any) -> None:
        self.service = service
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                stub.respond(self, body)

            wbufsize = -1
            do_GET = do_POST = do_PUT = handle_any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        service, parts = self.service, urlsplit(handler.path)
        with service.lock:
            asked = f"{handler.command} {parts.path}"
            service.asked.append(asked)
            step = next(
                (steps.pop(0) for pattern, steps in service.script.items() if steps and re.fullmatch(pattern, asked)),
                None,
            )
            if isinstance(step, int):
                self._send(handler, step, {"error": "later"}, {"Retry-After": "7"} if step == 429 else {})
                return
            if step == "reset":
                handler.close_connection = True
                return
            try:
                content, status = service.allowed(handler, body), 200
            except Refused as refusal:
                content, status = (
                    {"error": refusal.message, "message": refusal.message, "body": body.decode("latin1")},
                    refusal.status,
                )
            if step == "lost":
                handler.close_connection = True
                return
            self._send(handler, status, content, {})

    def _send(self, handler: BaseHTTPRequestHandler, status: int, content: Any, headers: dict[str, str]) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
        handler.wfile.flush()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
