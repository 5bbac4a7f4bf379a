"""``make study-activation-kills``: syncs of every kind of destination, killed at random instants.

Belongs here: the kinds and their servers, when is killed, and what must hold at the end. Does not: the killed process
(``activation_kills_child.py``).

    python -m benchmarks.activation_kills --kills 200 --seed 7

In each round customers change, a sync is killed up to three times at random instants, and one is left to its end. Then the
destination must hold exactly one row per customer, with the latest value.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adlfs
import boto3
import psycopg
import pyarrow.parquet as pq
from moto.server import ThreadedMotoServer

from benchmarks.measure import Row, markdown_table, this_machine, write_results
from tests.activation import azurite_server, postgres_server, sftp_server, treasure_data_stub
from tests.activation.conftest import Published
from tests.activation.receiver import SECRET, Receiver
from tests.activation.sfmc_stub import Stub as SfmcStub

NAME = "activation_kills"
ROOT = Path(__file__).resolve().parent.parent
CUSTOMERS, CHANGED, MOST_KILLS = 40, 12, 3
_GUARDS = {name: {"action": "off"} for name in ("deletes", "updates", "source_drop")}

_PAGE = """# Killed syncs

`make study-activation-kills` syncs {customers} customers in batches of 10 to every kind of destination: PostgreSQL, moto's S3
server, Azurite, an OpenSSH server, and stand-ins that follow the documented protocols of webhooks, Marketing Cloud and Treasure
Data. In each round {changed} customers change, the sync is ended by SIGKILL up to {most} times at random instants between its start
and its usual end, and then one is left alone. *wrong at the end* counts the rounds behind which the destination did not hold
exactly one row per customer with the latest value.

{table}

*batches sent again*: those of the webhook that were on their way when the process was killed, each with the idempotency key that
it had before; at most one per kill. Seed {seed}. {machine}.
"""

Held = Callable[[], dict[str, str]]


@dataclass(frozen=True)
class Kind:
    """A kind of destination, its settings, and what it holds: grade by customer."""

    name: str
    settings: dict[str, Any]
    environment: dict[str, str]
    held: Held
    endpoint: str = ""
    sent_again: Callable[[], int] | None = None


@dataclass
class Tally:
    """What the rounds of one kind came to."""

    rounds: int = 0
    kills: int = 0
    failed: int = 0
    wrong: int = 0


def once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Pairs as a mapping; a key that is there twice is worth a wrong round."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else {"twice": "there"}


@contextmanager
def kinds(folder: Path) -> Iterator[list[Kind]]:
    """Every kind with a server."""
    with ExitStack() as stack:
        yield [
            _webhook(stack), _postgres(stack, folder), _s3(stack), _azure(stack, folder), _sfmc(stack),
            _sfmc_sftp(stack, folder), _treasure_data(stack),
        ]  # fmt: skip


def _webhook(stack: ExitStack) -> Kind:
    receiver = stack.enter_context(Receiver())

    def held() -> dict[str, str]:
        return {key: row["churn_grade"] for key, row in receiver.rows.items()}

    environment = {"HOOK_URL": receiver.url, "HOOK_SECRET": SECRET}

    def sent_again() -> int:
        keys = [request["key"] for request in receiver.requests]
        return len(keys) - len(set(keys))

    settings = {"url_env": "HOOK_URL", "secret_env": "HOOK_SECRET"}
    return Kind("webhook", settings, environment, held, sent_again=sent_again)


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

    return Kind("postgres", {"url_env": "PG_URL", "table": "marketing.customers"}, {"PG_URL": server.url}, held)


def _s3(stack: ExitStack) -> Kind:
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
    files = adlfs.AzureBlobFileSystem(connection_string=server.connection, use_listings_cache=False)
    files.mkdir("lake")

    def read(name: str) -> bytes:
        return files.cat_file(f"lake/{name}")

    settings = {"url": "abfs://lake/crm", "connection_string_env": "AZURE"}
    return Kind("azure", settings, {"AZURE": server.connection}, lambda: _parts(read, "abfs://lake/"))


def _parts(read: Callable[[str], bytes], root: str) -> dict[str, str]:
    key = json.loads(read("crm/latest.json"))["manifest"].removeprefix(root)
    pairs: list[tuple[str, str]] = []
    for part in json.loads(read(key))["parts"]:
        rows = pq.read_table(io.BytesIO(read(f"{key.rpartition('/')[0]}/{part['name']}")))
        pairs += zip(rows["customer_id"].to_pylist(), rows["churn_grade"].to_pylist(), strict=True)
    return once(pairs)


def _sfmc(stack: ExitStack) -> Kind:
    stub = stack.enter_context(SfmcStub())

    def held() -> dict[str, str]:
        return {key: row["churn_grade"] for key, row in stub.state["rows"].items()}

    settings = {
        "auth_url_env": "SFMC_URL", "client_id_env": "SFMC_ID", "client_secret_env": "SFMC_SECRET", "data_extension": "Customers",
        "poll_seconds": 0.005,
    }  # fmt: skip
    return Kind("sfmc", settings, {"SFMC_URL": stub.url, "SFMC_ID": "id-canary", "SFMC_SECRET": "secret-canary"}, held)


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


def _treasure_data(stack: ExitStack) -> Kind:
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
    return Kind("treasure_data", settings, {"TD_KEY": treasure_data_stub.KEY}, held)


def storm(kind: Kind, folder: Path, kills: int, rng: random.Random) -> Tally:
    """Rounds until so many syncs were killed."""
    folder.mkdir()
    published = Published(folder)
    settings = {"kind": kind.name, "batch_rows": 10, "guards": _GUARDS, **kind.settings}
    command = [
        sys.executable,
        "-m",
        "benchmarks.activation_kills_child",
        str(folder),
        json.dumps(settings),
        kind.endpoint,
    ]
    environment = {**os.environ, **kind.environment, "PYTHONPATH": str(ROOT)}
    tally, rows = Tally(), {f"{number:05d}": "A" for number in range(CUSTOMERS)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def sync(seconds: float) -> str:
            child.stdin.write(f"{seconds}\n")  # type: ignore[union-attr]
            return child.stdout.readline().strip()  # type: ignore[union-attr]

        usual = 1.0
        while tally.rounds == 0 or tally.kills < kills:
            if tally.rounds:
                rows |= {key: rng.choice("ABCD") for key in rng.sample(sorted(rows), CHANGED)}
            published.publish({key: (0.5, grade) for key, grade in rows.items()})
            for _ in range(rng.randint(1, MOST_KILLS) if tally.rounds else 0):
                tally.kills += sync(rng.uniform(0, usual)) == "killed"
            ended = sync(float("inf"))
            tally.failed += not ended.startswith("ended")
            usual = float(ended.split()[1]) if ended.startswith("ended") else usual
            tally.rounds += 1
            tally.wrong += kind.held() != rows
        child.stdin.close()
    return tally


def run(folder: Path, kills: int, seed: int) -> list[Row]:
    """Storms over every kind."""
    rng, rows = random.Random(seed), []
    with kinds(folder) as found:
        for place, kind in enumerate(found):
            share = kills * (place + 1) // len(found) - kills * place // len(found)
            tally = storm(kind, folder / f"home-{kind.name}", share, rng)
            figures = {
                "rounds": tally.rounds,
                "killed": tally.kills,
                "not ended well": tally.failed,
                "wrong at the end": tally.wrong,
            }
            if kind.sent_again is not None:
                figures["batches sent again"] = kind.sent_again()
            rows += [Row(kind.name, metric, value, None) for metric, value in figures.items()]
            sys.stderr.write(f"{kind.name}: {figures}\n")
    for metric in ("killed", "not ended well", "wrong at the end"):
        total = sum(row.ours or 0 for row in rows if row.metric == metric)
        rows.append(Row("all", metric, total, None))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill, count and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    wanted = parser.parse_args(arguments)
    # The path of PostgreSQL's socket is limited to some hundred characters.
    with tempfile.TemporaryDirectory(prefix="kill-", dir="/tmp") as folder:
        rows = run(Path(folder), wanted.kills, wanted.seed)
    page = _PAGE.format(
        customers=CUSTOMERS,
        changed=CHANGED,
        most=MOST_KILLS,
        table=markdown_table(rows),
        seed=wanted.seed,
        machine=this_machine().caption(),
    )
    write_results(NAME, page, rows, wanted.docs)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
