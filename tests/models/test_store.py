"""Model versions in a folder and in S3 (a real server on loopback): immutable, verified, one champion at a time."""

import dataclasses
import datetime
import multiprocessing
import os
import signal
import socket
import threading

import boto3
import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from tdml_assets.models.blobs import BlobConflictError, BlobStoreError, FolderStore
from tdml_assets.models.bundle_store import BundleStore, PromotionConflictError, VersionConflictError
from tdml_assets.models.bundles import (
    BundleDamagedError,
    Champion,
    Manifest,
    ModelFeature,
    describe_files,
    sha256,
    version_name,
)
from tdml_assets.models.s3_blobs import S3Store
from tdml_assets.models.store import ModelStore
from tests.boto_data import read_boto_data_once

read_boto_data_once()

NOW = datetime.datetime.fromisoformat("2011-09-10T08:00:00")
FILES = {"amount.json": b'{"trees": [2]}', "buys.json": b'{"trees": [1]}', "reference.parquet": b"PAR1" * 50}
SECRET = "canary-secret-key"


@pytest.fixture(scope="module")
def server():
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def client(server):
    client = boto3.client(
        "s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key=SECRET
    )
    yield client
    client.close()


@pytest.fixture
def bucket(client, request):
    name = f"b{abs(hash(request.node.nodeid))}"
    client.create_bucket(Bucket=name)
    return name


def s3_resource(server, bucket, **changes):
    settings = {
        "url": f"s3://{bucket}/team/models",
        "endpoint_url": server,
        "region_name": "us-east-1",
        "aws_access_key_id": "k",
        "aws_secret_access_key": SECRET,
        "deadline_seconds": 2.0,
        "timeout_seconds": 1.0,
    }
    return ModelStore(**{**settings, **changes})


class Place:
    """A store under test, and direct access to its bytes."""

    def __init__(self, open_store, read, write, remove):
        self.open, self.read, self.write, self.remove = open_store, read, write, remove


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    if request.param == "folder":
        root = tmp_path / "models"
        return Place(
            ModelStore(url=str(root)).open,
            lambda key: (root / key).read_bytes(),
            lambda key, data: ((root / key).parent.mkdir(parents=True, exist_ok=True), (root / key).write_bytes(data)),
            lambda key: (root / key).unlink(),
        )
    server, client, bucket = (request.getfixturevalue(name) for name in ("server", "client", "bucket"))
    where = {"Bucket": bucket}
    return Place(
        s3_resource(server, bucket).open,
        lambda key: client.get_object(**where, Key=f"team/models/{key}")["Body"].read(),
        lambda key, data: client.put_object(**where, Key=f"team/models/{key}", Body=data),
        lambda key: client.delete_object(**where, Key=f"team/models/{key}"),
    )


def manifest(files=None, data="d1", **changes):
    as_of = datetime.date(2011, 9, 9)
    identity = {
        "workflow": "cltv",
        "spec": {"seed": 1},
        "data_fingerprint": data,
        "code_version": "1.0",
        "libraries": {"xgboost": "3.2.0"},
    }
    values = {
        **identity,
        "version": version_name(as_of, **identity),
        "as_of": as_of,
        "features": (ModelFeature("orders", "FLOAT"),),
        "target": "spend",
        "engine": "python",
        "metrics": {"mae": 1.0},
        "session_id": "s1",
        "created_at": NOW,
        "files": describe_files(FILES if files is None else files),
        **changes,
    }
    return Manifest(**values)


def promote(store, version, replacing, session="s1"):
    return store.promote("cltv", version, replacing=replacing, reason="better", session_id=session, promoted_at=NOW)


FIRST, SECOND, THIRD = (manifest(data=f"d{i}") for i in (1, 2, 3))


def with_versions(place, *manifests):
    store = place.open()
    for one in manifests:
        assert store.write(one, FILES)
    return store


def unfinished(store):
    return [name for name in store._folders("cltv") if name not in store.versions("cltv")]


def test_a_version_is_read_back_as_it_was_written(place):
    store = with_versions(place, FIRST)
    bundle = store.read("cltv", FIRST.version)
    assert bundle.files == FILES
    assert bundle.manifest == FIRST
    assert bundle.manifest_sha256 == sha256(place.read(f"cltv/{FIRST.version}/manifest.json"))
    assert place.open().versions("cltv") == [FIRST.version]
    assert store.versions("churn") == []


def test_the_same_model_written_again_by_another_session_changes_nothing(place):
    store = with_versions(place, FIRST)
    before = place.read(f"cltv/{FIRST.version}/manifest.json")
    again = dataclasses.replace(FIRST, session_id="s2", created_at=NOW + datetime.timedelta(days=1))
    assert store.write(again, FILES) is False
    assert place.read(f"cltv/{FIRST.version}/manifest.json") == before


def test_another_content_under_the_same_version_is_refused_and_named(place):
    store = with_versions(place, FIRST)
    files = {**FILES, "buys.json": b"{}"}
    with pytest.raises(VersionConflictError, match=r"other \['buys.json'\]"):
        store.write(dataclasses.replace(FIRST, files=describe_files(files)), files)
    assert store.read("cltv", FIRST.version).files == FILES


def test_a_manifest_that_does_not_describe_the_files_is_refused_before_anything_is_written(place):
    with pytest.raises(ValueError, match="does not describe its files"):
        place.open().write(FIRST, {**FILES, "buys.json": b"{}"})
    assert place.open().versions("cltv") == unfinished(place.open()) == []


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["bit", "truncated", "longer", "empty", "removed"])
def test_a_damaged_file_is_refused_whatever_happened_to_it(place, name, damage):
    store = with_versions(place, FIRST)
    current = promote(store, FIRST.version, None)
    key = f"cltv/{FIRST.version}/{name}"
    data = place.read(key)
    if damage == "removed":
        place.remove(key)
    else:
        flipped = bytes([*data[:9], data[9] ^ 1, *data[10:]])
        place.write(key, {"bit": flipped, "truncated": data[:-1], "longer": data + b" ", "empty": b""}[damage])
    with pytest.raises((BundleDamagedError, LookupError)) as caught:
        store.read_champion("cltv")
    if name != "manifest.json":
        assert name in str(caught.value)
    # The pointer still stands, and promoting the damaged version is refused as well.
    assert store.champion("cltv") == current
    if name != "manifest.json" or damage != "longer":
        with pytest.raises((BundleDamagedError, LookupError)):
            promote(store, FIRST.version, current)


@pytest.mark.parametrize("damage", ["bit", "longer", "removed"])
def test_a_damaged_file_is_written_anew_when_the_same_model_is_stored_again(place, damage, caplog):
    store = with_versions(place, FIRST)
    current = promote(store, FIRST.version, None)
    key = f"cltv/{FIRST.version}/buys.json"
    if damage == "removed":
        place.remove(key)
    else:
        place.write(key, {"bit": b'{"trees": [3]}', "longer": FILES["buys.json"] + b" "}[damage])
    with pytest.raises(BundleDamagedError, match=r"buys\.json.*run again"):
        store.read_champion("cltv")
    assert store.write(dataclasses.replace(FIRST, session_id="s2"), FILES) is False
    assert store.read_champion("cltv").files == FILES
    assert store.champion("cltv") == current
    said = [record.getMessage() for record in caplog.records if record.name.startswith("tdml_assets")]
    assert [message.split(" was damaged")[0] for message in said] == [key]


def test_a_pipe_and_a_folder_in_the_place_of_a_file_are_replaced(tmp_path):
    store = ModelStore(url=str(tmp_path)).open()
    store.write(FIRST, FILES)
    for name, spoil in (("buys.json", os.mkfifo), ("amount.json", os.mkdir)):
        path = tmp_path / "cltv" / FIRST.version / name
        path.unlink()
        spoil(path)
    store.write(FIRST, FILES)
    assert store.read("cltv", FIRST.version).files == FILES


def test_another_model_does_not_repair_a_damaged_one(place):
    store = with_versions(place, FIRST)
    place.write(f"cltv/{FIRST.version}/buys.json", b"{}")
    files = {**FILES, "amount.json": b"{}"}
    with pytest.raises(VersionConflictError, match="a version never changes"):
        store.write(dataclasses.replace(FIRST, files=describe_files(files)), files)
    assert place.read(f"cltv/{FIRST.version}/buys.json") == b"{}"


def test_what_a_damaged_champion_gives_the_next_training_is_the_version_before_it(place):
    store = with_versions(place, FIRST, SECOND)
    current = promote(store, FIRST.version, None)
    place.write(f"cltv/{FIRST.version}/buys.json", b"{}")
    assert store.champion_files("cltv") == {}
    promote(store, SECOND.version, current)
    store.write(FIRST, FILES)
    assert store.champion_files("cltv") == FILES
    place.write(f"cltv/{SECOND.version}/buys.json", b"{}")
    assert store.champion_files("cltv") == FILES


def test_files_swapped_with_each_other_are_refused(place):
    store = with_versions(place, FIRST)
    one, two = (f"cltv/{FIRST.version}/{name}" for name in ("amount.json", "buys.json"))
    data = place.read(one), place.read(two)
    place.write(one, data[1])
    place.write(two, data[0])
    with pytest.raises(BundleDamagedError, match=r"amount\.json has another SHA-256"):
        store.read("cltv", FIRST.version)


def test_a_manifest_from_another_version_is_refused_even_with_its_files(place):
    store = with_versions(place, FIRST, SECOND)
    place.write(f"cltv/{FIRST.version}/manifest.json", place.read(f"cltv/{SECOND.version}/manifest.json"))
    with pytest.raises(BundleDamagedError, match="it was swapped"):
        store.read("cltv", FIRST.version)


def test_a_consistent_replacement_of_manifest_and_files_does_not_get_past_the_pointer(place):
    store = with_versions(place, FIRST)
    promote(store, FIRST.version, None)
    files = {**FILES, "buys.json": b'{"trees": [6]}'}
    place.write(f"cltv/{FIRST.version}/buys.json", files["buys.json"])
    place.write(f"cltv/{FIRST.version}/manifest.json", manifest(files).to_bytes())
    assert store.read("cltv", FIRST.version).files == files
    with pytest.raises(BundleDamagedError, match="not the one that was promoted"):
        store.read_champion("cltv")


def test_a_version_whose_writer_died_before_the_manifest_does_not_exist_and_can_be_written_again(place):
    store = place.open()
    place.write(f"cltv/{FIRST.version}/amount.json", FILES["amount.json"])
    assert store.versions("cltv") == []
    assert unfinished(store) == [FIRST.version]
    with pytest.raises(LookupError, match="no complete version"):
        store.read("cltv", FIRST.version)
    assert store.write(FIRST, FILES)
    assert unfinished(store) == []
    assert store.read("cltv", FIRST.version).files == FILES


def test_without_a_pointer_there_is_no_champion_although_there_are_versions(place):
    store = with_versions(place, FIRST)
    assert store.champion("cltv") is None
    with pytest.raises(LookupError, match="has no champion"):
        store.read_champion("cltv")


def test_a_promotion_moves_the_pointer_and_a_rollback_gives_the_old_bytes(place):
    store = with_versions(place, FIRST, SECOND)
    first = promote(store, FIRST.version, None)
    second = promote(store, SECOND.version, first)
    assert place.open().champion("cltv") == second
    assert second.champion.previous == FIRST.version
    back = promote(store, FIRST.version, second)
    assert back.champion.previous == SECOND.version
    assert store.read_champion("cltv").manifest == FIRST


def test_the_later_of_two_promotions_loses_and_is_told_the_winner(place):
    store = with_versions(place, FIRST, SECOND, THIRD)
    first = promote(store, FIRST.version, None)
    promote(store, SECOND.version, first, session="winner-session")
    with pytest.raises(PromotionConflictError, match=f"it is {SECOND.version} of winner-session"):
        promote(place.open(), THIRD.version, first)
    with pytest.raises(PromotionConflictError, match=SECOND.version):
        promote(place.open(), THIRD.version, None)
    with pytest.raises(PromotionConflictError, match=SECOND.version):
        promote(place.open(), FIRST.version, first)
    assert store.champion("cltv").champion.version == SECOND.version


def test_promoting_the_champion_again_is_not_a_conflict(place):
    store = with_versions(place, FIRST)
    first = promote(store, FIRST.version, None)
    assert promote(store, FIRST.version, first, session="retry") == first
    assert promote(store, FIRST.version, None, session="retry") == first


@pytest.mark.parametrize("start", ["nothing", "champion"])
def test_of_many_promotions_at_once_exactly_one_wins(place, start):
    manifests = [manifest(data=f"race{i}") for i in range(6)]
    store = with_versions(place, FIRST, *manifests)
    replacing = promote(store, FIRST.version, None) if start == "champion" else None
    gate, won, lost = threading.Barrier(6), [], []

    def run(version):
        own = place.open()
        gate.wait()
        try:
            won.append(promote(own, version, replacing).champion.version)
        except PromotionConflictError as error:
            lost.append(str(error))

    threads = [threading.Thread(target=run, args=(one.version,)) for one in manifests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.champion("cltv").champion.version == won[0]
    assert len(lost) == 5
    assert all(f"it is {won[0]}" in message for message in lost)


def test_of_two_writers_of_one_version_with_different_content_one_wins_whole(place):
    other = {name: data + b" " for name, data in FILES.items()}
    contents = [FILES, other]
    gate, results = threading.Barrier(2), []

    def run(files):
        own = place.open()
        gate.wait()
        try:
            results.append(own.write(manifest(files), files))
        except (VersionConflictError, BlobConflictError):
            results.append("refused")

    threads = [threading.Thread(target=run, args=(files,)) for files in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results, key=str) == [True, "refused"]
    assert place.open().read("cltv", FIRST.version).files in contents


def test_a_damaged_pointer_is_reported_and_restored_from_a_record_but_a_good_one_is_not_touched(place):
    store = with_versions(place, FIRST, SECOND)
    champion = promote(store, FIRST.version, None).champion
    with pytest.raises(ValueError, match="use promote"):
        store.restore_pointer(champion)
    place.write("cltv/champion.json", b'{"version": "2011')
    with pytest.raises(BundleDamagedError, match="none is chosen by its age"):
        store.read_champion("cltv")
    assert store.restore_pointer(champion).champion == champion
    assert store.read_champion("cltv").manifest == FIRST


def test_a_hold_is_in_force_until_it_is_released_and_its_record_stays(place):
    store = with_versions(place, FIRST)
    assert store.held("cltv") is None
    assert store.release("cltv") is None
    with pytest.raises(LookupError, match="has no champion"):
        store.hold("cltv", "audit", NOW)
    promote(store, FIRST.version, None)
    with pytest.raises(ValueError, match="has no reason"):
        store.hold("cltv", " ", NOW)
    store.hold("cltv", "audit", NOW)
    assert str(place.open().held("cltv")) == "an operator keeps the champion since 2011-09-10 08:00 UTC (audit)"
    store.hold("cltv", "longer audit", NOW)
    assert place.open().release("cltv").reason == "longer audit"
    assert place.open().held("cltv") is None
    assert b"longer audit" in place.read("cltv/hold.json")
    store.hold("cltv", "once more", NOW)
    assert store.held("cltv").reason == "once more"


def test_a_damaged_hold_counts_as_none_that_can_be_passed_over(place):
    store = with_versions(place, FIRST)
    promote(store, FIRST.version, None)
    place.write("cltv/hold.json", b'{"reason": "aud')
    with pytest.raises(BundleDamagedError, match="hold the workflow again"):
        store.held("cltv")
    store.hold("cltv", "audit", NOW)
    assert store.held("cltv").reason == "audit"


def test_workflows_are_listed_that_have_a_version(place):
    store = with_versions(place, FIRST)
    place.write("Notes/readme.txt", b"x")
    place.write("churn/champion.json", b"{}")
    assert store.workflows() == ["cltv"]


def test_a_pointer_copied_from_another_workflow_is_refused(place):
    store = with_versions(place, FIRST)
    champion = Champion("churn", FIRST.version, "a" * 64, None, "r", "s", NOW)
    place.write("cltv/champion.json", champion.to_bytes())
    with pytest.raises(BundleDamagedError, match="names churn"):
        store.champion("cltv")


def test_foreign_folders_and_files_are_not_versions(place):
    store = with_versions(place, FIRST)
    place.write("cltv/notes/manifest.json", b"{}")
    place.write("cltv/readme.txt", b"x")
    assert store.versions("cltv") == [FIRST.version]
    assert unfinished(store) == []


@pytest.mark.parametrize("workflow", ["../cltv", "", "a/b", "CLTV"])
def test_names_that_leave_the_store_are_refused(place, workflow):
    store = place.open()
    for call in (store.versions, store.champion, lambda name: store.read(name, FIRST.version)):
        with pytest.raises(ValueError, match="cannot name a workflow"):
            call(workflow)


# Folder only.


def test_a_writer_killed_at_any_point_leaves_all_of_the_version_or_none(tmp_path):
    big = {**FILES, "big.json": b"x" * 20_000_000}
    described = manifest(big)
    fork = multiprocessing.get_context("fork")
    seen = set()
    for tenth in range(8):
        root = tmp_path / f"m{tenth}"
        process = fork.Process(target=lambda at=root: BundleStore(FolderStore(at)).write(described, big))
        process.start()
        process.join(0.004 * tenth)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        process.close()
        store = BundleStore(FolderStore(root))
        seen.add(bool(store.versions("cltv")))
        assert unfinished(store) == []
        store.write(described, big)
        assert store.read("cltv", described.version).files == big
    assert False in seen


# S3 only.


def test_a_client_that_dies_between_objects_and_manifest_leaves_orphans_that_are_ignored(server, bucket, client):
    class DyingClient:
        def __init__(self):
            self.left = 2

        def __getattr__(self, name):
            if name == "put_object":
                self.left -= 1
                if self.left < 0:
                    raise KeyboardInterrupt
            return getattr(client, name)

    dying = BundleStore(S3Store(DyingClient(), bucket, "team/models"))
    with pytest.raises(KeyboardInterrupt):
        dying.write(FIRST, FILES)
    store = s3_resource(server, bucket).open()
    assert store.versions("cltv") == []
    assert unfinished(store) == [FIRST.version]
    assert store.write(FIRST, FILES)
    assert store.read("cltv", FIRST.version).files == FILES


def test_orphans_of_another_content_are_replaced_only_when_nobody_can_be_writing_them(server, bucket, client):
    client.put_object(Bucket=bucket, Key=f"team/models/cltv/{FIRST.version}/buys.json", Body=b"other")
    with pytest.raises(BlobConflictError, match=r"buys\.json .* of another content: another session is writing it"):
        s3_resource(server, bucket).open().write(FIRST, FILES)
    store = BundleStore(S3Store(client, bucket, "team/models", orphan_seconds=-60.0))
    assert store.write(FIRST, FILES)
    assert store.read("cltv", FIRST.version).files == FILES


def test_a_reply_that_got_lost_is_not_taken_for_another_writer(server, bucket, client):
    class LosesReplies:
        def __getattr__(self, name):
            call = getattr(client, name)
            if name != "put_object":
                return call

            def put(**arguments):
                call(**arguments)
                return call(**arguments)

            return put

    store = BundleStore(S3Store(LosesReplies(), bucket, "team/models"))
    assert store.write(FIRST, FILES)
    first = promote(store, FIRST.version, None)
    assert store.champion("cltv") == first


def test_a_store_that_ignores_conditions_is_refused_by_name(server, bucket, client):
    class Careless:
        def __getattr__(self, name):
            call = getattr(client, name)
            if name != "put_object":
                return call
            return lambda **a: call(**{k: v for k, v in a.items() if not k.startswith("If")})

    store = BundleStore(S3Store(Careless(), bucket, "team/models"))
    store.write(FIRST, FILES)
    with pytest.raises(BlobStoreError, match="no conditional writes"):
        promote(store, FIRST.version, None)


def test_a_cached_copy_is_verified_used_without_the_objects_and_replaced_when_damaged(server, bucket, client, tmp_path):
    store = s3_resource(server, bucket, cache_folder=str(tmp_path / "cache")).open()
    store.write(FIRST, FILES)
    store.read("cltv", FIRST.version)
    folder = tmp_path / "cache" / "cltv" / FIRST.version
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"} == FILES
    (folder / "buys.json").write_bytes(b"{}")
    assert store.read("cltv", FIRST.version).files == FILES
    assert (folder / "buys.json").read_bytes() == FILES["buys.json"]
    client.delete_object(Bucket=bucket, Key=f"team/models/cltv/{FIRST.version}/buys.json")
    assert store.read("cltv", FIRST.version).files == FILES
    (folder / "buys.json").unlink()
    with pytest.raises(BundleDamagedError, match=r"lacks buys\.json"):
        store.read("cltv", FIRST.version)


def test_both_stores_have_the_same_layout_and_bytes(server, bucket, client, tmp_path):
    for store in (ModelStore(url=str(tmp_path)).open(), s3_resource(server, bucket).open()):
        store.write(FIRST, FILES)
        promote(store, FIRST.version, None)
    listed = client.list_objects_v2(Bucket=bucket, Prefix="team/models/")["Contents"]
    remote = {
        item["Key"].removeprefix("team/models/"): client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        for item in listed
    }
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in files} == remote


def test_a_missing_bucket_and_a_silent_endpoint_are_told_apart_within_the_deadline(server):
    with pytest.raises(BlobStoreError, match="there is no such bucket"):
        s3_resource(server, "no-such-bucket").open().write(FIRST, FILES)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BlobStoreError, match=r"within 2 s: no answer \(ReadTimeoutError\)"):
            s3_resource(url, "b").open().champion("cltv")
        port = silent.getsockname()[1]
    with pytest.raises(BlobStoreError, match=r"the endpoint cannot be reached.*; run again later"):
        s3_resource(f"http://127.0.0.1:{port}", "b").open().champion("cltv")


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("AccessDenied", 403, r"allow s3:GetObject, s3:PutObject and s3:ListBucket"),
        ("ExpiredToken", 400, "have expired"),
        ("SignatureDoesNotMatch", 403, "the secret key is wrong"),
        ("NotImplemented", 501, "no conditional writes"),
        ("SlowDown", 503, "within 1 s: the store answered SlowDown"),
    ],
)
def test_every_refusal_of_s3_says_what_to_change_and_never_a_secret(code, status, message):
    with FakeS3(status, code) as fake:
        store = s3_resource(fake.url, "b", deadline_seconds=1.0).open()
        with pytest.raises(BlobStoreError, match=message) as caught:
            store.write(FIRST, FILES)
    assert SECRET not in str(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)
    assert (fake.requests > 1) == (code == "SlowDown")


class FakeS3:
    """Answers every request with one error document."""

    def __init__(self, status, code):
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
        self.requests = 0
        self._reply = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        ).encode() + body
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                self.requests += 1
                connection.sendall(self._reply)


def test_the_resource_reads_its_secret_from_the_environment_only_when_it_runs(server, bucket, monkeypatch):
    monkeypatch.setenv("TEST_MODEL_STORE_SECRET", SECRET)

    @dg.asset
    def model(store: ModelStore) -> None:
        store.open().write(FIRST, FILES)

    resource = s3_resource(server, bucket, aws_secret_access_key=dg.EnvVar("TEST_MODEL_STORE_SECRET"))
    assert SECRET not in repr(resource)
    assert dg.materialize([model], resources={"store": resource}).success
    assert s3_resource(server, bucket).open().versions("cltv") == [FIRST.version]


def test_a_removed_version_is_gone_with_all_its_files_and_the_others_stay(place):
    store = place.open()
    old, new = manifest(), manifest(data="d2")
    for one in (old, new):
        store.write(one, FILES)
    store.remove("cltv", old.version)
    assert store.versions("cltv") == [new.version]
    assert unfinished(store) == []
    assert store.read("cltv", new.version).files == FILES
    with pytest.raises(LookupError, match="no complete version"):
        store.read("cltv", old.version)
    assert store.write(old, FILES), "it can be stored again"
