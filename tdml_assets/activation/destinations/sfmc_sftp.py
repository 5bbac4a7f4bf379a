"""Destination ``sfmc_sftp``: CSV files in the folder of Salesforce Marketing Cloud that imports read, over SFTP.

Elsewhere: the REST interface (``sfmc.py``), the import itself, which an automation in Marketing Cloud starts when a file
appears.

    Import/<file>-<day>-<batch>.csv.part            while it is written; no automation may look at this ending
    Import/<file>-<day>-<batch>.manifest.json       rows and bytes of the file, put there before it
    Import/<file>-<day>-<batch>.csv                 by one rename, when all of it is there

What imports do, and what follows from it:

* Imports only add and update, or overwrite: mode ``upsert`` writes rows that changed, for an import that adds and updates; mode
  ``replace`` writes one file of every row, for one that overwrites, and removes the one before it, which may hold who was forgotten
  since. A data extension without a primary key can only be overwritten.
* An import of no row fails: a file without rows is never written.
* A colon in a contact's key is refused: such a row becomes a dead letter before it is sent.
* Imports into one data extension run one after another: a sync writes few large files.
* Names of files have letters, digits, blanks, dots, dashes and underscores alone. The server allows ten connections: one is used.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tdml_assets.activation.http import secret
from tdml_assets.activation.protocol import Batch, DestinationError, Opening, Receipt, Rejection, TransientError
from tdml_assets.declaration.alerts import VariableName
from tdml_assets.declaration.destinations import DestinationSettings, Mode, SyncRetries
from tdml_assets.platform.extras import require_extra

if TYPE_CHECKING:
    import paramiko
    import pyarrow as pa


class SfmcSftp(DestinationSettings):
    """Files that Marketing Cloud imports."""

    modes: ClassVar[tuple[Mode, ...]] = ("upsert", "replace")
    removes: ClassVar[bool] = False

    kind: Literal["sfmc_sftp"] = "sfmc_sftp"
    sync_retries: SyncRetries = Field(
        default=SyncRetries(first_pause_seconds=30), description="When a sync that failed is started again."
    )
    host: str = Field(description="Host of the SFTP account, such as <subdomain>.ftp.marketingcloudops.com.")
    port: int = Field(default=22, ge=1, le=65535, description="Its port.")
    host_key: str = Field(
        description="The host's public key, as ssh-keyscan prints it behind the host: ssh-ed25519 AAAA..."
    )
    user_env: VariableName = Field(description="Environment variable that holds the user.")
    password_env: VariableName | None = Field(default=None, description="Environment variable that holds the password.")
    private_key_env: VariableName | None = Field(
        default=None, description="Environment variable that holds the private key itself, in place of a password."
    )
    folder: str = Field(default="Import", min_length=1, description="Folder that imports read.")
    file: str = Field(description="What the names of files begin with, which the automation looks for.")
    key: str = Field(default="SubscriberKey", min_length=1, description="Primary key of the data extension.")
    batch_rows: int = Field(default=500_000, ge=1, le=1_000_000, description="Rows of one file in mode upsert.")

    @field_validator("file")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_. -]{1,80}", value) or value.startswith("."):
            raise ValueError('write letters, digits, blanks and _ . - alone: names know no \\ / : * < > | ? "')
        return value

    @field_validator("host_key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        if not re.fullmatch(r"(ssh-|ecdsa-)\S+ [A-Za-z0-9+/=]{40,}", value.strip()):
            raise ValueError("write the kind and the key, as in ssh-ed25519 AAAAC3Nza...")
        return value.strip()

    @model_validator(mode="after")
    def _has_one_secret(self) -> SfmcSftp:
        if (self.password_env is None) == (self.private_key_env is None):
            raise ValueError("name one of password_env and private_key_env")
        return self

    @contextmanager
    def open(self, opening: Opening) -> Iterator[SfmcSftpClient]:
        """Connect, and look whether the folder is there."""
        try:
            require_extra("paramiko", "sftp", "A destination of kind sfmc_sftp")
        except RuntimeError as error:
            raise DestinationError(str(error)) from None
        client = SfmcSftpClient(self, opening)
        try:
            client.look()
            yield client
        except TransientError as error:
            raise DestinationError(f"{error.reason}: try again later, or correct host") from error
        finally:
            client.close()

    def check(self, opening: Opening) -> Mapping[str, Any]:
        """Log in and look at the folder; nothing is written."""
        with self.open(opening) as client:
            return client.look()


class SfmcSftpClient:
    """Writes files, each complete at the instant it appears."""

    def __init__(self, settings: SfmcSftp, opening: Opening) -> None:
        self._settings, self._opening = settings, opening
        self._user = secret(opening.environment, settings.user_env)
        self._secret = secret(opening.environment, settings.password_env or settings.private_key_env or "")
        self._ssh: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None
        self._files: list[str] = []
        self._spool: Path | None = None
        self._spooled = 0

    def look(self) -> dict[str, Any]:
        """What is in the folder."""
        with self._explained():
            there = self._connected().listdir(self._settings.folder)
        return {"location": self._location, "files_there": len(there)}

    def send(self, batch: Batch) -> Receipt:
        """Write one file; in mode replace, keep the rows for the one file of ``finish``."""
        keys = batch.rows.column(0).to_pylist()
        rejected = {
            place: Rejection("colon", "Marketing Cloud takes no key with a colon")
            for place, key in enumerate(keys)
            if ":" in str(key)
        }
        rows = batch.rows
        if rejected:
            rows = rows.take([place for place in range(len(keys)) if place not in rejected])
        if not rows.num_rows:
            return Receipt(rejected)
        if self._settings.mode == "replace":
            self._keep(rows)
        else:
            self._put(f"{self._stem}-{batch.idempotency_key[:16]}", _csv(rows, has_header=True), rows.num_rows)
        return Receipt(rejected)

    def finish(self) -> Mapping[str, Any]:
        """Write the file of a replacement, and remove those before it."""
        if self._spool is not None:
            self._put(f"{self._stem}-all", self._spool, self._spooled)
            self._remove_older(f"{self._stem}-all")
        return {
            "location": self._location,
            "files": len(self._files),
            **({"file": self._files[-1]} if self._files else {}),
        }

    def close(self) -> None:
        """Close the connection, and remove what was kept."""
        if self._spool is not None:
            self._spool.unlink(missing_ok=True)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._ssh is not None:
            with suppress(Exception):
                self._ssh.close()
        self._ssh = self._sftp = None

    @property
    def _location(self) -> str:
        return f"sftp://{self._settings.host}/{self._settings.folder}"

    @property
    def _stem(self) -> str:
        day = self._opening.as_of.isoformat() if self._opening.as_of else "undated"
        return f"{self._settings.file}-{day}"

    def _keep(self, rows: pa.Table) -> None:
        if self._spool is None:
            self._opening.scratch.mkdir(parents=True, exist_ok=True)
            self._spool = self._opening.scratch / f"{self._opening.name}-sftp.csv"
            self._spool.unlink(missing_ok=True)
            self._spool.touch(mode=0o600)
        with self._spool.open("ab") as target:
            target.write(_csv(rows, has_header=not self._spooled))
        self._spooled += rows.num_rows

    def _put(self, name: str, content: bytes | Path, rows: int) -> None:
        """Write a file under a name that nothing looks for, and rename it when all of it is there."""
        folder = self._settings.folder
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        manifest = {
            "file": f"{name}.csv",
            "rows": rows,
            "bytes": size,
            "mode": self._settings.mode,
            "session_id": self._opening.session_id,
        }
        with self._explained():
            sftp = self._connected()
            part = f"{folder}/{name}.csv.part"
            # The size there is compared with what was sent.
            with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
                sftp.putfo(source, part, file_size=size, confirm=True)
            text = json.dumps(manifest, indent=1).encode()
            sftp.putfo(io.BytesIO(text), f"{folder}/{name}.manifest.json", file_size=len(text), confirm=True)
            _rename(sftp, part, f"{folder}/{name}.csv")
        self._files.append(f"{name}.csv")

    def _remove_older(self, kept: str) -> None:
        older = re.compile(rf"({re.escape(self._settings.file)}-(\d{{4}}-\d\d-\d\d|undated)-all)\.(csv|manifest\.json)")
        with self._explained():
            sftp = self._connected()
            for name in sftp.listdir(self._settings.folder):
                found = older.fullmatch(name)
                if found and found[1] != kept:
                    # An import may have taken it away meanwhile.
                    with suppress(FileNotFoundError):
                        sftp.remove(f"{self._settings.folder}/{name}")

    def _connected(self) -> paramiko.SFTPClient:
        import paramiko

        if self._sftp is not None:
            return self._sftp
        settings = self._settings
        ssh = paramiko.SSHClient()
        ssh.set_missing_host_key_policy(paramiko.RejectPolicy())
        place = settings.host if settings.port == 22 else f"[{settings.host}]:{settings.port}"
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{place} {settings.host_key}")
        if entry is None or entry.key is None:
            raise DestinationError("host_key cannot be read: copy it from ssh-keyscan")
        ssh.get_host_keys().add(place, entry.key.get_name(), entry.key)
        self._ssh = ssh
        is_password = settings.password_env is not None
        ssh.connect(
            settings.host,
            settings.port,
            username=self._user,
            password=self._secret if is_password else None,
            pkey=None if is_password else _private_key(self._secret, str(settings.private_key_env)),
            look_for_keys=False,
            allow_agent=False,
            timeout=settings.timeout_seconds,
            banner_timeout=settings.timeout_seconds,
            auth_timeout=settings.timeout_seconds,
        )
        self._sftp = ssh.open_sftp()
        channel = self._sftp.get_channel()
        if channel is not None:
            channel.settimeout(settings.timeout_seconds)
        return self._sftp

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Give the library's errors as the core's."""
        import paramiko

        settings = self._settings
        try:
            yield
        except paramiko.AuthenticationException:
            raise DestinationError(
                f"{settings.host} refuses the login: correct {settings.user_env} and "
                f"{settings.password_env or settings.private_key_env}"
            ) from None
        except paramiko.BadHostKeyException:
            raise DestinationError(
                f"{settings.host} has another key than host_key, so nothing is sent: correct host, or ask for the new key"
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            self._hang_up()
            number = error.errno if isinstance(error, OSError) else None
            if number == errno.ENOENT:
                raise DestinationError(
                    f"there is no folder {settings.folder} on {settings.host}: correct folder"
                ) from None
            if number == errno.EACCES:
                raise DestinationError(
                    f"the user may not write into {settings.folder} on {settings.host}: allow it"
                ) from None
            if "not found in known_hosts" in str(error):
                raise DestinationError(
                    f"{settings.host} has a key of another kind than host_key: give the kind that it uses"
                ) from None
            raise TransientError(f"no answer from {settings.host} ({type(error).__name__})") from None


def _rename(sftp: paramiko.SFTPClient, source: str, target: str) -> None:
    """Rename over what is there: at once where the server can, else behind its removal."""
    try:
        sftp.posix_rename(source, target)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES):
            raise
        with suppress(FileNotFoundError):
            sftp.remove(target)
        sftp.rename(source, target)


def _private_key(text: str, variable: str) -> paramiko.PKey:
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException, ValueError, IndexError):
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
    raise DestinationError(
        f"{variable} holds no private key without a passphrase: put the whole text of the key into it"
    )


def _csv(rows: pa.Table, *, has_header: bool) -> bytes:
    """CSV as imports read it: UTF-8, CRLF, quotes where they are needed, nothing for what is missing."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
    if has_header:
        writer.writerow(rows.column_names)
    columns = [rows.column(name).to_pylist() for name in rows.column_names]
    writer.writerows(zip(*([_text(value) for value in column] for column in columns), strict=True))
    return target.getvalue().encode()


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


DESTINATION = SfmcSftp
