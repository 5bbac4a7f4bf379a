"""A state folder that exports: published attributes, lists in files, and everything that lies in the folder of exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from tdml_assets.commands.app import app
from tdml_assets.settings import load_settings
from tdml_assets.stages.audience.files_asset import build_files
from tests.activation.conftest import Published


class Exporting:
    """Sessions that export, under lists that the test writes."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.files = folder, folder / "exports" / "parent_segment_attributes"
        self.published = Published(folder)
        self._environment = {"TDML_CONFIG": str(folder / "tdml.yaml"), "TDML_HOME": str(folder)}
        for name, value in self._environment.items():
            patch.setenv(name, value)

    def declare(self, *lists: str, **files: Any) -> None:
        """Write the settings: which lists there are, and keys of the exports."""
        columns = {"customer_id": "who", "purpose": "what", "destination": "where"}
        sources = {name: {"path": f"{name}.csv", "format": "csv", "columns": dict(columns)} for name in lists}
        if "consent" in sources:
            sources["consent"]["columns"]["allowed"] = "given"
        content = {"sources": sources, "destinations": {"files": files}}
        (self.folder / "tdml.yaml").write_text(json.dumps(content), encoding="utf-8")

    def write(self, name: str, *lines: str) -> None:
        """Write a list: lines of who, what, where and, for consents, given."""
        (self.folder / f"{name}.csv").write_text("\n".join(["who,what,where,given", *lines]) + "\n", encoding="utf-8")

    def publish(self, rows: dict[str, tuple[float, str]]) -> None:
        """Publish attributes, with a whole catalogue."""
        self.published.publish(rows)
        self.published.run(
            "create or replace table audience.attribute_catalog as select *, 'VARCHAR' as type, 'churn' as \"grouping\", "
            "'words' as description from audience.attribute_catalog"
        )

    def export(self) -> dg.ExecuteInProcessResult:
        """One session's export."""
        settings = load_settings(self._environment)
        return dg.materialize([build_files(settings, [], 12)], resources={"warehouse": self.published.warehouse})

    def command(self, *words: str) -> Result:
        """``tdml-assets export``."""
        return CliRunner().invoke(app, ["export", *words])

    def latest(self) -> tuple[list[str], dict[str, Any]]:
        """Customers of the latest export, and its manifest."""
        latest = self.files / "latest"
        customers = pq.read_table(latest / "attributes.parquet")["customer_id"].to_pylist()
        lines = (latest / "attributes.csv").read_text(encoding="utf-8").splitlines()
        manifest = json.loads((latest / "manifest.json").read_text(encoding="utf-8"))
        assert len(lines) == len(customers) + 1
        assert manifest["rows"] == len(customers)
        return customers, manifest

    def holding(self, customer: str) -> list[str]:
        """Files of the folder of exports, and what ``export`` writes, that hold a customer."""
        found = [str(path) for path in self.files.rglob("*.csv") if customer in path.read_text(encoding="utf-8")]
        found += [
            str(path)
            for path in self.files.rglob("*.parquet")
            if customer in pq.read_table(path)["customer_id"].to_pylist()
        ]
        return found
