"""Serves the reports folder on this machine, so that links of the Dagster UI open its pages.

``python -m tdml_assets.commands.report_server FOLDER HOST PORT`` is started by ``tdml-assets ui`` and ends with it.

Elsewhere: the pages (``stages/session_report/page.py``, ``stages/session_report/overview.py``). A browser opens no file of
the machine from a page of a server, so a link to a path would lead nowhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tdml_assets.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_CHECK_SECONDS = 1.0


class _Pages(SimpleHTTPRequestHandler):
    """Gives HTML pages below one folder, to requests that name this machine: another site's page cannot ask for them."""

    server_version = "tdml-assets"
    sys_version = ""

    def do_GET(self) -> None:
        if self._may_be_given():
            super().do_GET()

    def do_HEAD(self) -> None:
        if self._may_be_given():
            super().do_HEAD()

    def _may_be_given(self) -> bool:
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        path = Path(self.translate_path(self.path))
        if host not in LOOPBACK:
            self.send_error(HTTPStatus.FORBIDDEN, "ask by 127.0.0.1 or localhost")
        elif path.is_dir() and (path / "index.html").is_file() and self.path.endswith("/"):
            return True
        elif path.suffix != ".html" or not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND, "no such report")
        else:
            return True
        return False

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: the terminal belongs to the UI."""


def make_server(folder: Path, host: str, port: int) -> ThreadingHTTPServer:
    """A server of the pages in ``folder``; the caller starts and closes it. Port 0 takes a free one.

    Raises ``OSError`` if the port is taken. Raises ``ValueError`` if ``host`` is not this machine's own address.
    """
    if host not in LOOPBACK:
        raise ValueError(f"{host} is not this machine's own address: reports are served on 127.0.0.1 alone")
    return ThreadingHTTPServer((host, port), partial(_Pages, directory=str(folder)))


def start(settings: Settings) -> subprocess.Popen[bytes] | None:
    """Serve the reports at ``reports_url`` in a process that ends with this one; None where another machine serves them."""
    address = urlsplit(settings.reports_url)
    if address.hostname not in LOOPBACK or address.path.strip("/"):
        return None
    settings.reports_folder.mkdir(parents=True, exist_ok=True)
    arguments = (str(settings.reports_folder), address.hostname, str(address.port or 80))
    return subprocess.Popen([sys.executable, "-m", "tdml_assets.commands.report_server", *arguments])  # noqa: S603 - our own module


def main(folder: str, host: str, port: str) -> int:
    """Serve until the process that started this one ends."""
    parent = os.getppid()
    try:
        server = make_server(Path(folder), host, int(port))
    except OSError as error:
        sys.stderr.write(f"reports are not served: port {port}: {error.strerror}; set reports_url to another port\n")
        return 1
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        while os.getppid() == parent:
            time.sleep(_CHECK_SECONDS)
    except KeyboardInterrupt:
        pass
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
