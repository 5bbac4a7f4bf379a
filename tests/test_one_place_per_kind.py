"""What CONTRIBUTING promises about adding a kind: a module outside of the package is enough.

Destinations have the same test in ``tests/activation/test_registry.py``, on the module that the documents show, and workflows in
``tests/e2e/test_fifth_workflow.py``.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from dagster import AssetsDefinition

from tdml_assets.automation.workflow_assets import build_workflow_definitions
from tdml_assets.component import effective_spec
from tdml_assets.declaration.formats import format_named
from tdml_assets.declaration.sources import Sources
from tdml_assets.declaration.target_kinds import kind_named
from tdml_assets.declaration.targets import describe
from tdml_assets.declaration.task_names import learned_by
from tdml_assets.declaration.workflow import Model, WorkflowSpec
from tdml_assets.engines.protocol import TIER1, ModelSpec, table_source
from tdml_assets.engines.registry import engine_named
from tdml_assets.models.champions import engine_of, model_spec_of
from tdml_assets.models.reference import build_reference, measure
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.drift_statistics import statistic_named
from tdml_assets.platform.monitoring import DRIFT, drift_table
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.settings import SettingsError, load_settings
from tdml_assets.stages.drift.detection import judge
from tdml_assets.stages.drift.figures import drift
from tdml_assets.stages.drift.history import read_reports
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.training_table.table import observation
from tdml_assets.tasks import realised_performance_of, task_of
from tdml_assets.tasks.presentation import presentation_of
from tests.stages.raw.conftest import Shop

ENGINE = '''
"""An engine whose model predicts the mean of the training rows."""
import json
import pyarrow as pa
from tdml_assets.engines.protocol import Estimate, Recipe

class Mean:
    def __init__(self, features, mean):
        self.features, self.mean, self.recipe = features, mean, Recipe({}, {})
    def score(self, batch):
        return pa.record_batch({"predicted_target": pa.array([self.mean] * batch.num_rows)})
    def reasons(self, batch):
        return None
    def importances(self, source, rows=2000):
        return []
    def files(self):
        return {"mean.json": json.dumps({"features": self.features, "mean": self.mean}).encode()}

class MeanEngine:
    name, streams = "shop.MeanEngine", False
    def __init__(self, trusted_types=()):
        self.trusted_types = trusted_types
    def wants_unlabelled(self, spec):
        return False
    def estimate(self, spec, rows, features, tier):
        return Estimate(True, "one number")
    def fit(self, train, validation, spec, tier):
        targets = [value for batch in train.batches() for value in batch.column(batch.num_columns - 1).to_pylist()]
        return Mean(list(train.features), sum(targets) / len(targets))
    def refit(self, sources, recipe, spec, tier):
        return self.fit(sources[0], None, spec, tier)
    def load(self, files, spec, tier):
        return Mean(**json.loads(files["mean.json"]))
'''

FORMAT = '''
"""Lines whose columns begin at fixed places, as a till prints them."""
from pathlib import Path
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel
from tdml_assets.declaration.formats import SourceFormat
from tdml_assets.stages.raw.headers import parquet_layout, unpacked_file
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.training_table.table import observation
from tdml_assets.tasks import realised_performance_of, task_of
from tdml_assets.tasks.presentation import presentation_of

class Options(BaseModel, extra="forbid"):
    starts: dict[str, int]

def layout(given):
    given = unpacked_file(given)
    starts = Options.model_validate(given.declaration.options).starts
    ends = [*list(starts.values())[1:], None]
    lines = given.file.path.read_text(encoding="utf-8").splitlines()
    if any(len(line) < max(starts.values()) for line in lines):
        raise SourceError(f"{given.file.name}: a line ends before its last column: correct options.starts")
    columns = {
        name: [line[start:end].strip() for line in lines]
        for (name, start), end in zip(starts.items(), ends, strict=True)
    }
    given.scratch_folder.mkdir(parents=True, exist_ok=True)
    path = given.scratch_folder / f"{given.file.sha256[:32]}.till.parquet"
    pq.write_table(pa.table(columns), path)
    return parquet_layout(given, path)

FORMAT = SourceFormat("shop.till", layout, endings=(".till",), is_text=True, options=Options)
'''

DAYS = '''
"""Days on which a customer orders."""
from pathlib import Path
from tdml_assets.declaration.target_kinds import TargetKind

FILE = Path(__file__).with_name("days.sql")
TARGET_KIND = TargetKind("shop.days", "regression", lambda target: "days with an order", str(FILE))
'''

TASK = '''
"""An amount, shown in points of a loyalty programme."""
from dataclasses import replace
from tdml_assets.tasks import regression

LEARNS = "regression"

class Points(regression.Regression):
    name = "shop.points"

    def total_words(self, spec):
        return "points expected in all"

    def judge(self, test, spec):
        return test["mae"] < 5, f"off by {test['mae']:.1f} points a customer; fewer than 5 are wanted"

TASK = REALISED_PERFORMANCE = Points()
PRESENTATION = replace(regression.PRESENTATION, naive="as many points as before")
'''

STATISTIC = '''
"""How far the mean moved, in standard deviations of the reference."""
from tdml_assets.platform.drift_statistics import DriftStatistic

def compute(now, ref):
    return (now.mean - ref.mean) / ref.sd if ref.sd else None

STATISTIC = DriftStatistic("mean_shift", "Change of the mean in standard deviations of the reference.", compute, "#0a7d4b")
'''


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of a user's own modules on the path."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for found in (format_named, kind_named, learned_by, statistic_named):
        found.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("shop"):
            del sys.modules[name]


def written(shop: Path, name: str, text: str) -> None:
    """A module of the package ``shop``."""
    (shop / "shop").mkdir(exist_ok=True)
    (shop / "shop" / "__init__.py").touch()
    (shop / "shop" / f"{name}.py").write_text(text, encoding="utf-8")


def declared(engine: str) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"name": "cltv", "engine": engine})


def test_an_engine_is_one_module(shop: Path) -> None:
    (shop / "shop_engine.py").write_text(ENGINE, encoding="utf-8")
    settings = load_settings({"TDML_HOME": str(shop / "home")}, working_folder=shop)
    spec = effective_spec(declared("shop_engine.MeanEngine"), settings)
    assert spec is not None
    engine = engine_of(spec, settings)
    rows = pa.table({"a": np.arange(4, dtype=np.float32), "target": [1.0, 2.0, 3.0, 6.0]})
    source = table_source(rows, "target", 10)
    assert engine.estimate(ModelSpec(spec.estimator), 4, 1, TIER1).fits
    model = engine.fit(source, source, ModelSpec(spec.estimator), TIER1)
    again = engine.load(model.files(), ModelSpec(spec.estimator), TIER1)
    (batch,) = rows.select(["a"]).to_batches()
    assert again.score(batch)["predicted_target"].to_pylist() == [3.0] * 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shop_engine.Missing", "engine: shop_engine.Missing cannot be imported"),
        ("nowhere.Engine", "No module named"),
    ],
)
def test_an_engine_that_cannot_be_imported_is_named_with_the_form(shop: Path, name: str, words: str) -> None:
    (shop / "shop_engine.py").write_text(ENGINE, encoding="utf-8")
    with pytest.raises(SettingsError, match=words):
        effective_spec(declared(name), load_settings({"TDML_HOME": str(shop / "home")}, working_folder=shop))


def test_a_name_without_a_module_is_answered_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="no engine 'spark': use one of python, hivemall, or the import path"):
        engine_named("spark")


TILL = "2024-01-05 09:30:00  c1    12.50\n2024-01-06 10:00:00  c2     3.25\n"
DECLARED = {
    "path": "data",
    "format": "shop.till",
    "options": {"starts": {"at": 0, "who": 21, "paid": 27}},
    "timestamp_format": "%Y-%m-%d %H:%M:%S",
    "currency": "GBP",
    "columns": {"customer_id": "who", "ordered_at": "at", "amount": "paid"},
}


def test_a_source_format_is_one_module(shop: Path) -> None:
    written(shop, "till", FORMAT)
    loaded = Shop(shop)
    (shop / "data").mkdir()
    loaded.write("data/jan.till", TILL)
    loaded.write(
        "data/feb.till.gz", gzip.compress(b"2024-02-01 08:00:00  c1     1.00\n2024-02-30 08:00:00  c1     2.00\n")
    )
    report = loaded.load(declared=DECLARED)
    assert report.reasons == {"bad_timestamp": 1}
    assert loaded.rows("select customer_id, ordered_at::varchar as at, amount from raw.orders order by ordered_at") == [
        {"customer_id": "c1", "at": "2024-01-05 09:30:00", "amount": Decimal("12.5000")},
        {"customer_id": "c2", "at": "2024-01-06 10:00:00", "amount": Decimal("3.2500")},
        {"customer_id": "c1", "at": "2024-02-01 08:00:00", "amount": Decimal("1.0000")},
    ]
    (shop / "data" / "jan.till").write_text("2024-01-05", encoding="utf-8")
    with pytest.raises(SourceError, match=r"jan\.till: a line ends before its last column"):
        loaded.load(declared=DECLARED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "shop.nothing"}, "format: module shop.nothing cannot be imported"),
        (
            {"format": "shop"},
            "format 'shop' is not known: write one of csv, parquet, json, xlsx, delta, iceberg, database, or",
        ),
        ({"format": "json.decoder"}, "module json.decoder has no FORMAT"),
        ({"options": {"startz": 1}}, "options.starts: Field required"),
        ({"format": "csv"}, "options are keys of a format of your own, and format csv has none"),
        ({"timestamp_format": None}, "timestamp_format is missing: shop.till timestamps are text"),
        ({"sheet": "Orders"}, "sheet has no effect with format shop.till, only with xlsx"),
    ],
)
def test_what_is_wrong_with_a_format_is_said_before_anything_runs(shop: Path, change: dict, words: str) -> None:
    written(shop, "till", FORMAT)
    with pytest.raises(ValueError, match=re.escape(words)):
        Sources.model_validate({"orders": {**DECLARED, **change}})


def test_a_monitoring_statistic_is_one_module(shop: Path) -> None:
    written(shop, "moved", STATISTIC)
    settings = load_settings({"TDML_HOME": str(shop / "home")}, working_folder=shop)
    spec = effective_spec(
        WorkflowSpec.model_validate({"name": "cltv", "monitor": {"statistics": ["shop.moved"]}}), settings
    )
    assert spec is not None
    table = drift_table(spec.monitor.statistics)
    column = table.columns[-1]
    assert (column.name, column.description) == (
        "mean_shift",
        "Change of the mean in standard deviations of the reference.",
    )
    values = TableContract("main", "values", "Rows.", (Column("spend", "DOUBLE", "Spend."),))
    warehouse = Warehouse(database=str(shop / "w.duckdb"), temp_directory=str(shop / "tmp"))
    with warehouse.write() as database:
        database.replace(values, pa.table({"spend": np.tile([8.0, 12.0], 200)}))
        reference = build_reference(database, values.path, {}, ["spend"])
        database.replace(values, pa.table({"spend": np.tile([9.0, 13.0], 200)}))
        report = judge(reference, measure(database, values.path, {}, reference), spec.monitor)
        # A table of before, without the column, gets it.
        database.ensure(DRIFT)
        database.replace_slice(table, {"session_id": "s1", "workflow": "cltv"}, report.rows("s1", "cltv"))
        assert database.rows(Statement("select mean_shift, kld is null as is_null from monitoring.drift")) == [
            {"mean_shift": 0.5, "is_null": False}
        ]
        (kept,) = read_reports(database, "cltv", "s1", spec.monitor)[:1]
    assert kept.columns[0].information["mean_shift"] == 0.5
    picture = drift(report.rows("s1", "cltv"), psi_limit=0.25, points={"mean_shift": "#0a7d4b"}).decode()
    assert re.search(r'<circle [^>]*fill="#0a7d4b"><title>[^<]*: mean_shift 0.5</title>', picture)
    assert ">mean_shift</text>" in picture


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("shop.nothing", "workflows.cltv: monitor.statistics: module shop.nothing cannot be imported"),
        ("json.decoder", "module json.decoder has no STATISTIC"),
        ("shop.taken", "monitoring.drift has a column psi already: give the statistic another name"),
    ],
)
def test_a_statistic_that_cannot_be_kept_is_refused_with_the_reason(shop: Path, module: str, words: str) -> None:
    written(shop, "taken", STATISTIC.replace('"mean_shift"', '"psi"'))
    with pytest.raises(SettingsError, match=re.escape(words)):
        effective_spec(
            WorkflowSpec.model_validate({"name": "cltv", "monitor": {"statistics": [module]}}),
            load_settings({"TDML_HOME": str(shop / "home")}, working_folder=shop),
        )


FEATURES = TableContract(
    "features",
    "customer_features",
    "Rows.",
    (Column("snapshot_date", "DATE", ""), Column("customer_id", "VARCHAR", "")),
)
ORDERS = TableContract(
    "staging",
    "stg_orders",
    "Lines.",
    (Column("customer_id", "VARCHAR", ""), Column("ordered_on", "DATE", ""), Column("amount", "DOUBLE", "")),
)


def test_a_kind_of_target_is_one_module_and_its_expression(shop: Path) -> None:
    written(shop, "days", DAYS)
    (shop / "shop" / "days.sql").write_text("count(distinct events.{{ day | identifier }})\n", encoding="utf-8")
    spec = WorkflowSpec.model_validate({"name": "visits", "target": {"kind": "shop.days", "horizon_days": 10}})
    assert (spec.learns, spec.target_kind, spec.estimator) == ("regression", "shop.days", "two_stage_xgboost")
    assert (
        describe(spec.target_kind, spec.target) == "Days with an order in the 10 days after the snapshot, at least 0."
    )
    day = date(2026, 1, 31)
    lines = [("often", 1), ("often", 1), ("often", 9), ("late", 11), ("often", -3)]
    rows = [{"customer_id": name, "ordered_on": day + timedelta(days=after), "amount": 1.0} for name, after in lines]
    built = render(
        "training_table/build",
        features_table=FEATURES.path,
        dates=[day],
        roles=["train"],
        columns=[],
        holdout_share=0.2,
        sample_share=1.0,
        **observation(spec),
    )
    with Warehouse(database=str(shop / "w.duckdb"), temp_directory=str(shop / "tmp")).write() as database:
        database.replace(FEATURES, [{"snapshot_date": day, "customer_id": name} for name in ("often", "late")])
        database.replace(ORDERS, rows)
        assert {row["customer_id"]: row["target"] for row in database.rows(built)} == {"often": 2.0, "late": 0.0}


def test_a_kind_of_target_belongs_to_the_task_that_learns_it(shop: Path) -> None:
    written(shop, "days", DAYS)
    for target, words in {
        "shop.days": "target.kind: 'shop.days' is not a target of a classification; allowed: no_purchase, purchase, any, none",
        "shop.nothing": "module shop.nothing cannot be imported",
        "dayz": "'dayz' is not known: write one of net_spend, count, sum, no_purchase,",
        "json.decoder": "module json.decoder has no TARGET_KIND",
    }.items():
        with pytest.raises(ValueError, match=re.escape(words)):
            WorkflowSpec.model_validate({"name": "visits", "task": "classification", "target": {"kind": target}})


def test_a_task_is_one_module(shop: Path) -> None:
    written(shop, "points", TASK)
    settings = load_settings({"TDML_HOME": str(shop / "home")}, working_folder=shop)
    spec = effective_spec(
        WorkflowSpec.model_validate({"name": "points", "task": "shop.points", "horizons": []}), settings
    )
    assert spec is not None
    task = task_of(spec)
    assert (task.name, spec.learns, task.total_words(spec)) == ("shop.points", "regression", "points expected in all")
    assert task.judge({"mae": 7.0}, spec) == (False, "off by 7.0 points a customer; fewer than 5 are wanted")
    assert presentation_of(spec.task).naive == "as many points as before"
    assert realised_performance_of(spec) is task
    assert model_spec_of(spec).task == "regression"
    built = build_workflow_definitions(spec, settings)
    keys = {key.to_user_string() for one in built.assets or () if isinstance(one, AssetsDefinition) for key in one.keys}
    assert {"points/training_table", "points/candidate_model", "points/predictions", "points/realised"} <= keys
    scores = TableContract(
        "main",
        "scores",
        "Scores.",
        (Column("customer_id", "VARCHAR", ""), Column("predicted_target", "DOUBLE", "")),
    )
    with Warehouse(database=str(shop / "w.duckdb"), temp_directory=str(shop / "tmp")).write() as database:
        database.replace(
            scores, [{"customer_id": "a", "predicted_target": 1.0}, {"customer_id": "b", "predicted_target": 9.0}]
        )
        published = task.publish(spec, scores=scores.path, session_id="s1", as_of=date(2026, 1, 31), reasons=[])
        contract = task.predictions_contract(spec.model_copy(update={"model": Model(reasons=0)}))
        assert database.replace(contract, published) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shop": "LEARNS = 'ranking'"}, "LEARNS is 'ranking'; write one of regression, classification, clustering"),
        (
            {"shop": "del LEARNS, PRESENTATION"},
            "has no PRESENTATION and no LEARNS: a task needs TASK, PRESENTATION and LEARNS",
        ),
    ],
)
def test_a_task_that_lacks_a_part_is_refused_with_its_name(shop: Path, change: dict, words: str) -> None:
    written(shop, "points", f"{TASK}\n{change['shop']}\n")
    with pytest.raises(ValueError, match=re.escape(words)):
        WorkflowSpec.model_validate({"name": "points", "task": "shop.points"})


#: Files to touch, and where the test of it writes them or is.
PROMISED = {
    "an engine": ("1", "test_an_engine_is_one_module"),
    "a destination": ("1", "test_the_module_that_the_documents_show_is_a_destination"),
    "a source format": ("1", "test_a_source_format_is_one_module"),
    "a kind of target": ("2", "test_a_kind_of_target_is_one_module_and_its_expression"),
    "a task": ("1 to 3", "test_a_task_is_one_module"),
    "a feature": ("2", "test_a_feature_is_a_column_of_the_statement_and_its_line_in_the_yml"),
    "a monitoring statistic": ("1", "test_a_monitoring_statistic_is_one_module"),
}
ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("kind", PROMISED)
def test_contributing_says_how_many_files_a_kind_takes_and_a_test_adds_one(kind: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ((files, where),) = re.findall(rf"^\| {kind} \| ([^|]+) \| (.+) \|$", text, flags=re.MULTILINE)
    count, name = PROMISED[kind]
    assert files == count
    for path in re.findall(r"`((?:stages|declaration|platform|engines|tasks)/[\w/]+\.py)`", where):
        assert (ROOT / "tdml_assets" / path).is_file(), path
    for named in re.findall(r"an? `(\w+)` of `", where):
        assert re.search(rf"class {named}\b", "".join(path.read_text() for path in declaring(where))), named
    (proof,) = [path for path in TESTS if f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")]
    assert f"`{proof}`" in text


TESTS = ("tests/test_one_place_per_kind.py", "tests/activation/test_registry.py", "tests/stages/features/test_dbt.py")


def declaring(where: str) -> list[Path]:
    return [ROOT / "tdml_assets" / path for path in re.findall(r"`([\w/]+\.py)`", where)]
