"""Every kind of destination with a small server of its own, and what that holds.

Belongs here: starting the servers and reading what they hold. Does not: what is tried on them (``test_every_kind.py``,
``benchmarks/activation_kills.py``).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
import psycopg.sql
import pyarrow.parquet as pq
from azure.storage.blob import BlobServiceClient
from moto.server import ThreadedMotoServer

from tests.activation import azurite_server, postgres_server, sftp_server, treasure_data_stub
from tests.activation.receiver import SECRET, Receiver
from tests.activation.sfmc_stub import Stub as SfmcStub
from tests.boto_data import read_boto_data_once

read_boto_data_once()

Held = Callable[[], dict[str, str]]


@dataclass(frozen=True)
class Kind:
    """A kind of destination, its settings, and what it holds: grade by customer.

    Parameters
    ----------
    refuse : makes the server refuse rows of a customer; None where it takes whole files.
    """

    name: str
    settings: dict[str, Any]
    environment: dict[str, str]
    held: Held
    endpoint: str = ""
    sent_again: Callable[[], int] | None = None
    refuse: Callable[[str], None] | None = None


def once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Pairs as a mapping; a key that is there twice is worth a wrong round."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else {"twice": "there"}


def _webhook(stack: ExitStack, _folder: Path) -> Kind:
    receiver = stack.enter_context(Receiver())

    def held() -> dict[str, str]:
        return {key: row["churn_grade"] for key, row in receiver.rows.items()}

    environment = {"HOOK_URL": receiver.url, "HOOK_SECRET": SECRET}

    def sent_again() -> int:
        keys = [request["key"] for request in receiver.requests]
        return len(keys) - len(set(keys))

    settings = {"url_env": "HOOK_URL", "secret_env": "HOOK_SECRET"}

    def refuse(customer: str) -> None:
        receiver.tell(refuses=[customer])

    return Kind("webhook", settings, environment, held, sent_again=sent_again, refuse=refuse)


def _postgres(stack: ExitStack, folder: Path) -> Kind:
    place = folder / "pg"
    place.mkdir()
    server = postgres_server.Server(place)
    server.start()
    stack.callback(server.stop)
    with psycopg.connect(server.url) as connection:
        connection.execute("create schema marketing")

    def held() -> dict[str, str]:
        with psycopg.connect(server.url) as connection:
            return once(connection.execute("select customer_id, churn_grade from marketing.customers").fetchall())

    def refuse(customer: str) -> None:
        with psycopg.connect(server.url) as connection:
            check = psycopg.sql.SQL("alter table marketing.customers add check (customer_id <> {})").format(customer)
            connection.execute(check)

    settings = {"url_env": "PG_URL", "table": "marketing.customers"}
    return Kind("postgres", settings, {"PG_URL": server.url}, held, refuse=refuse)


def _s3(stack: ExitStack, _folder: Path) -> Kind:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    stack.callback(server.stop)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    client.create_bucket(Bucket="lake")

    def read(name: str) -> bytes:
        return client.get_object(Bucket="lake", Key=name)["Body"].read()

    return Kind("s3", {"url": "s3://lake/crm"}, {}, lambda: _parts(read, "s3://lake/"), endpoint)


def _azure(stack: ExitStack, folder: Path) -> Kind:
    server = azurite_server.Server(folder)
    server.start()
    stack.callback(server.stop)
    container = BlobServiceClient.from_connection_string(server.connection).create_container("lake")

    def read(name: str) -> bytes:
        return container.download_blob(name).readall()

    settings = {"url": "abfs://lake/crm", "connection_string_env": "AZURE"}
    return Kind("azure", settings, {"AZURE": server.connection}, lambda: _parts(read, "abfs://lake/"))


def _parts(read: Callable[[str], bytes], root: str) -> dict[str, str]:
    key = json.loads(read("crm/latest.json"))["manifest"].removeprefix(root)
    pairs: list[tuple[str, str]] = []
    for part in json.loads(read(key))["parts"]:
        rows = pq.read_table(io.BytesIO(read(f"{key.rpartition('/')[0]}/{part['name']}")))
        pairs += zip(rows["customer_id"].to_pylist(), rows["churn_grade"].to_pylist(), strict=True)
    return once(pairs)


def _sfmc(stack: ExitStack, _folder: Path) -> Kind:
    stub = stack.enter_context(SfmcStub())

    def held() -> dict[str, str]:
        return {key: row["churn_grade"] for key, row in stub.state["rows"].items()}

    settings = {
        "auth_url_env": "SFMC_URL", "client_id_env": "SFMC_ID", "client_secret_env": "SFMC_SECRET", "data_extension": "Customers",
        "poll_seconds": 0.005,
    }  # fmt: skip

    def refuse(customer: str) -> None:
        stub.tell(refuses=[customer])

    environment = {"SFMC_URL": stub.url, "SFMC_ID": "id-canary", "SFMC_SECRET": "secret-canary"}
    return Kind("sfmc", settings, environment, held, refuse=refuse)


def _sfmc_sftp(stack: ExitStack, folder: Path) -> Kind:
    server = sftp_server.Server(folder / "sftp")
    server.start()
    stack.callback(server.stop)

    def held() -> dict[str, str]:
        found: dict[str, str] = {}
        for path in sorted((server.root / "Import").glob("*.csv"), key=lambda one: one.stat().st_mtime_ns):
            rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
            if json.loads(path.with_suffix(".manifest.json").read_bytes())["rows"] != len(rows):
                return {"half": "a file"}
            # An import adds and updates.
            found |= once([(row["SubscriberKey"], row["churn_grade"]) for row in rows])
        return found

    settings = {
        "host": "127.0.0.1", "port": server.port, "host_key": server.host_key, "user_env": "FTP_USER", "private_key_env": "FTP_KEY",
        "file": "scores",
    }  # fmt: skip
    return Kind("sfmc_sftp", settings, {"FTP_USER": server.user, "FTP_KEY": server.private_key}, held)


def _treasure_data(stack: ExitStack, _folder: Path) -> Kind:
    stub = stack.enter_context(treasure_data_stub.Stub())
    stub.service.databases = {"marketing": {}, "crm": {}}
    stub.service.create_table(
        "crm", "profiles", [["customer_id", "string"], ["city", "string"]], [{"customer_id": "00001", "city": "Ulm"}]
    )
    other = {
        "name": "city", "audienceId": "42", "type": "string", "parentDatabaseName": "crm", "parentTableName": "profiles",
        "parentColumn": "city", "parentKey": "customer_id", "foreignKey": "customer_id", "groupingName": None,
    }  # fmt: skip
    master = {"parentDatabaseName": "crm", "parentTableName": "profiles"}
    stub.service.audiences[42] = {"id": "42", "name": "All", "master": master, "attributes": [other], "behaviors": []}

    def held() -> dict[str, str]:
        if "city" not in [one["name"] for one in stub.service.audiences[42]["attributes"]]:
            return {"lost": "an attribute of others"}
        rows = stub.service.databases["marketing"]["predictions"]["rows"]
        return once([(row["customer_id"], row["churn_grade"]) for row in rows])

    settings = {
        "api_key_env": "TD_KEY", "endpoint": stub.url, "audience_endpoint": stub.url, "database": "marketing",
        "table": "predictions", "parent_segment": 42, "poll_seconds": 0.005,
    }  # fmt: skip
    return Kind(
        "treasure_data", settings, {"TD_KEY": treasure_data_stub.KEY}, held, refuse=stub.service.refused_keys.add
    )


#: What starts a kind's server, by kind.
KINDS: dict[str, Callable[[ExitStack, Path], Kind]] = {
    "webhook": _webhook,
    "postgres": _postgres,
    "s3": _s3,
    "azure": _azure,
    "sfmc": _sfmc,
    "sfmc_sftp": _sfmc_sftp,
    "treasure_data": _treasure_data,
}


def missing(kind: str) -> str | None:
    """What to install for the server of a kind; None where it is there."""
    found = {
        "postgres": (postgres_server.binaries(), f"apt-get install {postgres_server.PACKAGE}"),
        "azure": (azurite_server.binary(), azurite_server.PACKAGE),
        "sfmc_sftp": (sftp_server.binary(), f"apt-get install {sftp_server.PACKAGE}"),
    }
    is_there, words = found.get(kind, (True, ""))
    return None if is_there else words
