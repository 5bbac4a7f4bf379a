"""The files destination: a folder and a real S3 server on loopback, and a process killed at every step."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from tdml_assets.declaration.attributes import AttributeSpec
from tdml_assets.declaration.declared_destinations import FilesDestination as FilesSettings
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.platform.warehouse_errors import StorageError
from tdml_assets.stages.audience.attributes import CATALOG, WorkflowAttributes, catalog_rows, parent_segment_contract
from tdml_assets.stages.audience.destinations import Delivery, no_failpoint
from tdml_assets.stages.audience.destinations.files import FilesDestination, FolderStore
from tdml_assets.stages.audience.exports import ExportError
from tdml_assets.stages.audience.permitted import Permission
from tests.boto_data import read_boto_data_once

read_boto_data_once()

WORKFLOWS = [
    WorkflowAttributes(
        workflow="cltv",
        attributes=(
            AttributeSpec(name="cltv_predicted_spend", column="predicted_target", description="=Spend, \"90\" days"),
            AttributeSpec(name="cltv_prediction_category", column="category", type="string", description="x"),
            AttributeSpec(name="cltv_decile", column="predicted_target", kind="decile", description="Tenth"),
        ),
    )
]  # fmt: skip
CUSTOMERS = ["00123", "=1+1", 'a"b,c', "line\nbreak", "Ünï", "-7", "007"]


class Export:
    """One warehouse and one destination, as a session has them."""

    def __init__(self, home: Path, url: str, **options: Any) -> None:
        self.warehouse = Warehouse(database=str(home / "w.duckdb"), temp_directory=str(home / "spill"))
        self.url, self.scratch, self.options = url, home / "scratch", options

    def publish(self, spend: float = 1.0, customers: list[str] | None = None, day: int = 9) -> None:
        rows = [
            {
                "customer_id": customer,
                "as_of": date(2011, 12, day),
                "cltv_predicted_spend": spend - index if index else None,
                "cltv_prediction_category": "@SUM(A1)" if index == 1 else ("" if index == 2 else None),
                "cltv_decile": 10 - index % 10,
            }
            for index, customer in enumerate(CUSTOMERS if customers is None else customers)
        ]
        with self.warehouse.write() as database:
            database.replace(parent_segment_contract(WORKFLOWS), rows)
            database.replace(CATALOG, catalog_rows(WORKFLOWS))

    def deliver(self, session_id: str, **options: Any) -> Delivery:
        destination = FilesDestination(self.url, scratch=self.scratch, **{**self.options, **options})
        with self.warehouse.read() as database:
            return destination.deliver(database, session_id)


@pytest.fixture
def local(tmp_path: Path) -> Export:
    return Export(tmp_path, str(tmp_path / "exports"))


def dataset(tmp_path: Path) -> Path:
    return tmp_path / "exports" / "parent_segment_attributes"


def read_latest(folder: Path) -> dict[str, Any]:
    """Open the latest export as a careful reader does, verify every file, and return its manifest."""
    named = folder / json.loads((folder / "latest.json").read_bytes())["path"]
    manifest = json.loads((named / "manifest.json").read_bytes())
    for name, entry in manifest["files"].items():
        content = (named / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert pq.read_metadata(named / "attributes.parquet").num_rows == manifest["rows"]
    linked = json.loads((folder / "latest" / "manifest.json").read_bytes())
    assert names(folder / "latest") == {
        "attributes.parquet",
        "attributes.csv",
        "catalog.csv",
        "manifest.json",
    }
    for name, entry in linked["files"].items():
        assert hashlib.sha256((folder / "latest" / name).read_bytes()).hexdigest() == entry["sha256"]
    return dict(manifest)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_files_hold_every_customer_typed_in_parquet_and_safe_in_csv(local: Export, tmp_path: Path) -> None:
    local.publish()
    delivery = local.deliver("s1", batch_rows=2)
    folder = dataset(tmp_path) / "2011-12-09-s1"
    assert delivery.location == str(folder)
    assert delivery.rows == len(CUSTOMERS)
    assert delivery.changed
    manifest = read_latest(dataset(tmp_path))
    assert manifest["columns"][0] == {"name": "customer_id", "type": "VARCHAR"}
    assert manifest["as_of"] == "2011-12-09"

    table = pq.read_table(folder / "attributes.parquet")
    assert table["customer_id"].to_pylist() == sorted(CUSTOMERS)
    assert {name: str(type_) for name, type_ in zip(table.schema.names, table.schema.types, strict=True)} == {
        "customer_id": "string",
        "as_of": "date32[day]",
        "cltv_predicted_spend": "double",
        "cltv_prediction_category": "string",
        "cltv_decile": "int64",
    }
    raw = (folder / "attributes.csv").read_bytes()
    assert raw.count(b"\r\n") == len(CUSTOMERS) + 1
    assert not raw.startswith(b"\xef\xbb\xbf")
    with (folder / "attributes.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["customer_id"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"00123", "'=1+1", 'a"b,c', "line\nbreak", "Ünï", "-7", "007"}
    assert rows["'=1+1"]["cltv_prediction_category"] == "'@SUM(A1)"
    assert rows["line\nbreak"]["cltv_predicted_spend"] == "-2"
    assert rows["00123"]["cltv_predicted_spend"] == ""
    with (folder / "catalog.csv").open(newline="", encoding="utf-8") as stream:
        catalog = list(csv.DictReader(stream))
    assert [row["column"] for row in catalog] == ["cltv_predicted_spend", "cltv_prediction_category", "cltv_decile"]
    assert catalog[0]["description"] == '\'=Spend, "90" days. NULL: not scored by cltv.'


def test_csv_and_parquet_agree_for_a_reader_that_guesses_types(local: Export, tmp_path: Path) -> None:
    local.publish(customers=[f"{index:05d}" for index in range(5000)])
    local.deliver("s1", batch_rows=2048)
    latest = dataset(tmp_path) / "latest"
    assert pq.ParquetFile(latest / "attributes.parquet").num_row_groups >= 3
    same = duckdb.connect().execute(
        "select count(*) from read_csv($csv, types = {'customer_id': 'VARCHAR'}) as c join read_parquet($parquet) as p "
        "on c.customer_id = p.customer_id and c.cltv_predicted_spend is not distinct from p.cltv_predicted_spend "
        "and c.cltv_decile = p.cltv_decile and c.as_of = p.as_of",
        {"csv": str(latest / "attributes.csv"), "parquet": str(latest / "attributes.parquet")},
    )
    assert same.fetchall() == [(5000,)]


def test_the_same_session_again_changes_nothing(local: Export, tmp_path: Path) -> None:
    local.publish()
    local.deliver("s1")
    before = {path: path.stat().st_mtime_ns for path in (dataset(tmp_path) / "latest").resolve().iterdir()}
    again = local.deliver("s1")
    assert not again.changed
    assert {path: path.stat().st_mtime_ns for path in (dataset(tmp_path) / "latest").resolve().iterdir()} == before
    assert names(dataset(tmp_path)) == {"2011-12-09-s1", "latest", "latest.json"}


def test_a_session_with_another_result_replaces_its_own_export(local: Export, tmp_path: Path) -> None:
    for spend in (1.0, 2.0, 1.0):
        local.publish(spend)
        assert local.deliver("s1").changed
        manifest = read_latest(dataset(tmp_path))
        assert manifest["session_id"] == "s1"
        assert len(names(dataset(tmp_path)) - {"latest", "latest.json"}) == 1
        table = pq.read_table(dataset(tmp_path) / "latest" / "attributes.parquet")
        assert max(value for value in table["cltv_predicted_spend"].to_pylist() if value is not None) == spend - 1


def test_only_the_declared_number_of_exports_is_kept_and_nothing_of_others_is_touched(
    local: Export, tmp_path: Path
) -> None:
    foreign = dataset(tmp_path) / "2001-01-01-theirs"
    foreign.mkdir(parents=True)
    (foreign / "manifest.json").write_text("{}")
    (dataset(tmp_path) / "notes.txt").write_text("keep me")
    local.publish()
    for index in range(4):
        local.deliver(f"s{index}", keep=2)
        if index == 0:
            (dataset(tmp_path) / "2011-12-09-s0" / "mine.txt").write_text("put here by a person")
    assert names(dataset(tmp_path)) == {
        "2011-12-09-s0", "2011-12-09-s2", "2011-12-09-s3", "2001-01-01-theirs", "notes.txt", "latest", "latest.json",
    }  # fmt: skip
    assert names(dataset(tmp_path) / "2011-12-09-s0") == {"mine.txt"}
    assert (foreign / "manifest.json").read_text() == "{}"


def test_a_damaged_export_of_the_session_is_replaced(local: Export, tmp_path: Path) -> None:
    local.publish()
    local.deliver("s1")
    (dataset(tmp_path) / "2011-12-09-s1" / "attributes.csv").unlink()
    assert local.deliver("s1").changed
    read_latest(dataset(tmp_path))
    assert names(dataset(tmp_path)) == {"2011-12-09-s1-2", "latest", "latest.json"}


def test_nothing_published_or_two_instants_are_refused(local: Export) -> None:
    local.publish(customers=[])
    with pytest.raises(ExportError, match="holds 0 rows"):
        local.deliver("s1")


def test_a_real_folder_called_latest_is_left_alone(local: Export, tmp_path: Path) -> None:
    (dataset(tmp_path) / "latest").mkdir(parents=True)
    (dataset(tmp_path) / "latest" / "theirs.csv").write_text("x")
    local.publish()
    with pytest.raises(ExportError, match="is a folder, and the link"):
        local.deliver("s1")
    assert (dataset(tmp_path) / "latest" / "theirs.csv").read_text() == "x"


def test_an_error_on_the_way_leaves_the_latest_export_and_no_litter(local: Export, tmp_path: Path) -> None:
    local.publish()
    local.deliver("s1")

    def disk_full(step: str) -> None:
        if step == "files written":
            raise OSError(28, "No space left on device")

    with pytest.raises((OSError, StorageError), match="[Nn]o space"):
        local.deliver("s2", failpoint=disk_full)
    assert read_latest(dataset(tmp_path))["session_id"] == "s1"
    assert names(dataset(tmp_path)) == {"2011-12-09-s1", "latest", "latest.json"}


def test_a_reader_meets_a_complete_export_at_every_instant(local: Export, tmp_path: Path) -> None:
    local.publish()
    local.deliver("s0")
    stop, seen = threading.Event(), set()
    problems: list[BaseException] = []

    def reader() -> None:
        while not stop.is_set():
            try:
                seen.add(read_latest(dataset(tmp_path))["session_id"])
            except BaseException as error:  # noqa: BLE001 - the test reports whatever the reader met
                problems.append(error)

    thread = threading.Thread(target=reader)
    thread.start()
    for index in range(1, 15):
        local.deliver(f"s{index}")
    stop.set()
    thread.join()
    assert not problems
    assert len(seen) > 1


WATCHER = """
import os, sys
latest, pointer = sys.argv[1:]
print("watching", flush=True)
print(sum(not (os.path.exists(latest) and os.path.exists(pointer)) for _ in range(20_000)))
"""


def test_the_link_and_the_pointer_are_there_at_every_look_while_they_move(local: Export, tmp_path: Path) -> None:
    local.publish()
    local.deliver("s1")
    folder, scratch = dataset(tmp_path), tmp_path / "pointers"
    scratch.mkdir()
    paths = [folder / "latest" / "manifest.json", folder / "latest.json"]
    command = [sys.executable, "-c", WATCHER, *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "watching\n"
        # Until it has looked often enough, however seldom it gets a core.
        while select.select([watcher.stdout], [], [], 0)[0] == []:
            FolderStore(folder).point("2011-12-09-s1", b"{}", scratch, no_failpoint)
        assert watcher.stdout.readline() == "0\n"


def test_an_export_appears_whole_because_its_folder_is_moved_and_not_filled(local: Export, tmp_path: Path) -> None:
    local.publish()
    written: list[int] = []

    def note(step: str) -> None:
        if step == "files flushed":
            (incoming,) = dataset(tmp_path).glob(".incoming-*/files")
            written.append(incoming.stat().st_ino)

    local.deliver("s1", failpoint=note)
    assert written == [(dataset(tmp_path) / "2011-12-09-s1").stat().st_ino]


KILLED_AT = ["files written", "files flushed", "export placed", "pointer moved", "latest moved", "old export removed"]
#: Imports once, and forks a process for every delivery that is to be killed.
DELIVERIES = """
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import boto3
from test_files import Export

def deliver(home, url, step, endpoint):
    def failpoint(reached):
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)
    client = boto3.client("s3", endpoint_url=endpoint) if endpoint else None
    Export(Path(home), url, keep=1, s3_client=client).deliver("s2", failpoint=failpoint)

for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            deliver(*json.loads(line))
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Killed = Callable[..., None]


@pytest.fixture(scope="module")
def deliver_until_killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    log = tmp_path_factory.mktemp("deliveries") / "errors.txt"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-c", DELIVERIES, str(Path(__file__).parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **AWS},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None

        def deliver(home: Path, url: str, step: str, endpoint: str = "") -> None:
            print(json.dumps([str(home), url, step, endpoint]), file=process.stdin, flush=True)
            code = process.stdout.readline()
            assert code == f"{-signal.SIGKILL}\n", log.read_text()

        yield deliver


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_process_killed_at_any_step_leaves_a_complete_latest_and_a_rerun_completes(
    local: Export, tmp_path: Path, deliver_until_killed: Killed, step: str
) -> None:
    local.publish()
    local.deliver("s1")
    local.publish(5.0, day=10)
    deliver_until_killed(tmp_path, local.url, step)
    survivor = read_latest(dataset(tmp_path))["session_id"]
    assert survivor == ("s1" if KILLED_AT.index(step) < 3 else "s2")
    local.deliver("s2", keep=1)
    assert read_latest(dataset(tmp_path))["session_id"] == "s2"
    assert names(dataset(tmp_path)) == {"2011-12-10-s2", "latest", "latest.json"}


AWS = {"AWS_ACCESS_KEY_ID": "testing-key", "AWS_SECRET_ACCESS_KEY": "testing-secret", "AWS_DEFAULT_REGION": "us-east-1"}
PREFIX = "marketing/tdml/parent_segment_attributes"


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="customers")
    yield client
    for item in client.list_objects_v2(Bucket="customers").get("Contents", []):
        client.delete_object(Bucket="customers", Key=item["Key"])
    client.delete_bucket(Bucket="customers")


@pytest.fixture
def remote(tmp_path: Path, s3: Any) -> Export:
    return Export(tmp_path, "s3://customers/marketing/tdml", s3_client=s3)


def keys(s3: Any) -> set[str]:
    found = s3.list_objects_v2(Bucket="customers").get("Contents", [])
    return {item["Key"].removeprefix(f"{PREFIX}/") for item in found}


def read_latest_on_s3(s3: Any) -> dict[str, Any]:
    def get(key: str) -> bytes:
        return bytes(s3.get_object(Bucket="customers", Key=f"{PREFIX}/{key}")["Body"].read())

    pointer = json.loads(get("latest.json"))
    manifest = json.loads(get(pointer["files"]["manifest.json"]))
    for name, entry in manifest["files"].items():
        assert hashlib.sha256(get(pointer["files"][name])).hexdigest() == entry["sha256"]
    return dict(manifest)


def files_of(name: str) -> set[str]:
    return {f"{name}/{file}" for file in ("attributes.parquet", "attributes.csv", "catalog.csv", "manifest.json")}


def test_on_s3_the_pointer_names_a_complete_export_and_a_rerun_doubles_nothing(remote: Export, s3: Any) -> None:
    remote.publish()
    delivery = remote.deliver("s1")
    assert delivery.location == f"s3://customers/{PREFIX}/2011-12-09-s1"
    assert read_latest_on_s3(s3)["rows"] == len(CUSTOMERS)
    assert not remote.deliver("s1").changed
    assert keys(s3) == files_of("2011-12-09-s1") | {"latest.json"}
    remote.publish(3.0)
    assert remote.deliver("s1").changed
    assert keys(s3) == files_of("2011-12-09-s1-2") | {"latest.json"}
    assert not any(remote.scratch.iterdir())


def test_on_s3_old_exports_go_and_objects_of_others_stay(remote: Export, s3: Any) -> None:
    for key in ("2001-01-01-theirs/manifest.json", "notes.txt"):
        s3.put_object(Bucket="customers", Key=f"{PREFIX}/{key}", Body=b"{}")
    remote.publish()
    for index in range(3):
        remote.deliver(f"s{index}", keep=1)
    assert keys(s3) == files_of("2011-12-09-s2") | {"latest.json", "2001-01-01-theirs/manifest.json", "notes.txt"}


def test_on_s3_large_files_go_up_in_parts(remote: Export, s3: Any) -> None:
    remote.publish(customers=[f"{index:012d}-customer-with-a-rather-long-identifier" for index in range(150_000)])
    remote.deliver("s1")
    head = s3.head_object(Bucket="customers", Key=f"{PREFIX}/2011-12-09-s1/attributes.csv")
    assert head["ContentLength"] > 8 * 1024**2
    assert head["ETag"].strip('"').endswith("-2")
    assert read_latest_on_s3(s3)["rows"] == 150_000


S3_KILLED_AT = ["uploaded attributes.parquet", "uploaded catalog.csv", "uploaded manifest.json", "latest moved"]


@pytest.mark.parametrize("step", S3_KILLED_AT)
def test_on_s3_a_killed_upload_leaves_the_latest_export_and_a_rerun_completes(
    remote: Export, s3: Any, endpoint: str, tmp_path: Path, deliver_until_killed: Killed, step: str
) -> None:
    remote.publish()
    remote.deliver("s1")
    remote.publish(5.0, day=10)
    deliver_until_killed(tmp_path, remote.url, step, endpoint)
    assert read_latest_on_s3(s3)["session_id"] == ("s2" if step == "latest moved" else "s1")
    remote.deliver("s2", keep=1)
    assert read_latest_on_s3(s3)["session_id"] == "s2"
    assert keys(s3) == files_of("2011-12-10-s2") | {"latest.json"}
    assert not any(remote.scratch.iterdir())


def test_on_s3_unfinished_parts_of_a_killed_upload_are_ended(remote: Export, s3: Any) -> None:
    for key in (f"{PREFIX}/2011-12-09-s1/attributes.csv", "elsewhere/attributes.csv"):
        s3.create_multipart_upload(Bucket="customers", Key=key)
    remote.publish()
    remote.deliver("s1")
    left = s3.list_multipart_uploads(Bucket="customers").get("Uploads", [])
    assert [upload["Key"] for upload in left] == ["elsewhere/attributes.csv"]


def test_a_missing_bucket_and_a_dead_server_are_named_with_the_remedy(remote: Export, tmp_path: Path, s3: Any) -> None:
    remote.publish()
    remote.url = "s3://no-such-bucket/x"
    with pytest.raises(ExportError, match=r"s3://no-such-bucket/x.* \(NoSuchBucket\): there is no such bucket"):
        remote.deliver("s1")
    settings = boto3.session.Config(retries={"max_attempts": 1}, connect_timeout=1)
    dead = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=settings)
    with pytest.raises(ExportError, match=r"EndpointConnectionError\): the endpoint cannot be reached"):
        remote.deliver("s1", s3_client=dead)


def test_an_upload_that_fails_half_way_leaves_the_latest_export(remote: Export, s3: Any) -> None:
    remote.publish()
    remote.deliver("s1")

    def drop_bucket_access(step: str) -> None:
        if step == "uploaded attributes.parquet":
            raise ConnectionResetError("connection lost")

    remote.publish(2.0)
    with pytest.raises(ConnectionResetError):
        remote.deliver("s2", failpoint=drop_bucket_access)
    assert read_latest_on_s3(s3)["session_id"] == "s1"


def test_s3_without_a_client_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no S3 client"):
        FilesDestination("s3://bucket/x", scratch=tmp_path)


def test_an_export_with_a_customer_who_was_erased_from_the_orders_goes_with_the_next(tmp_path: Path) -> None:
    export = Export(tmp_path, str(tmp_path / "exports"))
    with export.warehouse.write() as database:
        database.execute(Statement("create schema raw"))
        database.execute(Statement("create table raw.orders as select unnest(['007', '00123', '-7']) as customer_id"))
    export.publish(customers=["007", "00123"])
    export.deliver("first")
    export.publish(customers=["007", "-7"], day=10)
    kept = export.deliver("second")
    assert kept.details["exports_removed"] == 0, "all of them still have orders"
    with export.warehouse.write() as database:
        database.execute(Statement("delete from raw.orders where customer_id = '00123'"))
    export.publish(customers=["007"], day=11)
    assert export.deliver("third").details["exports_removed"] == 1
    names = {path.name for path in (tmp_path / "exports" / "parent_segment_attributes").iterdir() if path.is_dir()}
    assert names == {"2011-12-10-second", "2011-12-11-third", "latest"}


def test_an_erased_customer_goes_from_the_latest_export_and_from_earlier_ones_and_no_other_does(
    tmp_path: Path,
) -> None:
    export = Export(tmp_path, str(tmp_path / "exports"))
    for day, session, customers in ((9, "without", ["007"]), (10, "old", ["007", "-7"]), (11, "new", ["007", "-7"])):
        export.publish(customers=customers, day=day)
        export.deliver(session)
    destination = FilesDestination(export.url, scratch=export.scratch)

    def holds(path: Path) -> bool:
        return "-7" in pq.read_table(path).column("customer_id").to_pylist()

    held = destination.holding(holds)
    assert [one.name for one in held] == ["2011-12-10-old", "2011-12-11-new"]
    export.publish(customers=["007"], day=11)
    with export.warehouse.read() as database:
        destination.erase(database, held)
    assert names(dataset(tmp_path)) == {"2011-12-09-without", "2011-12-11-new-2", "latest", "latest.json"}
    assert (read_latest(dataset(tmp_path))["rows"], destination.holding(holds)) == (1, [])
    export.publish(customers=["007", "-7"], day=12)
    export.deliver("later")
    (again,) = destination.holding(holds)
    export.publish(customers=["007"], day=13)
    export.deliver("last")
    with export.warehouse.read() as database:
        destination.erase(database, [again])
    assert read_latest(dataset(tmp_path))["as_of"] == "2011-12-13"
    assert "2011-12-12-later" not in names(dataset(tmp_path))


def test_two_exports_of_one_session_at_once_are_refused_and_of_another_session_are_not(local: Export) -> None:
    local.publish()
    refused: list[str] = []

    def meanwhile(step: str) -> None:
        if step == "files written":
            local.deliver("other", failpoint=no_failpoint)
            with pytest.raises(ExportError, match="is in use: another process exports this session, wait for it"):
                local.deliver("s1", failpoint=no_failpoint)
            refused.append(step)

    assert local.deliver("s1", failpoint=meanwhile).changed
    assert refused == ["files written"]


def test_an_old_export_that_lost_a_file_is_removed_where_lists_say_who_may_be_exported(tmp_path: Path) -> None:
    export = Export(tmp_path, str(tmp_path / "exports"))
    with export.warehouse.write() as database:
        database.execute(Statement("create schema raw"))
        columns = "null::varchar as purpose, null::varchar as destination, null::varchar as allowed"
        database.execute(Statement(f"create table raw.suppression as select 'nobody' as customer_id, {columns}"))
    permission = Permission({"suppression": ("raw", "suppression")}, FilesSettings())
    for day, session in ((9, "damaged"), (10, "whole")):
        export.publish(day=day)
        export.deliver(session, permission=permission)
    (dataset(tmp_path) / "2011-12-09-damaged" / "attributes.csv").unlink()
    export.publish(day=11)
    assert export.deliver("new", permission=permission).details["exports_removed"] == 1
    assert names(dataset(tmp_path)) == {"2011-12-10-whole", "2011-12-11-new", "latest", "latest.json"}


def test_on_s3_an_export_with_a_customer_who_may_not_be_sent_any_more_goes_with_the_next(
    remote: Export, s3: Any
) -> None:
    remote.publish(customers=["007", "00123"])
    remote.deliver("first")
    remote.publish(customers=["007", "-7"], day=10)
    remote.deliver("second")
    with remote.warehouse.write() as database:
        database.execute(Statement("create schema raw"))
        columns = "null::varchar as purpose, null::varchar as destination, null::varchar as allowed"
        database.execute(Statement(f"create table raw.suppression as select '00123' as customer_id, {columns}"))
    permission = Permission({"suppression": ("raw", "suppression")}, FilesSettings())
    remote.publish(customers=["007", "00123", "-7"], day=11)
    done = remote.deliver("third", permission=permission)
    assert (done.rows, done.left_out, done.details["exports_removed"]) == (2, {"suppressed": 1}, 1)
    assert keys(s3) == files_of("2011-12-10-second") | files_of("2011-12-11-third") | {"latest.json"}
    assert not any(remote.scratch.iterdir())
