"""A receiver of webhooks in a process of its own: keeps one row per key, checks signatures, fails by script.

Its rows outlive a sender that is killed, and it can be asked for them and for what it was sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from types import TracebackType
from typing import Any, Self

SECRET = "s3cret-canary"


class _State:
    """What the receiver holds."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.rows: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.script: list[Any] = []
        self.refuses: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    state: _State
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        with self.state.lock:
            self._answer(200, {"rows": self.state.rows, "requests": self.state.requests})

    def do_PUT(self) -> None:
        given = json.loads(self._body())
        with self.state.lock:
            for name, value in given.items():
                setattr(self.state, name, value)
        self._answer(200, {})

    def do_POST(self) -> None:
        body = self._body()
        moment, given = self.headers["X-Tdml-Timestamp"], self.headers["X-Tdml-Signature"]
        wanted = "v1=" + hmac.new(SECRET.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, given):
            self._answer(401, {})
            return
        content = json.loads(body)
        with self.state.lock:
            step = self.state.script.pop(0) if self.state.script else "take"
            keys = [row[content["key"]] for row in content["rows"]]
            seen = {
                "key": self.headers["Idempotency-Key"],
                "operation": content["operation"],
                "keys": keys,
                "step": step,
            }
            self.state.requests.append(seen)
            if step == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                self.close_connection = True
                self.connection.close()
                return
            if isinstance(step, int) or (isinstance(step, list) and step[0] == 429):
                status, wait = (step, None) if isinstance(step, int) else step
                echo = {"you sent": content["rows"]}
                self._answer(status, echo, **({"Retry-After": str(wait)} if wait is not None else {}))
                return
            if any(key in self.state.refuses for key in keys):
                self._answer(422, {"you sent": content["rows"]})
                return
            for row in content["rows"]:
                if content["operation"] == "remove":
                    self.state.rows.pop(row[content["key"]], None)
                else:
                    self.state.rows[row[content["key"]]] = row
            if step == "take and hang up":
                # The rows are there, the answer breaks off in its middle.
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"rejected": [')
                self.wfile.flush()
                self.close_connection = True
                return
            self._answer(200, step if isinstance(step, dict) else {})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, content: Any, **headers: str) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Receiver:
    """The running process."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/hook"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def tell(self, **state: Any) -> None:
        """Set ``script``, ``refuses``, ``rows`` or ``requests``."""
        request = urllib.request.Request(self.url, json.dumps(state).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def _asked(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            return json.load(answer)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """What it holds, by key."""
        return self._asked()["rows"]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What it was sent, in order."""
        return self._asked()["requests"]


def main() -> None:
    """Serve until the process ends."""
    _Handler.state = _State()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    while True:
        server.handle_request()
        time.sleep(0)


if __name__ == "__main__":
    main()
