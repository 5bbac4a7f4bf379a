"""An OpenSSH server of the tests' own on a port of this machine, from Debian's package."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil

PACKAGE = "openssh-server"


def binary() -> str | None:
    """The server's program; None where the package is not installed."""
    return shutil.which("sshd") or shutil.which("/usr/sbin/sshd")


class Server:
    """A server whose only user is who runs the tests, with a key, in ``root``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "root"
        self.user = getpass.getuser()
        (self.root / "Import").mkdir(parents=True)
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        self.host_key = (folder / "host.pub").read_text().strip()
        self.private_key = (folder / "user").read_text()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"AuthorizedKeysFile {folder / 'user.pub'}\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            f"Subsystem sftp internal-sftp -d {self.root}\nLogLevel ERROR\n"
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        program = binary()
        assert program is not None
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen([program, "-D", "-e", "-f", str(self.folder / "config")], stderr=log)
        log.close()
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """Stop it, with the processes of open connections."""
        for process in [*psutil.Process(self._process.pid).children(recursive=True), self._process]:
            process.kill()
        self._process.wait()

    @property
    def files(self) -> dict[str, bytes]:
        """Content by name of what is in the folder of imports."""
        return {path.name: path.read_bytes() for path in sorted((self.root / "Import").iterdir())}
