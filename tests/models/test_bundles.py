"""Manifests, pointers, version names and golden predictions as values and bytes."""

import contextlib
import dataclasses
import datetime
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdml_assets.models import bundles as b
from tdml_assets.models import golden

FILES = {"buys.json": b'{"trees": 1}', "preparation.json": b"{}"}
AS_OF = datetime.date(2011, 9, 9)
IDENTITY = {
    "workflow": "cltv",
    "spec": {"estimator": "two_stage_xgboost", "seed": 1},
    "data_fingerprint": "d" * 64,
    "code_version": "1.0",
    "libraries": {"xgboost": "3.2.0"},
}


def manifest(files=None, **changes):
    values = {
        "version": b.version_name(AS_OF, **IDENTITY),
        "as_of": AS_OF,
        "features": (b.ModelFeature("orders", "FLOAT"), b.ModelFeature("basket", "FLOAT")),
        "target": "spend",
        "engine": "python",
        "metrics": {"mae": 10.5, "r2": None},
        "session_id": "s1",
        "created_at": datetime.datetime.fromisoformat("2011-09-10T08:30:00"),
        "files": b.describe_files(FILES if files is None else files),
        **IDENTITY,
        **changes,
    }
    return b.Manifest(**values)


def champion(**changes):
    values = {
        "workflow": "cltv",
        "version": "2011-09-09-0123456789ab",
        "manifest_sha256": "a" * 64,
        "previous": None,
        "reason": "first model",
        "session_id": "s1",
        "promoted_at": datetime.datetime.fromisoformat("2011-09-10T00:00:00"),
        **changes,
    }
    return b.Champion(**values)


def test_a_manifest_and_a_pointer_come_back_from_their_bytes():
    assert b.parse_manifest(manifest().to_bytes()) == manifest()
    assert b.parse_champion(champion().to_bytes()) == champion()
    assert manifest().feature_names == ("orders", "basket")


def test_a_version_name_is_the_date_and_a_hash_of_all_that_determines_the_model():
    name = b.version_name(AS_OF, **IDENTITY)
    assert name == b.version_name(AS_OF, **dict(reversed(IDENTITY.items())))
    assert name.startswith("2011-09-09-")
    assert b.is_version(name)
    changes = {
        "workflow": "churn",
        "spec": {"estimator": "two_stage_xgboost", "seed": 2},
        "data_fingerprint": "e" * 64,
        "code_version": "1.1",
        "libraries": {"xgboost": "3.2.1"},
    }
    others = {b.version_name(AS_OF, **{**IDENTITY, key: value}) for key, value in changes.items()}
    assert len(others | {name}) == 6


def test_session_time_and_metrics_are_no_part_of_what_a_model_is():
    later = manifest(
        session_id="s2", created_at=datetime.datetime.fromisoformat("2012-01-01T00:00:00"), metrics={"mae": 10.4}
    )
    assert manifest().differences(later) == []
    changed = manifest({**FILES, "buys.json": b"{}", "more.json": b"1"}, target="other")
    assert manifest().differences(changed) == ["buys.json", "more.json", "target"]


def test_a_file_is_returned_only_if_size_and_hash_are_those_of_the_manifest():
    stored = manifest().files[0]
    assert b.verify_file(stored, FILES["buys.json"]) == FILES["buys.json"]
    with pytest.raises(b.BundleDamagedError, match=r"buys\.json has 11 bytes instead of 12"):
        b.verify_file(stored, FILES["buys.json"][:-1])
    for place in range(len(FILES["buys.json"]) * 8):
        flipped = bytearray(FILES["buys.json"])
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(b.BundleDamagedError, match="another SHA-256"):
            b.verify_file(stored, bytes(flipped))


@pytest.mark.parametrize(
    "name",
    [
        *("model.pkl", "model.joblib", "model.ubj", "x.pkl.gz", "../up.json", "/abs.json", "a/b.json", "manifest.json"),
        *(".hidden.json", "Upper.json", "x.json\n", ""),
    ],
)
def test_names_that_leave_the_folder_hide_or_pickle_are_refused(name):
    with pytest.raises(ValueError, match="cannot be a file of a model version"):
        b.describe_files({name: b""})
    record = json.loads(manifest().to_bytes())
    record["files"][0]["name"] = name
    with pytest.raises(b.BundleDamagedError, match="cannot be a file"):
        b.parse_manifest(json.dumps(record).encode())


@pytest.mark.parametrize("name", ["../x", "CLTV", "", "a/b", "1st", "x" * 64])
def test_workflow_names_that_cannot_be_folders_are_refused(name):
    with pytest.raises(ValueError, match="cannot name a workflow"):
        b.require_workflow(name)


@pytest.mark.parametrize("name", ["latest", "2011-09-09", "2011-09-09-0123456789AB", "../2011-09-09-0123456789ab"])
def test_only_version_names_are_versions(name):
    with pytest.raises(ValueError, match="is not a model version"):
        b.require_version(name)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_manifest_is_an_error_of_ours_or_another_manifest_never_a_crash(data):
    whole = bytearray(manifest().to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    whole = whole[: data.draw(st.integers(0, len(whole)))]
    with contextlib.suppress(b.BundleDamagedError):
        assert isinstance(b.parse_manifest(bytes(whole)), b.Manifest)


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format": 2}'])
def test_what_is_not_a_manifest_or_pointer_is_refused(data):
    with pytest.raises(b.BundleDamagedError):
        b.parse_manifest(data)
    with pytest.raises(b.BundleDamagedError, match="none is chosen by its age"):
        b.parse_champion(data)


def test_files_listed_twice_or_out_of_order_are_refused():
    one, two = manifest().files
    for files in [(two, one), (one, one), ()]:
        with pytest.raises(ValueError, match="once each, in order"):
            dataclasses.replace(manifest(), files=files)


def batch(**columns):
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


ROWS = batch(orders=pa.array([1.5, None, 0.1], pa.float32()), basket=pa.array([1.0, 2.0, float("nan")], pa.float32()))
PREDICTED = batch(predicted_target=pa.array([100.0, 0.5, 0.0]))


def test_golden_rows_come_back_bit_by_bit_with_missing_values_and_order():
    seen = []

    def score(rows):
        seen.append(rows)
        return PREDICTED

    golden.check_golden(golden.golden_predictions(ROWS, PREDICTED), score)
    assert seen[0].schema.names == ["orders", "basket"]
    assert seen[0].column(0).equals(ROWS.column(0))
    assert seen[0].column(1).to_pylist() == [1.0, 2.0, None]


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([100.00009, 0.5, 0.0], 0),
        ([100.0, 0.5000009, -0.0000009], 0),
        ([100.0002, 0.5, 0.0], 1),
        ([100.0, 0.500002, 0.000002], 2),
        ([float("nan"), 0.5, 0.0], 1),
    ],
)
def test_golden_predictions_may_differ_by_a_millionth(values, wrong):
    data = golden.golden_predictions(ROWS, PREDICTED)
    new = batch(predicted_target=pa.array(values))
    if not wrong:
        golden.check_golden(data, lambda _: new)
        return
    with pytest.raises(golden.GoldenMismatchError, match=f"{wrong} of 3 golden predictions of predicted_target"):
        golden.check_golden(data, lambda _: new)


def test_a_model_that_lacks_a_golden_column_or_row_is_refused():
    data = golden.golden_predictions(ROWS, PREDICTED)
    with pytest.raises(golden.GoldenMismatchError, match=r"holds \['predicted_target'\], the model gives \['other'\]"):
        golden.check_golden(data, lambda _: batch(other=pa.array([1.0, 2.0, 3.0])))
    with pytest.raises(golden.GoldenMismatchError, match="2 values"):
        golden.check_golden(data, lambda _: PREDICTED.slice(1))


def test_golden_predictions_must_be_finite_and_one_per_row():
    with pytest.raises(ValueError, match="3 rows with 2 predictions"):
        golden.golden_predictions(ROWS, PREDICTED.slice(1))
    with pytest.raises(ValueError, match="not finite"):
        golden.golden_predictions(ROWS, batch(predicted_target=pa.array([1.0, float("inf"), 2.0])))


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(predictions={}),
        lambda record: record["predictions"].update(predicted_target=[]),
        lambda record: record["predictions"].update(predicted_target=[None, 1.0, 2.0]),
        lambda record: record.update(feature_order=[]),
        lambda record: record.pop("features"),
    ],
)
def test_a_golden_file_that_proves_nothing_is_refused(change):
    record = json.loads(golden.golden_predictions(ROWS, PREDICTED))
    change(record)
    with pytest.raises(b.BundleDamagedError, match=r"golden\.json cannot be read as stored .* run again"):
        golden.check_golden(json.dumps(record).encode(), lambda _: PREDICTED)


def test_whatever_a_parser_raises_on_damaged_content_names_the_file_and_the_remedy():
    for content in (b"[1]", b"{", b'{"format": 1}', b"[" * 100_000, b"\xff\xfe", b"null"):
        with pytest.raises(
            b.BundleDamagedError, match=r"golden\.json .* promote another version, or remove its folder"
        ):
            golden.check_golden(content, lambda _: PREDICTED)


@pytest.mark.parametrize("field", ["spec", "target", "libraries", "metrics", "files"])
def test_a_manifest_with_a_field_of_another_kind_is_refused(field):
    record = json.loads(manifest().to_bytes())
    record[field] = 0.5
    with pytest.raises(b.BundleDamagedError, match="the manifest cannot be read"):
        b.parse_manifest(json.dumps(record).encode())
