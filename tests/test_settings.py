from datetime import date
from pathlib import Path

import pytest

from tdml_assets.component import check_known, effective_spec
from tdml_assets.declaration.workflow import Target, WorkflowSpec
from tdml_assets.settings import SettingsError, load_settings

CLTV = WorkflowSpec(name="cltv", target=Target(horizon_days=90))


def write(folder: Path, text: str) -> dict[str, str]:
    (folder / "tdml.yaml").write_text(text, encoding="utf-8")
    return {"TDML_CONFIG": "tdml.yaml"}


def test_without_a_file_the_sample_is_used_and_has_a_state_folder_of_its_own(tmp_path: Path) -> None:
    settings = load_settings({}, working_folder=tmp_path)
    assert settings.uses_sample
    assert settings.home == tmp_path / ".tdml" / "sample-state"
    assert settings.warehouse_path == tmp_path / ".tdml" / "sample-state" / "warehouse.duckdb"
    assert settings.as_of == "latest"


def test_declared_orders_have_the_default_state_folder(tmp_path: Path) -> None:
    columns = "{customer_id: a, ordered_at: b, amount: c}"
    orders = f"{{path: o.csv, format: csv, timestamp_format: '%Y-%m-%d', currency: GBP, columns: {columns}}}"
    settings = load_settings(write(tmp_path, f"sources:\n  orders: {orders}\n"), working_folder=tmp_path)
    assert settings.home == tmp_path / ".tdml"


def test_the_environment_overrides_every_key(tmp_path: Path) -> None:
    environment = write(tmp_path, "as_of: 2020-01-01\nwarehouse: {threads: 1}\n") | {
        "TDML_AS_OF": "2021-02-03",
        "TDML_WAREHOUSE__MEMORY_LIMIT_GB": "1.5",
        "TDML_HOME": "elsewhere",
    }
    settings = load_settings(environment, working_folder=tmp_path)
    assert settings.as_of == date(2021, 2, 3)
    assert (settings.warehouse.threads, settings.warehouse.memory_limit_gb) == (1, 1.5)
    assert settings.home == tmp_path / "elsewhere"


@pytest.mark.parametrize("text", ["workflows: [cltv]\n", "workflows:\n  cltv:\n"])
def test_the_environment_reaches_into_a_workflow_however_it_is_named(tmp_path: Path, text: str) -> None:
    environment = write(tmp_path, text) | {"TDML_WORKFLOWS__CLTV__TARGET__HORIZON_DAYS": "91"}
    settings = load_settings(environment, working_folder=tmp_path)
    assert settings.workflows == {"cltv": {"target": {"horizon_days": 91}}}


def test_an_override_of_one_workflow_leaves_the_others_running(tmp_path: Path) -> None:
    settings = load_settings({"TDML_WORKFLOWS__CLTV__TARGET__HORIZON_DAYS": "91"}, working_folder=tmp_path)
    changed, other = effective_spec(CLTV, settings), WorkflowSpec(name="other")
    assert changed is not None
    assert changed.target.horizon_days == 91
    assert effective_spec(other, settings) == other
    check_known(settings, {"cltv": CLTV, "other": other})


def test_a_whole_section_can_be_given_and_an_empty_one_filled(tmp_path: Path) -> None:
    whole = load_settings({"TDML_WAREHOUSE": "{memory_limit_gb: 7}"}, working_folder=tmp_path)
    assert whole.warehouse.memory_limit_gb == 7
    environment = write(tmp_path, "warehouse:\n") | {"TDML_WAREHOUSE__THREADS": "1"}
    assert load_settings(environment, working_folder=tmp_path).warehouse.threads == 1


def test_a_variable_that_is_not_a_yaml_is_named_and_an_empty_home_is_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TDML_TIER is not readable YAML"):
        load_settings({"TDML_TIER": "a: ["}, working_folder=tmp_path)
    assert load_settings({"TDML_HOME": ""}, working_folder=tmp_path).home == tmp_path / ".tdml" / "sample-state"


def test_urls_are_resolved_from_the_files_folder_and_s3_is_left_alone(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "models_url: m\nexports_url: s3://b/x\n"), working_folder=tmp_path)
    assert settings.effective_models_url == str(tmp_path / "m")
    assert settings.effective_exports_url == "s3://b/x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("as_off: latest", r"tdml.yaml: as_off: unknown key; did you mean 'as_of'\?"),
        (
            "sources: {quality: {min_rows: 20}}",
            "sources.quality: quality does not belong here: write it at the top of the file",
        ),
        ("min_rows: 20", r"min_rows does not belong here: write it under quality: \{min_rows: \.\.\.\}"),
        ("warehouse: {thread: 2}", r"warehouse.thread: unknown key; did you mean 'threads'\?"),
        ("warehouse: {threads: two}", r"warehouse.threads: .*integer.*found 'two'"),
        ("as_of: someday", r"^tdml.yaml: as_of: write latest, or a day such as 2026-06-30 \(found 'someday'\)$"),
        ("as_of: 7", r"as_of: write latest, or a day such as 2026-06-30 \(found 7\)"),
        ("models_url: gs://b/x", r"models_url: write a folder, or s3://bucket/prefix.*found 'gs://b/x'"),
        ("exports_url: s3:///x", r"exports_url: write a folder, or s3://bucket/prefix"),
        ("tier: tier1\ntier: tier2", r"the key 'tier' is given twice"),
        ("tier: huge", r"tier: .*'tier1', 'tier2' or 'machine'.*found 'huge'"),
        ("home: /x", r"home: not a key of the file; the state folder is set by TDML_HOME"),
        ("- a\n- b", r"must hold keys and values, not a list"),
        ("a: [", r"not readable YAML"),
    ],
)
def test_a_wrong_setting_names_the_key_the_value_and_the_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(write(tmp_path, text), working_folder=tmp_path)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"(?s)as_of.*tier"):
        load_settings(write(tmp_path, "as_of: x\ntier: y\n"), working_folder=tmp_path)


def test_a_settings_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TDML_CONFIG names .*nowhere.yaml, which is not a file"):
        load_settings({"TDML_CONFIG": "nowhere.yaml"}, working_folder=tmp_path)


def test_overrides_reach_into_a_workflow_and_leave_the_rest(tmp_path: Path) -> None:
    settings = load_settings(
        write(tmp_path, "workflows: {cltv: {target: {horizon_days: 181}}}"), working_folder=tmp_path
    )
    spec = effective_spec(CLTV, settings)
    assert spec is not None
    assert spec.target == Target(horizon_days=181)
    assert spec.model_copy(update={"target": CLTV.target}) == CLTV


@pytest.mark.parametrize(("mapped", "published"), [("", ["a"]), (", product_name: d", ["a", "b"])])
@pytest.mark.parametrize("workflows", ["", "workflows: {nbp: {}}"])
def test_an_attribute_that_needs_a_column_is_published_where_the_orders_have_it(
    tmp_path: Path, mapped: str, published: list[str], workflows: str
) -> None:
    columns = f"{{customer_id: a, ordered_at: b, amount: c{mapped}}}"
    orders = f"{{path: o.csv, format: csv, timestamp_format: '%Y-%m-%d', currency: GBP, columns: {columns}}}"
    text = f"sources:\n  orders: {orders}\n{workflows}\n"
    settings = load_settings(write(tmp_path, text), working_folder=tmp_path)
    ranked = {"type": "string", "rank": 1, "description": "d"}
    attributes = [
        {**ranked, "name": "a", "column": "product_id"},
        {**ranked, "name": "b", "column": "product_name", "needs": "product_name"},
    ]
    declared = WorkflowSpec.model_validate({"name": "nbp", "task": "recommendation", "attributes": attributes})
    spec = effective_spec(declared, settings)
    assert spec is not None
    assert [one.name for one in spec.attributes] == published


def test_a_workflow_that_is_not_listed_does_not_run(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "workflows: [churn]"), working_folder=tmp_path)
    assert effective_spec(CLTV, settings) is None
    with pytest.raises(SettingsError, match="churn is not declared; known: cltv"):
        check_known(settings, {"cltv": CLTV})


def test_a_wrong_override_names_the_workflow_and_the_key(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, "workflows: {cltv: {target: {horizon: 9}}}"), working_folder=tmp_path)
    with pytest.raises(
        SettingsError, match=r"workflows.cltv: target.horizon: unknown key; did you mean 'horizon_days'\?"
    ):
        effective_spec(CLTV, settings)
