"""A fifth workflow by YAML alone, as ``docs/workflows.md`` tells it: from raw orders to an attribute, next to the four that ship.

The project is copied, the document's YAML added, and the copy's own command run once on a few hundred customers.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml
from dagster.components.core.component_tree import ComponentTreeException

from tdml_assets.component import WorkflowComponent
from tdml_assets.declaration.attributes import for_horizons
from tdml_assets.declaration.targets import EVENTS
from tdml_assets.declaration.workflow import ESTIMATORS, TARGET_KINDS, Model, WorkflowSpec
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import ModelSpec
from tdml_assets.engines.python import PythonEngine
from tdml_assets.platform.environment import project_root
from tdml_assets.platform.statements import Statement
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.recommendation.tables import predictions_contract
from tdml_assets.stages.audience.attributes import WorkflowAttributes
from tdml_assets.stages.audience.publication import publish
from tdml_assets.tasks import task_of
from tests.e2e.conftest import Once
from tests.test_component_errors import KEYS, make_project

DOCUMENT = (project_root() / "docs" / "workflows.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
ERRORS = re.findall(r"^```text\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
DECLARATION = BLOCKS[0]
#: The declared one next to one that ships; all that ship together run in other tests.
WORKFLOWS = {"cltv", "returns"}
COPIED = ("tdml_assets", "sql", "dbt_project", "pyproject.toml", "dagster.yaml", "workspace.yaml")
# One return in five lines, so that some hundred customers hold enough of them in every split.
SETTINGS = """\
sample: {customers: 600, return_share: 0.2, pageviews_per_order: 0.5, emails_per_month: 0.3}
warehouse: {threads: 1}
workflows:
  cltv: {monitor: {report: false}}
  returns: {monitor: {report: false}}
"""


class Ran:
    """The copy after its run."""

    def __init__(self, folder: Path, output: str, listed: list[dict[str, Any]]) -> None:
        self.folder, self.output, self.listed = folder, output, listed
        self.connection = duckdb.connect(str(folder / ".tdml" / "sample-state" / "warehouse.duckdb"), read_only=True)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def value(self, query: str) -> Any:
        ((found,),) = self.rows(query)
        return found

    def customers(self) -> set[str]:
        """Everybody known at as_of."""
        newest = "select max(snapshot_date) from features.snapshots"
        return {
            row[0]
            for row in self.rows(f"select customer_id from features.customer_features where snapshot_date = ({newest})")
        }


@pytest.fixture(scope="module")
def ran(made_once: Once, give_manifest: Callable[[Path], None]) -> Iterator[Ran]:
    made = made_once("fifth", lambda folder: run_the_copy(folder / "project", give_manifest))
    listed = (made / "listed.json").read_text(encoding="utf-8")
    done = Ran(made / "project", (made / "output.txt").read_text(encoding="utf-8"), _assets(listed))
    yield done
    done.connection.close()


def run_the_copy(folder: Path, give_manifest: Callable[[Path], None]) -> None:
    """Copy the project, declare the workflow, run; what was said is kept next to the copy."""
    folder.mkdir(parents=True)
    for home in (folder / ".tdml" / "sample-state", folder.parent / "listed"):
        give_manifest(home)
    unwanted = shutil.ignore_patterns("__pycache__", "target", "logs")
    for name in COPIED:
        source = project_root() / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=unwanted)
        else:
            shutil.copyfile(source, folder / name)
    declared = folder / "tdml_assets" / "workflows" / "returns"
    declared.mkdir()
    (declared / "defs.yaml").write_text(DECLARATION, encoding="utf-8")
    (folder / "tdml.yaml").write_text(SETTINGS, encoding="utf-8")

    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TDML_", "DAGSTER_"))}
    quiet = {"DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "true", "HOME": str(folder.parent)}
    environment = {**kept, **quiet, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}

    def start(*command: str, **more: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=folder, env={**environment, **more}, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    dg_command = str(Path(sys.executable).with_name("dg"))
    # The lists are drawn up next to the run, on a state folder of their own.
    checking = start(dg_command, "check", "yaml")
    running = start(sys.executable, "-m", "tdml_assets", "run")
    checked, _ = checking.communicate(timeout=120)
    listing = start(dg_command, "list", "defs", "--json", TDML_HOME=str(folder.parent / "listed"))
    listed, _ = listing.communicate(timeout=120)
    output, _ = running.communicate(timeout=240)
    assert checking.returncode == 0, checked
    assert listing.returncode == 0, listed[-3000:]
    assert running.returncode == 0, output[-5000:]
    (folder.parent / "listed.json").write_text(listed, encoding="utf-8")
    (folder.parent / "output.txt").write_text(output, encoding="utf-8")


def _assets(listed: str) -> list[dict[str, Any]]:
    """What ``dg list defs --json`` lists, behind whatever it said before."""
    start = listed.index("\n{\n") if "\n{\n" in listed else 0
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(listed[start:].lstrip())[0]["assets"]
    return found


def test_dagsters_own_tools_see_the_fifth_workflow_and_its_job(ran: Ran) -> None:
    keys = {asset["asset_key"] for asset in ran.listed}
    assert {f"{name}/predictions" for name in WORKFLOWS} <= keys
    assert {f"returns/{stage}" for stage in ("training_table", "prepared", "champion_model", "drift")} <= keys


def test_the_target_is_what_the_raw_orders_say(ran: Ran) -> None:
    """Counted afresh, on the raw orders: a return is a line of negative quantity or amount."""
    different, positives = ran.rows(
        """
        select
            count(*) filter (where target <> (select (count(*) > 0)::integer from raw.orders as o
                where o.customer_id = t.customer_id and (o.quantity < 0 or o.amount < 0)
                and o.ordered_on > t.snapshot_date and o.ordered_on <= t.snapshot_date + 90)),
            sum(target)
        from returns.training_table as t
        """
    )[0]
    assert different == 0
    assert positives > 100


def test_every_customer_has_the_new_attribute_as_a_probability(ran: Ran) -> None:
    rows = ran.rows("select customer_id, return_probability from audience.parent_segment_attributes")
    assert {customer for customer, _ in rows} == ran.customers()
    assert len(rows) == len(ran.customers()) > 400
    assert all(0 <= probability <= 1 for _, probability in rows)
    assert len({probability for _, probability in rows}) > 50
    ((unlike,),) = ran.rows(
        "select count(*) from audience.parent_segment_attributes as a left join returns.predictions as p "
        "using (customer_id) where a.return_probability is distinct from p.probability"
    )
    assert unlike == 0


def test_predictions_have_one_row_per_customer_and_measures_are_kept(ran: Ran) -> None:
    rows = ran.rows("select customer_id, probability, score, grade from returns.predictions")
    assert len(rows) == len({row[0] for row in rows}) == len(ran.customers())
    assert {row[3] for row in rows} <= {"A", "B", "C", "D"}
    measures = dict(
        ran.rows(
            "select metric, value from monitoring.model_metrics where workflow = 'returns' and evaluation_table = 'test'"
        )
    )
    assert 0.5 < measures["roc_auc"] < 0.95
    assert measures["log_loss"] < measures["constant_log_loss"]
    assert "Returns (returns), the 90 days after 2026-06-30" in ran.output


def test_all_five_workflows_publish_and_the_catalogue_says_what_each_column_and_a_null_mean(ran: Ran) -> None:
    catalogue = ran.rows('select "column", workflow, description from audience.attribute_catalog')
    described = ran.connection.execute("select * from audience.parent_segment_attributes limit 0").description
    assert [row[0] for row in catalogue] == [column[0] for column in described or []][2:]
    assert {workflow for _, workflow, _ in catalogue} == WORKFLOWS
    assert ("return_probability", "returns") in {row[:2] for row in catalogue}
    for _, workflow, description in catalogue:
        assert re.search(rf"NULL: (not scored by {workflow}|no recommendation of rank \d+)\.$", description)
    for name in WORKFLOWS:
        assert ran.value(f"select count(distinct customer_id) from {name}.predictions") == len(ran.customers())


def test_customers_unknown_to_a_workflow_keep_null_and_lose_nothing_else(ran: Ran, tmp_path: Path) -> None:
    """As where a workflow's latest scores are older than its newest customers."""
    path = tmp_path / "w.duckdb"
    shutil.copyfile(ran.folder / ".tdml" / "sample-state" / "warehouse.duckdb", path)
    unknown = sorted(ran.customers())[:7]
    specs = [spec_of(ran.folder, name) for name in sorted(WORKFLOWS)]
    publishing = [
        WorkflowAttributes(workflow=spec.name, attributes=tuple(for_horizons(spec.attributes, spec.horizons)))
        for spec in specs
    ]
    before = ran.rows("select * exclude (return_probability) from audience.parent_segment_attributes order by 1")
    session_id = ran.value("select distinct session_id from returns.predictions")
    as_of = ran.value("select distinct as_of from returns.predictions")
    with Warehouse(database=str(path), temp_directory=str(tmp_path / "spill")).write() as database:
        database.execute(Statement("delete from returns.predictions where customer_id in $who", {"who": unknown}))
        publish(database, publishing, session_id=session_id, as_of=as_of, expected_customers=len(before))
    with duckdb.connect(str(path), read_only=True) as connection:
        table = "audience.parent_segment_attributes"
        found = connection.execute(f"select customer_id from {table} where return_probability is null order by 1")
        assert [row[0] for row in found.fetchall()] == unknown
        query = f"select * exclude (return_probability) from {table} order by 1"
        assert connection.execute(query).fetchall() == before


def spec_of(folder: Path, name: str) -> WorkflowSpec:
    text = (folder / "tdml_assets" / "workflows" / name / "defs.yaml").read_text(encoding="utf-8")
    return WorkflowSpec.model_validate(yaml.safe_load(text)["attributes"])


def test_the_declaration_is_about_twenty_lines() -> None:
    assert len(DECLARATION.splitlines()) <= 24


@pytest.mark.parametrize("block", BLOCKS[1:])
def test_every_example_of_the_document_is_valid(block: str) -> None:
    spec = WorkflowSpec.model_validate({"name": "example", **yaml.safe_load(block)})
    model = ModelSpec(spec.estimator, spec.model.parameters, task=spec.task)
    assert spec.task in PythonEngine().learner(model).tasks


def test_the_documents_table_of_tasks_is_true() -> None:
    for task, kinds in TARGET_KINDS.items():
        line = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{task}` |"))
        cells = [re.findall("`([^`]+)`", cell) for cell in line.split("|")[1:-1]]
        assert cells[1] == list(kinds)
        assert cells[2] == [ESTIMATORS[task]]
        spec = WorkflowSpec(name="example", task=task, model=Model(reasons=0))  # type: ignore[arg-type]
        contract = (
            predictions_contract(spec.name) if task == "recommendation" else task_of(spec).predictions_contract(spec)
        )
        named = [column.name for column in contract.columns]
        assert named[:3] == ["session_id", "as_of", "customer_id"]
        assert cells[4] == named[3 : 3 + len(cells[4])]


def test_the_documents_columns_and_keys_are_those_there_are() -> None:
    assert all(f"`{column}`" in DOCUMENT for column in HISTORY)
    for source in EVENTS.values():
        assert all(f"`{column}`" in DOCUMENT for column in (*source.columns, *source.sums))
    known = {str(key).replace(".0.", "[].") for key in KEYS}
    keys = DOCUMENT.split("## Keys worth knowing")[1].split("## ")[0]
    named = {
        key
        for line in keys.splitlines()
        if line.startswith("| `")
        for key in re.findall("`([^`]+)`", line.split("|")[1])
    }
    assert len(named) > 15
    assert named <= known


def test_the_documents_errors_are_those_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_project(tmp_path, "with_a_wrong_declaration") / "returns"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    wrong = DECLARATION.replace("horizon_days:", "horizon_day:").replace("task: classification", "task: classify")
    (folder / "defs.yaml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ComponentTreeException) as caught:
        dg.ComponentTree.for_project(folder).get_all_components(of_type=WorkflowComponent)
    said = str(caught.value.__cause__).replace(str(folder), "tdml_assets/workflows/returns")
    assert sorted(said.splitlines()) == sorted(ERRORS[0].splitlines())
