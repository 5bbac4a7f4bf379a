"""Runs the statements of ``sql/session_report`` for one workflow up to one day.

Elsewhere: what a page is made of (``reading.py``, ``model.py``, ``overview.py``), SQL (``sql/session_report/``).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.statements import render

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database


class ReportReader:
    """Reads monitoring tables of one workflow; a table that is not there yet gives no rows.

    ``database``: open for reading. ``workflow``, ``session_id``, ``as_of``: bound as such in every statement. ``tables``: names
    of the tables in schema ``monitoring``; looked up once unless given.
    """

    def __init__(
        self, database: Database, workflow: str, session_id: str, as_of: date, tables: frozenset[str] | None = None
    ) -> None:
        self.database = database
        self.as_of = as_of
        self.session_id = session_id
        self.tables = monitoring_tables(database) if tables is None else tables
        self._key = {"workflow": workflow, "session_id": session_id, "as_of": as_of}

    def rows(self, name: str, contract: TableContract, **context: Any) -> list[dict[str, Any]]:
        """Rows of ``sql/session_report/<name>.sql`` over a table."""
        if contract.name not in self.tables:
            return []
        return self.database.rows(render(f"session_report/{name}", table=contract.path, **{**self._key, **context}))


def monitoring_tables(database: Database) -> frozenset[str]:
    """Names of the tables in schema ``monitoring``: asking for each takes longer than reading them."""
    return frozenset(row["table_name"] for row in database.rows(render("session_report/tables", schema="monitoring")))
