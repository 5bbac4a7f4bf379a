"""A training on many rows: what of it is a sample, and what is not."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import TIER1, ModelSpec, table_source
from tdml_assets.engines.python import PythonEngine
from tdml_assets.engines.row_samples import MANY_ROWS, spread_rows
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.features.snapshots import SNAPSHOTS, snapshot_rows
from tdml_assets.stages.training import go_live
from tdml_assets.stages.training.fit import train_candidate
from tests.stages.predictions.test_level import DAY, customers, shop
from tests.stages.predictions.test_level_sample import PARAMETERS
from tests.stages.training.test_rehearsal import EARLY, rows, splits

PLAIN = ModelSpec("pareto_nbd_gamma_gamma", horizon_days=91)


@pytest.fixture(scope="module")
def many():
    return {**splits(), "train": rows(MANY_ROWS + 1_000, 1, EARLY)}


def test_of_many_training_rows_a_sample_is_predicted_and_the_test_is_whole(many):
    found = train_candidate(PythonEngine(), many, PLAIN, TIER1, kind="amount")
    of_split = {name: found.holdout.filter(pc.equal(found.holdout["split"], name)) for name in ("train", "test")}
    assert {name: table.num_rows for name, table in of_split.items()} == {"train": MANY_ROWS, "test": 500}
    assert of_split["train"]["customer_id"].to_pylist() == spread_rows(many["train"])["customer_id"].to_pylist()
    assert of_split["test"]["customer_id"].to_pylist() == many["test"]["customer_id"].to_pylist()


def test_up_to_the_bound_every_training_row_is_predicted(many):
    few = {**many, "train": many["train"].slice(0, MANY_ROWS)}
    found = train_candidate(PythonEngine(), few, PLAIN, TIER1)
    assert found.holdout.num_rows == MANY_ROWS + 500


@pytest.fixture
def database(tmp_path):
    """A shop whose tables were committed: batches are read by a cursor of its own."""
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as opened:
        shop(opened)
        opened.replace(SNAPSHOTS, snapshot_rows([DAY], DAY, 1.0))
    with warehouse.write() as opened:
        yield opened


def test_of_many_customers_a_share_is_predicted_for_the_reference_of_drift(database, monkeypatch):
    floats = pa.schema([(name, pa.float32()) for name in HISTORY])
    histories = customers(database).select(list(HISTORY)).cast(floats)
    source = table_source(histories.append_column("target", histories[HISTORY[0]]), "target")
    model = PythonEngine().fit(source, source, PLAIN, TIER1)
    found = {}
    for most in (150, 100):
        monkeypatch.setattr(go_live, "MANY_ROWS", most)
        found[most] = [go_live._predictions(database, WorkflowSpec(name="cltv"), model, PARAMETERS) for _ in range(2)]
    (whole, _), (share, again) = found.values()
    assert whole.rows == 150
    assert 80 < share.rows < 120
    assert share == again
    assert share.mean == pytest.approx(whole.mean, rel=0.3)
    assert not database.has_table(("cltv", "go_live_predictions"))
