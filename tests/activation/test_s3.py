"""Files in a bucket of moto's server: what the pointer names is complete, and no row is there twice."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tdml_assets.activation.erasure import erase
from tdml_assets.activation.protocol import DestinationError
from tdml_assets.activation.syncing import check_destination, plan_sync
from tdml_assets.declaration.destinations import read_destination
from tests.activation.conftest import Published, people
from tests.activation.fault_proxy import FaultProxy
from tests.boto_data import read_boto_data_once

read_boto_data_once()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


class Bucket:
    """A bucket, and syncs into it."""

    def __init__(self, published: Published, endpoint: str, name: str, config: Config | None = None) -> None:
        self.published, self.name = published, name
        self.client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="y",
            config=config,
        )
        self.client.create_bucket(Bucket=name)

    def sync(self, failpoint: Any = None, **keys: Any):
        section = {"kind": "s3", "url": f"s3://{self.name}/crm/customers", "batch_rows": 2, **keys}
        given = {"failpoint": failpoint} if failpoint else {}
        return self.published.sync(read_destination("s3", section), name="s3", s3_client=lambda: self.client, **given)

    def check(self, **keys: Any):
        settings = read_destination("s3", {"kind": "s3", "url": f"s3://{self.name}/crm/customers", **keys})
        around = self.published.around(s3_client=lambda: self.client)
        return check_destination(plan_sync(self.published.warehouse, "s3", settings, around), around)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    @property
    def keys(self) -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def latest(self) -> list[dict[str, Any]]:
        """Rows that the pointer leads to."""
        manifest_key = json.loads(self.get("crm/customers/latest.json"))["manifest"].removeprefix(f"s3://{self.name}/")
        manifest = json.loads(self.get(manifest_key))
        folder = manifest_key.rpartition("/")[0]
        rows = []
        for part in manifest["parts"]:
            content = self.get(f"{folder}/{part['name']}")
            assert len(content) == part["bytes"]
            reads = pq.read_table if part["name"].endswith("parquet") else pa_csv.read_csv
            rows += reads(io.BytesIO(content)).to_pylist()
        assert len(rows) == manifest["rows"]
        return rows


@pytest.fixture
def bucket(tmp_path: Path, server: str, request: pytest.FixtureRequest) -> Bucket:
    name = f"b-{sha256(request.node.name.encode()).hexdigest()[:12]}"
    return Bucket(Published(tmp_path), server, name)


def test_every_customer_of_a_session_is_written_and_the_pointer_last(bucket: Bucket) -> None:
    bucket.published.publish(people(5))
    result = bucket.sync()
    assert (result.status, result.added, result.details["rows"]) == ("succeeded", 5, 5)
    assert sorted(row["customer_id"] for row in bucket.latest()) == sorted(people(5))
    before = bucket.keys
    assert bucket.sync().taken == 0
    assert bucket.keys == before
    bucket.published.session(2)
    bucket.published.publish({**people(4), "00001": (0.9, "B")})
    again = bucket.sync()
    assert (again.changed, again.removed, again.unchanged) == (1, 1, 3)
    assert {row["customer_id"]: row["churn_grade"] for row in bucket.latest()} == {
        **dict.fromkeys(people(4), "A"),
        "00001": "B",
    }


def test_in_mode_upsert_a_session_holds_what_changed(bucket: Bucket) -> None:
    bucket.published.publish(people(5))
    bucket.sync(mode="upsert", format="csv")
    bucket.published.session(2)
    bucket.published.publish({**people(5), "00003": (0.9, "B")})
    assert bucket.sync(mode="upsert", format="csv").changed == 1
    assert [row["churn_grade"] for row in bucket.latest()] == ["B"]


@pytest.mark.parametrize("mode", ["replace", "upsert"])
def test_a_sync_that_ends_between_parts_leaves_no_pointer_and_is_finished_by_the_next(
    bucket: Bucket, mode: str
) -> None:
    bucket.published.publish(people(5))

    def stop(step: str) -> None:
        if step in ("sent 2", "finished"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bucket.sync(stop, mode=mode)
    assert not [key for key in bucket.keys if key.endswith("latest.json")]
    bucket.published.publish({**people(5), "00001": (0.9, "B")})
    assert bucket.sync(mode=mode).status == "succeeded"
    rows = bucket.latest()
    if mode == "replace":
        assert {row["customer_id"]: row["churn_grade"] for row in rows} == {
            **dict.fromkeys(people(5), "A"),
            "00001": "B",
        }
        assert len(rows) == 5
    else:
        assert {row["customer_id"] for row in rows} == set(people(5))


def test_a_bucket_that_is_not_there_and_missing_credentials_are_named(bucket: Bucket) -> None:
    bucket.published.publish(people(1))
    result = bucket.sync(url="s3://nowhere-at-all/x")
    assert (result.status, "there is no such bucket" in (result.reason or "")) == ("failed", True)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://user:pw@bucket/x", "https://bucket/x", "s3://bucket/x?key=1"])
def test_an_address_is_a_bucket_and_a_prefix_alone(url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        read_destination("s3", {"url": url})


def test_a_dry_run_looks_and_writes_nothing(bucket: Bucket) -> None:
    bucket.published.publish(people(1))
    assert bucket.check() == {"location": f"s3://{bucket.name}/crm/customers", "sessions_there": 0}
    assert bucket.keys == []
    assert bucket.sync().status == "succeeded"
    assert bucket.check()["sessions_there"] == 1
    with pytest.raises(DestinationError, match="there is no such bucket"):
        bucket.check(url="s3://nowhere-at-all/x")


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_who_is_forgotten_is_in_no_part_of_any_session(published: Published, server: str, form: str) -> None:
    bucket = Bucket(published, server, f"forget-{form}")
    published.publish(people(3))
    bucket.sync(format=form, mode="upsert")
    published.session(2)
    published.publish(people(3, grade="B"))
    bucket.sync(format=form, mode="upsert")
    settings = read_destination(
        "s3", {"kind": "s3", "url": f"s3://{bucket.name}/crm/customers", "format": form, "mode": "upsert"}
    )
    noted = []
    around = published.around(s3_client=lambda: bucket.client)
    erase(published.warehouse, {"s3": settings}, "00002", around, lambda database, done: noted.append(done))
    assert [(done.destination, done.is_done) for done in noted] == [("s3", True)]
    parts = [key for key in bucket.keys if "/part-" in key]
    assert len(parts) == 4
    read = {"parquet": pq.read_table, "csv": pa_csv.read_csv}[form]
    rows = [str(row["customer_id"]).zfill(5) for key in parts for row in read(io.BytesIO(bucket.get(key))).to_pylist()]
    assert sorted(rows) == ["00001", "00001", "00003", "00003"]
    assert len(bucket.latest()) == 2


@pytest.fixture
def faulty(tmp_path: Path, server: str) -> Iterator[tuple[Bucket, FaultProxy]]:
    """A bucket behind a proxy that fails; boto3's own attempts are off, so that those of the sync are seen."""
    proxy = FaultProxy(int(server.rpartition(":")[2]))
    proxy.start()
    once = Config(retries={"total_max_attempts": 1})
    yield Bucket(Published(tmp_path), proxy.url, f"faulty-{len(str(tmp_path))}", config=once), proxy
    proxy.stop()


@pytest.mark.parametrize(
    "script",
    [[500, 500], [429, 503, 429], ["reset"], ["lost"], ["half"], ["reset", 500, "lost", "half", 429]],
    ids=["twice 500", "storm", "reset", "lost answer", "cut in the body", "all of them"],
)
def test_what_waiting_mends_is_tried_again_and_each_row_is_there_once(
    faulty: tuple[Bucket, FaultProxy], script: list[Any]
) -> None:
    bucket, proxy = faulty
    bucket.published.publish(people(5))
    proxy.script += script
    result = bucket.sync()
    # Three parts, the end, and what was tried again; an answer of PUT has no body that could be cut.
    mended = len([step for step in script if step != "half"])
    assert (result.status, result.added, proxy.script) == ("succeeded", 5, [])
    assert result.attempts >= 4 + mended
    assert {row["customer_id"]: row["churn_grade"] for row in bucket.latest()} == dict.fromkeys(people(5), "A")
    assert len(bucket.latest()) == 5


def test_credentials_that_expire_on_the_way_end_the_sync_and_the_next_goes_on(
    faulty: tuple[Bucket, FaultProxy],
) -> None:
    bucket, proxy = faulty
    bucket.published.publish(people(5))
    expired = b"<Error><Code>ExpiredToken</Code><Message>canary</Message></Error>"
    proxy.script += [None, (400, expired)]
    ended = bucket.sync(mode="upsert")
    assert (ended.status, ended.added) == ("failed", 2)
    assert "the credentials have expired: renew them" in (ended.reason or "")
    assert "canary" not in (ended.reason or "")
    again = bucket.sync(mode="upsert")
    assert (again.status, again.added, again.unchanged) == ("succeeded", 3, 2)
    assert sorted(row["customer_id"] for row in bucket.latest()) == sorted(people(5))
