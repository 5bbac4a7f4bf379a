"""Statements for other engines: the same templates, printed with literals in a dialect.

Elsewhere: templates (``sql/``), statements that are executed here, whose values are bound (``statements.py``), translating
SQL: a template says what an engine writes in another form.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from tdml_assets.platform.statements import SafeSql, template_environment

_BACKTICKS = {"hive", "spark"}
DIALECTS = ("hive", "trino", "spark", "duckdb")
_TYPES: Mapping[str, Mapping[str, str]] = {
    "hive": {"DOUBLE": "double", "FLOAT": "float"},
    "spark": {"DOUBLE": "double", "FLOAT": "float"},
    "trino": {"DOUBLE": "double", "FLOAT": "real"},
    "duckdb": {"DOUBLE": "double", "FLOAT": "float"},
}


def render_for(dialect: str, template: str, /, **context: Any) -> str:
    """Print the template ``sql/<template>.sql`` as a statement of an engine.

    ``dialect``: one of :data:`DIALECTS`; the template sees it as ``dialect``. Raises ``ValueError`` for another dialect, or a name,
    type or value that it cannot write.
    """
    if dialect not in DIALECTS:
        raise ValueError(f"{dialect!r} is not a dialect: use one of {', '.join(DIALECTS)}")
    filters: dict[str, Callable[[Any], SafeSql]] = {
        "identifier": lambda name: _identifier(dialect, name),
        "sql_type": lambda name: _type(dialect, name),
        "bind": lambda value: _literal(dialect, value),
    }
    environment = template_environment()
    environment.filters.update(filters)
    text = environment.get_template(f"{template}.sql").render(**context, dialect=dialect)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def _identifier(dialect: str, name: Any) -> SafeSql:
    parts = [name] if isinstance(name, str) else list(name)
    if not parts or not all(isinstance(part, str) and part and part.isprintable() for part in parts):
        raise ValueError(f"{name!r} is not a name that {dialect} can write")
    mark = "`" if dialect in _BACKTICKS else '"'
    return SafeSql(".".join(mark + part.replace(mark, mark * 2) + mark for part in parts))


def _type(dialect: str, name: str) -> SafeSql:
    if name not in _TYPES[dialect]:
        raise ValueError(f"{name!r} has no type of {dialect} here")
    return SafeSql(_TYPES[dialect][name])


def _literal(dialect: str, value: Any) -> SafeSql:
    if value is None:
        return SafeSql("null")
    if isinstance(value, bool):
        return SafeSql("true" if value else "false")
    if isinstance(value, int):
        return SafeSql(str(value))
    if isinstance(value, float) and math.isfinite(value):
        # With an exponent it is a double everywhere; without one it is a decimal in some engines.
        text = repr(value) if "e" in repr(value) else f"{value!r}e0"
        return SafeSql(f"({text})" if value < 0 else text)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return SafeSql(f"date '{value.isoformat()}'")
    if isinstance(value, str) and not re.search(r"[\x00-\x1f]", value):
        # Where a backslash escapes, two quotes are two texts.
        backslash = value.replace("\\", "\\\\").replace("'", "\\'")
        return SafeSql(f"'{backslash}'" if dialect in _BACKTICKS else "'" + value.replace("'", "''") + "'")
    raise ValueError(f"{value!r} cannot be written as a literal of {dialect}")
