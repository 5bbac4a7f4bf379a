"""Files in a container of Azurite: what the pointer names is complete, and no row is there twice."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from azure.storage.blob import BlobServiceClient

from tdml_assets.activation.erasure import erase
from tdml_assets.activation.protocol import DestinationError
from tdml_assets.activation.syncing import SyncResult
from tdml_assets.declaration.destinations import DestinationSettings, read_destination
from tdml_assets.platform.retrying import Clock
from tests.activation.azurite_server import PACKAGE, Server, binary
from tests.activation.conftest import NOW, Published, people

pytestmark = pytest.mark.skipif(binary() is None, reason=f"npm install --global {PACKAGE}")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        running = Server(Path(folder))
        running.start()
        yield running
        running.stop()


class Container:
    """A container of its own, and syncs into it."""

    def __init__(self, published: Published, server: Server, name: str) -> None:
        self.published, self.server, self.name = published, server, name
        published.environment["AZURE_CONNECTION"] = server.connection
        service = BlobServiceClient.from_connection_string(server.connection)
        self.blobs = service.create_container(name)

    def settings(self, **keys: Any) -> DestinationSettings:
        section = {
            "kind": "azure",
            "url": f"abfs://{self.name}/crm/customers",
            "connection_string_env": "AZURE_CONNECTION",
        }
        return read_destination("lake", {**section, "batch_rows": 2, **keys})

    def sync(self, **keys: Any) -> SyncResult:
        given = {name: keys.pop(name) for name in ("failpoint", "clock") if name in keys}
        return self.published.sync(self.settings(**keys), name="lake", **given)

    @property
    def names(self) -> list[str]:
        return sorted(self.blobs.list_blob_names())

    def read(self, name: str) -> bytes:
        return self.blobs.download_blob(name).readall()

    def latest(self) -> list[dict[str, Any]]:
        """Rows that the pointer leads to."""
        pointer = json.loads(self.read("crm/customers/latest.json"))
        path = pointer["manifest"].removeprefix(f"abfs://{self.name}/")
        manifest = json.loads(self.read(path))
        rows = []
        for part in manifest["parts"]:
            content = self.read(f"{path.rpartition('/')[0]}/{part['name']}")
            assert len(content) == part["bytes"]
            reads = pq.read_table if part["name"].endswith("parquet") else pa_csv.read_csv
            found = reads(io.BytesIO(content)).to_pylist()
            assert len(found) == part["rows"]
            rows += found
        assert len(rows) == manifest["rows"] == pointer["rows"]
        return rows


@pytest.fixture
def container(tmp_path: Path, server: Server, request: pytest.FixtureRequest) -> Container:
    import zlib

    return Container(Published(tmp_path), server, f"c{zlib.crc32(request.node.name.encode())}")


def grades(rows: list[dict[str, Any]]) -> dict[str, str]:
    assert len({row["customer_id"] for row in rows}) == len(rows)
    return {row["customer_id"]: row["churn_grade"] for row in rows}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_every_customer_is_written_and_the_pointer_leads_there(container: Container, kind: str) -> None:
    container.published.publish({f"c{key}": values for key, values in people(5).items()})
    result = container.sync(format=kind)
    assert (result.status, result.added, result.reason) == ("succeeded", 5, None)
    assert result.details["location"] == f"abfs://{container.name}/crm/customers/session=s1"
    assert grades(container.latest()) == dict.fromkeys((f"c{key}" for key in people(5)), "A")
    container.published.session(2)
    container.published.publish({f"c{key}": values for key, values in people(3, grade="B").items()})
    assert container.sync(format=kind, guards={"deletes": {"action": "off"}}).removed == 2
    assert grades(container.latest()) == dict.fromkeys((f"c{key}" for key in people(3)), "B")
    before = container.names
    assert container.sync(format=kind).unchanged == 3
    assert container.names == before


@pytest.mark.parametrize("mode", ["replace", "upsert"])
def test_killed_on_the_way_the_pointer_names_what_is_complete(container: Container, mode: str) -> None:
    container.published.publish(people(5))

    def stop(step: str) -> None:
        if step == "sent 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        container.sync(mode=mode, failpoint=stop)
    assert not [name for name in container.names if name.endswith("latest.json")]
    container.published.publish({**people(5), "00001": (0.9, "B")})
    assert container.sync(mode=mode).status == "succeeded"
    rows = container.latest()
    if mode == "replace":
        assert grades(rows) == {**dict.fromkeys(people(5), "A"), "00001": "B"}
    else:
        assert {row["customer_id"] for row in rows} == set(people(5))


def test_storms_errors_and_lost_answers_end_with_each_row_once(container: Container, server: Server) -> None:
    container.published.publish(people(5))
    waited: list[float] = []
    server.script += ["lost", 429, 500, 503, "reset", "half", "lost"]
    clock = Clock(now=lambda: NOW, sleep=waited.append, jitter=lambda: 0.5)
    result = container.sync(clock=clock, retries={"attempts": 10})
    assert (result.status, result.reason) == ("succeeded", None)
    # As long as the server asked for, and each time by the sync: the client asks once.
    assert (server.script, waited[1:4], len(waited)) == ([], [7.0, 7.0, 7.0], 7)
    assert grades(container.latest()) == dict.fromkeys(people(5), "A")


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "cannot write to"), (403, "may not do this: correct AZURE_CONNECTION")],
)
def test_a_request_that_is_refused_ends_the_sync_at_once_and_the_next_goes_on(
    container: Container, server: Server, status: int, words: str
) -> None:
    container.published.publish(people(5))
    refused = b"<?xml version='1.0'?><Error><Code>InvalidInput</Code><Message>canary</Message></Error>"
    server.script += [None, (status, refused)]
    ended = container.sync(mode="upsert")
    # Waiting mends none of these: the second part is asked for once.
    assert (ended.status, ended.added, ended.attempts, server.script) == ("failed", 2, 2, [])
    assert (words in (ended.reason or ""), "canary" in (ended.reason or "")) == (True, False)
    again = container.sync(mode="upsert")
    assert (again.status, again.added, again.unchanged) == ("succeeded", 3, 2)
    assert grades(container.latest()) == dict.fromkeys(people(5), "A")


def test_a_dry_run_and_what_is_wrong_are_named(container: Container) -> None:
    container.published.publish(people(1))
    location = f"abfs://{container.name}/crm/customers"
    assert container.published.check(container.settings(), name="lake") == {"location": location, "files_there": 0}
    assert container.names == []
    with pytest.raises(DestinationError, match="there is no container nowhere-at-all"):
        container.published.check(container.settings(url="abfs://nowhere-at-all/x"), name="lake")
    good = container.published.environment["AZURE_CONNECTION"]
    for wrong, words in (
        ("canary", "holds no connection string"),
        (good.replace("Eby8", "canary=="), "AZURE_CONNECTION"),
        (good.replace("127.0.0.1", "storage.example"), "rows would be sent readable"),
    ):
        container.published.environment["AZURE_CONNECTION"] = wrong
        result = container.sync()
        assert (result.status, words in (result.reason or ""), "canary" in (result.reason or "")) == (
            "failed",
            True,
            False,
        )


@pytest.mark.parametrize("url", ["abfs://lake", "abfs://key@lake/x", "https://lake/x", "abfs://lake/x?sig=1"])
def test_an_address_is_a_container_and_a_prefix_alone(url: str) -> None:
    with pytest.raises(ValueError, match="abfs://container/prefix"):
        read_destination("azure", {"url": url, "connection_string_env": "A"})


def test_who_is_forgotten_is_in_no_part_of_any_session(published: Published, server: Server) -> None:
    container = Container(published, server, "forget")
    for session, grade in ((2, "A"), (3, "B")):
        published.session(session)
        published.publish(people(3, grade=grade))
        container.sync(mode="upsert")
    noted = []
    around = published.around()
    declared = {"lake": container.settings(mode="upsert")}
    erase(published.warehouse, declared, "00002", around, lambda database, done: noted.append(done))
    assert [(done.destination, done.is_done) for done in noted] == [("lake", True)]
    parts = [name for name in container.names if "/part-" in name]
    rows = [row["customer_id"] for name in parts for row in pq.read_table(io.BytesIO(container.read(name))).to_pylist()]
    assert sorted(rows) == ["00001", "00001", "00003", "00003"]
    assert sorted(row["customer_id"] for row in container.latest()) == ["00001", "00003"]
