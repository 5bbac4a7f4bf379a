"""Azurite, the emulator of Azure Storage, on a port of this machine, and a proxy before it that fails as it is told."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.activation.fault_proxy import FaultProxy

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
        self._proxy = FaultProxy(self._port)
        self.script = self._proxy.script

    @property
    def connection(self) -> str:
        """Connection string, through the proxy."""
        place = f"{self._proxy.url}/{ACCOUNT}"
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
        self._proxy.start()

    def stop(self) -> None:
        """Stop both."""
        self._proxy.stop()
        self._process.kill()
        self._process.wait()
