"""Azurite, the emulator of Azure Storage, on a port of this machine, and a proxy before it that fails as it is told."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PACKAGE = "azurite@3.37.0"
#: Of the emulator, and public.
ACCOUNT, KEY = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)


def binary() -> str | None:
    """The emulator's program; None where the package is not installed."""
    return shutil.which("azurite-blob")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """The emulator, and the proxy."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        #: Per request that writes what it meets: a status, or "lost" (done, and no answer).
        self.script: list[Any] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

            def handle_any(self) -> None:
                server.forward(self)

            wbufsize = -1
            do_GET = do_PUT = do_DELETE = do_HEAD = handle_any

        self._proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._proxy.daemon_threads = True

    @property
    def connection(self) -> str:
        """Connection string, through the proxy."""
        place = f"http://127.0.0.1:{self._proxy.server_address[1]}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={place};"

    def start(self) -> None:
        """Start both, and wait until they listen."""
        program = binary()
        assert program is not None
        options = ["--silent", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
        command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(self._port), *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, cwd=self._folder, **quiet)  # type: ignore[call-overload]
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                break
        threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Stop both."""
        self._proxy.shutdown()
        self._proxy.server_close()
        self._process.kill()
        self._process.wait()

    def forward(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer as the emulator does, or as the script says."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        step = self.script.pop(0) if self.script and handler.command == "PUT" else None
        if isinstance(step, int):
            handler.send_response(step)
            handler.send_header("Retry-After", "7")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            handler.wfile.flush()
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if step == "lost":
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        given = {"transfer-encoding", "connection", "keep-alive", "content-length", "date", "server"}
        for name, value in answer.getheaders():
            if name.lower() not in given:
                handler.send_header(name, value)
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else str(len(content))
        handler.send_header("Content-Length", length or "0")
        handler.end_headers()
        handler.wfile.write(content)
        handler.wfile.flush()
