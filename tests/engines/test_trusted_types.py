"""Archives of models are of one plain form and hold allowed types only; anything else is refused, not parsed."""

import io
import json
import operator
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression, Ridge

from tdml_assets.engines import trusted_types
from tdml_assets.engines.protocol import ModelSpec, table_source
from tdml_assets.engines.sklearn_estimator import ARCHIVE_FILE, SklearnLearner
from tdml_assets.engines.sklearn_model import MODEL_FILE
from tdml_assets.engines.trusted_types import ModelRefusedError, allowed_types

LEARNER = SklearnLearner()


@pytest.fixture(scope="module")
def stored():
    x = np.random.default_rng(1).standard_normal((60, 5)).astype(np.float32)
    columns = [*(pa.array(x[:, place]) for place in range(4)), pa.array(x[:, 4].astype(float))]
    rows = table_source(pa.table(columns, names=["a", "b", "c", "d", "target"]), "target")
    steps = ({"estimator": "sklearn.preprocessing.StandardScaler"},)
    return LEARNER.fit(rows, rows, ModelSpec("sklearn.linear_model.Ridge", steps=steps), threads=1).files()


def entries(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(contents, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def refused(stored, data, message):
    with pytest.raises(ModelRefusedError, match=message):
        LEARNER.load({**stored, ARCHIVE_FILE: data}, threads=1)


class Runs:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def test_a_pickle_named_skops_is_refused_and_not_run(stored):
    refused(stored, pickle.dumps(Runs()), "not a skops archive, and a pickle is never read")
    refused(stored, b"", "not a skops archive")


def test_a_compressed_archive_is_refused_before_anything_is_inflated(stored):
    bomb = archive_of({**entries(stored[ARCHIVE_FILE]), "9.bin": b"0" * 50_000_000}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    refused(stored, bomb, "declares more bytes than it holds")


def test_entries_that_share_their_bytes_are_refused(stored):
    data = bytearray(archive_of({"schema.json": b"{}", "1.bin": b"0" * 1000, "2.bin": b"1" * 1000}))
    # The directory's record of 2.bin now points at the bytes of 1.bin, and both claim more than the file holds.
    for name in (b"1.bin", b"2.bin"):
        record = data.rindex(name) - 46
        data[record + 20 : record + 28] = (1900).to_bytes(4, "little") * 2
    refused(stored, bytes(data), "declares more bytes than it holds")


@pytest.mark.parametrize("name", ["../1.npy", "/etc/1.npy", "a/1.npy", "1.npz", "1.pkl", "0.npy"])
def test_an_entry_with_another_name_is_refused(stored, name):
    refused(stored, archive_of({**entries(stored[ARCHIVE_FILE]), name: b"x"}), "other entries than a model's")


def test_an_array_that_asks_for_more_memory_than_it_has_bytes_is_refused(stored):
    contents = entries(stored[ARCHIVE_FILE])
    name = next(name for name in contents if name.endswith(".npy"))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    refused(stored, archive_of({**contents, name: header.getvalue()}), f"{name}, whose header does not fit")


def test_damaged_bytes_and_an_endlessly_nested_description_are_refused(stored):
    data = bytearray(stored[ARCHIVE_FILE])
    place = data.index(b"\x93NUMPY") + 130
    data[place] ^= 1
    refused(stored, bytes(data), "not a readable skops archive|cannot be brought back")
    refused(stored, stored[ARCHIVE_FILE][:-40], "not a readable skops archive")
    refused(stored, archive_of({"schema.json": b"[" * 200_000}), "cannot be brought back")
    refused(stored, archive_of({"schema.json": b"{}"}), "cannot be brought back")


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (operator.methodcaller("system", "true"), "operator.methodcaller"),
        ({"fit": Ridge().fit}, "sklearn.linear_model._ridge.Ridge, sklearn.linear_model._ridge.Ridge.fit"),
        ([eval], "builtins.eval"),
    ],
    ids=["operator", "method", "function"],
)
def test_a_well_formed_archive_with_another_type_is_refused_by_its_name(stored, thing, name):
    data = trusted_types.dump(thing, name.split(", "), "test")
    refused(stored, data, f"may not hold: {name}")


def test_a_file_cannot_add_to_the_allow_list(stored):
    contents = entries(stored[ARCHIVE_FILE])
    schema = json.loads(contents["schema.json"])
    schema["trusted"] = ["os.system"]
    schema["__module__"], schema["__class__"] = "subprocess", "Popen"
    refused(stored, archive_of({**contents, "schema.json": json.dumps(schema)}), "may not hold: subprocess.Popen")


def test_the_booster_snapshot_of_xgboost_is_not_on_the_list():
    assert "xgboost.core.Booster" not in allowed_types()


def test_files_of_two_models_or_another_format_are_refused(stored):
    facts = json.loads(stored[MODEL_FILE])
    three = json.dumps({**facts, "features": facts["features"][:3]}).encode()
    with pytest.raises(ValueError, match="takes 4 features, .* names 3"):
        LEARNER.load({**stored, MODEL_FILE: three}, threads=1)
    with pytest.raises(ValueError, match="format 99"):
        LEARNER.load({**stored, MODEL_FILE: json.dumps({**facts, "format": 99}).encode()}, threads=1)
    with pytest.raises(ValueError, match=r"lacks estimator.skops"):
        LEARNER.load({MODEL_FILE: stored[MODEL_FILE]}, threads=1)


def test_an_archive_is_independent_of_addresses_and_time():
    x, y = np.random.default_rng(0).standard_normal((60, 2)), np.arange(60) % 2
    first, second = (LogisticRegression().fit(x, y) for _ in range(2))
    assert skops.io.dumps(first) != skops.io.dumps(second)
    allowed = allowed_types()
    assert trusted_types.dump(first, allowed, "test") == trusted_types.dump(second, allowed, "test")
