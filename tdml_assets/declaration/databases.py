"""What a source's declaration may say about a database: where its URL is, and which rows are read.

Elsewhere: connecting and reading (``stages/raw/databases.py``), what the columns mean (``sources.py``).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath
from typing import Annotated

from pydantic import AfterValidator, Field

from tdml_assets.declaration.files import FileSettings

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLE = re.compile(r"[^.\x00-\x1f]+(\.[^.\x00-\x1f]+)?")


def _variable_name(text: str) -> str:
    # The text is not shown: it may be the URL itself, with its password.
    if not _VARIABLE.fullmatch(text):
        raise ValueError(
            "url_env takes the name of an environment variable, such as SHOP_DATABASE_URL, which holds the URL: a URL is never "
            "written in the settings"
        )
    return text


def _table_name(text: str) -> str:
    if not _TABLE.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of a table: write name or schema.name, or the SELECT under query")
    return text


class DatabaseSettings(FileSettings):
    """Rows of a database, where there is no file."""

    url_env: Annotated[str, AfterValidator(_variable_name)] | None = Field(
        default=None,
        description="Name of the environment variable that holds the database's SQLAlchemy or ADBC URL; for format: database.",
    )
    table: Annotated[str, AfterValidator(_table_name)] | None = Field(
        default=None, description="Table or view of the database to read, as name or schema.name."
    )
    query: str | None = Field(default=None, min_length=1, description="SELECT whose rows are read, in place of table.")
    query_file: str | None = Field(
        default=None,
        min_length=1,
        description="File that holds the SELECT, in place of table; from the settings' folder.",
    )

    @property
    def database_name(self) -> str:
        """What the rows of a database are called in lineage: the variable, and the table, the query's file or its hash."""
        query_hash = hashlib.sha256((self.query or "").strip().encode()).hexdigest()[:8]
        named = self.table or (PurePath(self.query_file).name if self.query_file else f"query-{query_hash}")
        return f"database:{self.url_env}/{named}"

    def check_database(self, file_format: str, path: tuple[str, ...]) -> None:
        """Refuse keys of files where a database is read, and the other way round.

        Raises ``ValueError`` that names the key and what to write.
        """
        given = [name for name in ("table", "query", "query_file") if getattr(self, name) is not None]
        if file_format != "database":
            keys = [*(["url_env"] if self.url_env is not None else []), *given]
            if keys:
                raise ValueError(f"{keys[0]} is for format: database, and format is {file_format}: correct one of them")
            if not path:
                raise ValueError("path is missing: name a file, a folder, a pattern or a URL")
            return
        if path:
            raise ValueError("path is for files, and format is database: take path out, and name a table or a query")
        if self.url_env is None:
            raise ValueError(
                "url_env is missing: write the name of the environment variable that holds the database's URL"
            )
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"write one of table, query and query_file; found {found}")
        files = [name for name, item in FileSettings.model_fields.items() if getattr(self, name) != item.get_default()]
        if files:
            raise ValueError(f"{files[0]} is for files, and format is database: take it out")
