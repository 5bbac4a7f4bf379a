"""A PostgreSQL server of the tests' own, from Debian's package, on a socket in a folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

PACKAGE = "postgresql"


def binaries() -> Path | None:
    """Folder of the server's programs; None where the package is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    other = shutil.which("initdb")
    return Path(other).parent if other else None


class Server:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"postgresql:///postgres?host={folder}&user=postgres"

    def start(self) -> None:
        """Make the cluster, if there is none, and start it."""
        programs = binaries()
        assert programs is not None
        self._as_user: dict[str, object] = {}
        if os.getuid() == 0:
            # The server refuses to run as root.
            user = pwd.getpwnam("postgres" if _is_user("postgres") else "nobody")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            for parent in self.folder.parents:
                if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                    parent.chmod(parent.stat().st_mode | 0o011)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = self.folder / "data"
        command = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]
        self._run(command)
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=20"
        self._control = [programs / "pg_ctl", "-D", data, "-w", "-l", self.folder / "log"]
        self._run([*self._control, "-o", options, "start"])

    def stop(self) -> None:
        """Stop it."""
        self._run([*self._control, "-m", "immediate", "stop"])

    def _run(self, command: list[object]) -> None:
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **self._as_user,  # type: ignore[call-overload]
        )
        assert done.returncode == 0, command


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
