"""The dbt project as its compiled manifest describes it: models in order, data tests, and what only dbt itself can run.

Elsewhere: making it (``dbt_manifest.py``), running what it holds (``asset.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from tdml_assets.platform.contracts import Column, TableContract

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Model:
    """One dbt model as it is run.

    ``schema``, ``name``: where it is built. ``is_view``: whether it is a view rather than a table. ``sql``: its compiled
    statement. ``unique_id``: dbt's name of it. ``reads``: unique ids of the models it reads. ``contract``: columns with types
    and NOT NULL, where dbt enforces them; None elsewhere. ``by_customer``: whether its rows of a customer are made of nothing but
    rows of that customer, and stay as they are from day to day while no row comes. ``in_parts``: whether they are made of nothing
    but rows of that customer.
    """

    schema: str
    name: str
    is_view: bool
    sql: str
    unique_id: str = ""
    reads: tuple[str, ...] = ()
    contract: TableContract | None = None
    by_customer: bool = False
    in_parts: bool = False

    @property
    def path(self) -> tuple[str, str]:
        """Schema and name."""
        return (self.schema, self.name)


@dataclass(frozen=True)
class DataTest:
    """One data test of a model: it passes where its statement returns no row.

    ``name``: of the test. ``description``: what must hold. ``model``: unique id of the model it looks at. ``sql``: its compiled
    statement. ``is_error``: whether a failure stops what reads the model; else it is a warning. ``unique_id``: dbt's name of
    it.
    """

    name: str
    description: str
    model: str
    sql: str
    is_error: bool
    unique_id: str


def models_in_order(manifest: Manifest) -> tuple[Model, ...]:
    """List the models of a compiled manifest, each after those it reads.

    Raises ``ValueError`` if a model carries no compiled statement: the manifest was parsed, not compiled.
    """
    nodes = dict(_nodes(manifest, "model"))
    graph = {key: [parent for parent in nodes[key]["depends_on"]["nodes"] if parent in nodes] for key in sorted(nodes)}
    return tuple(
        Model(
            schema=nodes[key]["schema"],
            name=nodes[key]["name"],
            is_view=nodes[key]["config"]["materialized"] == "view",
            sql=_compiled(key, nodes[key]),
            unique_id=key,
            reads=tuple(graph[key]),
            contract=_contract_of(nodes[key]),
            by_customer=_is_by_customer(nodes[key]),
            in_parts=_is_in_parts(nodes[key]),
        )
        for key in TopologicalSorter(graph).static_order()
    )


def data_tests(manifest: Manifest) -> tuple[DataTest, ...]:
    """List the data tests of a compiled manifest that look at a model."""
    return tuple(
        DataTest(
            name=node["name"],
            description=node["description"],
            model=node["attached_node"],
            sql=_compiled(key, node),
            is_error=node["config"]["severity"].lower() == "error",
            unique_id=key,
        )
        for key, node in sorted(_nodes(manifest, "test"))
        if (node.get("attached_node") or "").startswith("model.")
    )


def sources_of(manifest: Manifest) -> tuple[tuple[str, str], ...]:
    """Schema and name of every table that the project reads and does not build."""
    return tuple(sorted((source["schema"], source["name"]) for source in manifest["sources"].values()))


def catalog_of(manifest: Manifest) -> str:
    """Name of the database that the compiled statements mention."""
    return str(next(node["database"] for _, node in _nodes(manifest, "model")))


def only_dbt_can_run(manifest: Manifest) -> tuple[str, ...]:
    """List what the project asks for beyond plain tables, views and data tests; empty where nothing.

    An incremental model, a seed, a hook, a test with its own threshold and the like have rules of their own, which are dbt's.
    """
    return tuple(f"{key}: {what}" for key, node in sorted(manifest["nodes"].items()) for what in _beyond(node))


#: Settings of a model that change how it is built.
_OTHER_RULES = (
    "pre-hook",
    "post-hook",
    "sql_header",
    "indexes",
    "grants",
    "persist_docs",
    "partitioned_by",
    "sorted_by",
)
#: Settings of a data test that have other rules than "no row passes", and their plain values.
_PLAIN_TEST = {"fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0", "limit": None, "where": None}

#: Types that DuckDB calls as a contract may, so that both can be compared as text.
_EXACT_TYPES = {
    "BIGINT",
    "BOOLEAN",
    "DATE",
    "DOUBLE",
    "FLOAT",
    "HUGEINT",
    "INTEGER",
    "SMALLINT",
    "TIMESTAMP",
    "VARCHAR",
}


def _beyond(node: Mapping[str, Any]) -> Iterator[str]:
    kind = node["resource_type"]
    if kind == "model":
        yield from _beyond_a_model(node)
    elif kind == "test":
        yield from _beyond_a_test(node)
    else:
        yield kind


def _beyond_a_model(node: Mapping[str, Any]) -> Iterator[str]:
    config, columns = node["config"], list(node["columns"].values())
    is_enforced = config["contract"]["enforced"]
    if node["language"] != "sql" or config["materialized"] not in ("table", "view"):
        yield f"{node['language']} model, materialized as {config['materialized']}"
    yield from (key for key in _OTHER_RULES if config.get(key))
    constraints = [*node["constraints"], *(one for column in columns for one in column["constraints"])]
    yield from sorted({f"constraint {one['type']}" for one in constraints} - {"constraint not_null"})
    if is_enforced and config["materialized"] == "view":
        yield "contract of a view"
    if is_enforced:
        others = (column for column in columns if str(column["data_type"]).upper() not in _EXACT_TYPES)
        yield from (f"column {column['name']} of type {column['data_type']}" for column in others)


def _beyond_a_test(node: Mapping[str, Any]) -> Iterator[str]:
    config = node["config"]
    if not (node.get("attached_node") or "").startswith("model."):
        yield "data test of no model"
    yield from (f"{key} {config.get(key)}" for key, plain in _PLAIN_TEST.items() if config.get(key) != plain)
    if config.get("store_failures"):
        yield "store_failures"


def _nodes(manifest: Manifest, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((key, node) for key, node in manifest["nodes"].items() if node["resource_type"] == kind)


def _compiled(key: str, node: Mapping[str, Any]) -> str:
    if not node.get("compiled_code"):
        raise ValueError(f"{key} has no compiled_code in the dbt manifest: make it with dbt compile, not dbt parse")
    return str(node["compiled_code"])


def _is_by_customer(node: Mapping[str, Any]) -> bool:
    config = node["config"]
    is_plain = config["materialized"] == "table" and not config.get("contract", {}).get("enforced")
    return is_plain and config.get("meta", {}).get("incremental_by") == "customer"


def _is_in_parts(node: Mapping[str, Any]) -> bool:
    config = node["config"]
    meta = config.get("meta", {})
    return config["materialized"] == "table" and "customer" in (meta.get("incremental_by"), meta.get("parts_by"))


def _contract_of(node: Mapping[str, Any]) -> TableContract | None:
    if not node["config"].get("contract", {}).get("enforced"):
        return None
    columns = tuple(
        Column(
            name,
            column["data_type"].upper(),
            column["description"],
            nullable=all(constraint["type"] != "not_null" for constraint in column["constraints"]),
        )
        for name, column in node["columns"].items()
    )
    return TableContract(node["schema"], node["name"], node["description"], columns)
