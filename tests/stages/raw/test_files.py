"""Finding and fetching raw files: real folders, a real web server and a real S3 server, all on this machine."""

import hashlib
import itertools
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tdml_assets.declaration.sources import Sources
from tdml_assets.platform.retrying import Clock
from tdml_assets.platform.s3 import S3
from tdml_assets.stages.raw import transport as source_transport
from tdml_assets.stages.raw.files import collect_files, find_local, sha256_of
from tdml_assets.stages.raw.rules import SourceError
from tests.boto_data import read_boto_data_once

read_boto_data_once()

ENDINGS = (".csv", ".csv.gz")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(source_transport, "CLOCK", Clock(sleep=lambda seconds: None))


def collect(tmp_path, path, s3_client=lambda: pytest.fail("no S3 was declared"), **changes):
    declared = {
        "path": path,
        "format": "csv",
        "timestamp_format": "%Y-%m-%d",
        "currency": "GBP",
        "columns": {"customer_id": "a", "ordered_at": "b", "amount": "c"},
        **changes,
    }
    declaration = Sources.model_validate({"orders": declared}).orders
    return collect_files(
        "orders", declaration, base_folder=tmp_path, cache_folder=tmp_path / "cache", s3_client=s3_client
    )


# ---- local ----


def test_a_file_a_folder_a_pattern_a_list_and_a_file_address_are_found(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number, name in enumerate(("b.csv", "a.csv", "c.csv.gz", ".hidden.csv", "notes.md", "deep/d.csv")):
        (tmp_path / "in" / name).write_text(f"{number}")
    found = {
        "in/b.csv": ["in/b.csv"],
        "in": ["in/a.csv", "in/b.csv", "in/c.csv.gz"],
        "in/*.csv": ["in/a.csv", "in/b.csv"],
        "in/**/*.csv": ["in/a.csv", "in/b.csv", "in/deep/d.csv"],
        str(tmp_path / "in" / "a.csv"): ["in/a.csv"],
        (tmp_path / "in" / "a.csv").as_uri(): ["in/a.csv"],
    }
    for path, names in found.items():
        assert [file.name for file in collect(tmp_path, path).files] == names
    both = collect(tmp_path, ["in/b.csv", "in/*.csv"])
    assert [file.name for file in both.files] == ["in/b.csv", "in/a.csv"]
    assert both.duplicates == ()


def test_a_path_climbs_from_the_settings_folder_and_lineage_stays_relative(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "examples").mkdir()
    (tmp_path / "data" / "a.csv").write_text("x")
    assert [file.name for file in collect(tmp_path / "examples", "../data/*.csv").files] == ["../data/a.csv"]


def test_a_file_with_brackets_in_its_name_is_not_a_pattern(tmp_path):
    (tmp_path / "a[1].csv").write_text("x")
    assert [path.name for path in find_local("orders", "a[1].csv", tmp_path, ENDINGS)] == ["a[1].csv"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none.csv", r"sources\.orders\.path: 'none\.csv' is not there"),
        ("none-*.csv", "matches no file"),
        ("empty", r"folder without a file that ends in \.csv"),
    ],
)
def test_a_path_without_a_file_is_refused_with_the_key_and_the_remedy(tmp_path, path, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=said):
        collect(tmp_path, path)


def test_files_about_the_data_in_a_folder_are_no_data(tmp_path):
    for name in ("orders.csv", "README.txt", "readme.csv.txt", "LICENSE.txt", "notice.txt", "readmes-of-2024.csv"):
        (tmp_path / name).write_text(f"{name}\n", encoding="utf-8")
    found = find_local("orders", str(tmp_path), tmp_path, (".csv", ".txt"))
    assert [path.name for path in found] == ["orders.csv", "readmes-of-2024.csv"]


def test_a_folder_of_folders_names_the_pattern_to_write(tmp_path):
    (tmp_path / "data" / "2024").mkdir(parents=True)
    (tmp_path / "data" / "2024" / "a.csv.gz").write_bytes(b"")
    with pytest.raises(SourceError, match=re.escape("write path: 'data/**/*.csv.gz'")):
        find_local("orders", "data", tmp_path, (".csv", ".csv.gz"))
    assert len(find_local("orders", "data/**/*.csv.gz", tmp_path, (".csv", ".csv.gz"))) == 1


def test_of_files_with_equal_content_the_first_is_kept_and_the_others_are_reported(tmp_path):
    for name in ("b.csv", "a.csv", "c.csv"):
        (tmp_path / name).write_text("same" if name != "c.csv" else "other")
    found = collect(tmp_path, "*.csv")
    assert [file.name for file in found.files] == ["a.csv", "c.csv"]
    assert found.duplicates == ("b.csv",)


def test_the_hash_of_a_large_file_is_that_of_its_bytes(tmp_path):
    content = b"0123456789" * 500_000
    (tmp_path / "a.csv").write_bytes(content)
    assert sha256_of(tmp_path / "a.csv") == hashlib.sha256(content).hexdigest()


# ---- web ----


class Script(BaseHTTPRequestHandler):
    """Answers each request with the next scripted (status, headers, body)."""

    answers: tuple = ()
    served = 0

    def do_GET(self):
        status, headers, body = type(self).answers[min(type(self).served, len(type(self).answers) - 1)]
        type(self).served += 1
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep quiet."""


@contextmanager
def web(*answers):
    handler = type("Scripted", (Script,), {"answers": answers, "served": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_web_file_is_fetched_through_hiccups_and_its_signature_is_not_kept(tmp_path):
    good = (200, {"ETag": '"v1"'}, b"a,b\n1,2\n")
    torn = (200, {"Content-Length": "99"}, b"a,b\n")
    with web((503, {}, b""), (429, {}, b""), torn, good) as (url, handler):
        found = collect(tmp_path, f"{url}/orders.csv?sig=SECRET")
        assert handler.served == 4
    assert found.files[0].name == f"{url}/orders.csv"
    assert found.files[0].path.read_bytes() == b"a,b\n1,2\n"
    assert found.files[0].path.name.endswith(".csv")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [found.files[0].path.name]


def test_a_changed_web_file_replaces_the_cached_one_and_an_unchanged_one_is_kept(tmp_path):
    with web((200, {"ETag": '"1"'}, b"one"), (200, {"ETag": '"1"'}, b"one"), (200, {"ETag": '"2"'}, b"two")) as (
        url,
        _,
    ):
        first, again, changed = (collect(tmp_path, f"{url}/a.csv").files[0] for _ in range(3))
        assert first == again
        assert changed.path.read_bytes() == b"two"
        assert not first.path.exists()


def test_a_web_file_without_etag_is_named_by_its_hash(tmp_path):
    with web((200, {}, b"one")) as (url, _):
        assert collect(tmp_path, f"{url}/a.csv").files == collect(tmp_path, f"{url}/a.csv").files


@pytest.mark.parametrize(
    ("answer", "said", "requests"),
    [
        ((404, {}, b""), "there is nothing at the address", 1),
        ((403, {}, b""), "access is refused", 1),
        ((500, {}, b""), "could not be fetched in 5 attempts: the server answered 500", 5),
        ((200, {"Content-Length": "50"}, b"short"), "5 attempts: .*5 of 50 bytes arrived", 5),
        ((200, {}, b"x" * 2_000), "0 GB or more|limit", 1),
    ],
)
def test_a_web_file_that_cannot_be_had_is_refused_with_its_cause(tmp_path, answer, said, requests):
    with web(answer) as (url, handler):
        with pytest.raises(SourceError, match=said) as caught:
            collect(tmp_path, f"{url}/a.csv?sig=SECRET", max_file_gb=1e-6)
        assert "SECRET" not in str(caught.value)
        assert handler.served == requests
    assert not list((tmp_path / "cache").glob("*"))


def test_a_body_without_a_length_is_cut_off_at_the_limit(tmp_path):
    endless = itertools.repeat(b"x" * 1_000_000)
    with pytest.raises(SourceError, match="raise max_file_gb"):
        source_transport._keep(
            "http://h/a.csv", endless, etag=None, length=None, cache_folder=tmp_path, max_bytes=3_000_000
        )
    assert not list(tmp_path.iterdir())


def test_no_server_is_said_to_be_no_connection(tmp_path):
    with web((200, {}, b"")) as (url, _):
        pass
    with pytest.raises(SourceError, match=r"no answer from the server \(Connection refused\)"):
        collect(tmp_path, f"{url}/a.csv")


# ---- S3 ----


@pytest.fixture(scope="module")
def s3_server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    resource = S3(
        endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client = resource.get_client()
    client.create_bucket(Bucket="lake")
    yield client
    for item in client.list_objects_v2(Bucket="lake").get("Contents", []):
        client.delete_object(Bucket="lake", Key=item["Key"])
    client.delete_bucket(Bucket="lake")


def test_s3_keys_patterns_and_prefixes_are_fetched_and_cached_by_version(tmp_path, s3):
    for key, body in {"in/b.csv": b"2", "in/a.csv": b"1", "in/deep/c.csv": b"3", "in/x.md": b"4", "in/": b""}.items():
        s3.put_object(Bucket="lake", Key=key, Body=body)
    for path, names in {
        "s3://lake/in/b.csv": ["in/b.csv"],
        "s3://lake/in/?.csv": ["in/a.csv", "in/b.csv"],
        "s3://lake/in/": ["in/a.csv", "in/b.csv"],
        "s3://lake/in/*c*.csv": ["in/deep/c.csv"],
    }.items():
        found = collect(tmp_path, path, lambda: s3)
        assert [file.name for file in found.files] == [f"s3://lake/{name}" for name in names]
    before = collect(tmp_path, "s3://lake/in/a.csv", lambda: s3).files[0]
    stamp = before.path.stat().st_mtime_ns
    assert collect(tmp_path, "s3://lake/in/a.csv", lambda: s3).files[0].path.stat().st_mtime_ns == stamp
    s3.put_object(Bucket="lake", Key="in/a.csv", Body=b"changed")
    after = collect(tmp_path, "s3://lake/in/a.csv", lambda: s3).files[0]
    assert after.path.read_bytes() == b"changed"
    assert not before.path.exists()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("s3://nobody/a.csv", "there is no such bucket"),
        ("s3://nobody/*.csv", "there is no such bucket"),
        ("s3://lake/none.csv", "there is no such object"),
        ("s3://lake/none-*.csv", "names no object"),
        ("s3://lake/none/", "names no object"),
    ],
)
def test_each_cause_of_an_s3_failure_has_its_own_words(tmp_path, s3, path, said):
    with pytest.raises(SourceError, match=said):
        collect(tmp_path, path, lambda: s3)


def test_s3_without_credentials_says_so(tmp_path, s3, s3_server):
    client = boto3.session.Session().client("s3", endpoint_url=s3_server, region_name="us-east-1")
    with pytest.raises(SourceError, match="there are no credentials: set AWS_ACCESS_KEY_ID"):
        collect(tmp_path, "s3://lake/a.csv", lambda: client)


def test_an_s3_object_over_the_limit_is_refused(tmp_path, s3):
    s3.put_object(Bucket="lake", Key="a.csv", Body=b"x" * 2_000)
    with pytest.raises(SourceError, match="raise max_file_gb"):
        collect(tmp_path, "s3://lake/a.csv", lambda: s3, max_file_gb=1e-6)


def test_s3_that_cannot_be_reached_is_said_to_be_no_connection(tmp_path):
    client = S3(
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    ).get_client()
    with pytest.raises(SourceError, match="the endpoint cannot be reached"):
        collect(tmp_path, "s3://lake/a.csv", lambda: client)


def test_a_file_larger_than_the_free_space_is_refused_before_a_byte_is_written(tmp_path):

    def chunks():
        yield pytest.fail("nothing is read")

    with pytest.raises(SourceError, match=r"but .* has [\d,]+ free: make room, or move TDML_HOME"):
        source_transport._keep(
            "https://shop/orders.csv",
            chunks(),
            etag=None,
            length=10**18,
            cache_folder=tmp_path,
            max_bytes=10**19,
        )
    assert list(tmp_path.iterdir()) == []
