"""SQL templates: from a file under ``sql/`` and a context to one statement with bound values.

Elsewhere: SQL itself (it lives in ``sql/``), connections (``warehouse.py``).

A template may print only what one of the filters returned:

* ``{{ name | identifier }}`` quotes one identifier; ``{{ ["cltv", "predictions"] | identifier }}`` a qualified one;
* ``{{ value | bind }}`` binds a value and prints its placeholder;
* ``{{ type | sql_type }}`` prints a column type after checking it against the known ones.

Anything else printed is an error, so neither a value nor a name can reach the statement unescaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdml_assets.platform.project_files import project_file

if TYPE_CHECKING:
    import jinja2

#: The dialect that statements are executed in.
DUCKDB = "duckdb"
_TYPE = re.compile(
    r"(VARCHAR|BOOLEAN|DOUBLE|FLOAT|BIGINT|INTEGER|SMALLINT|HUGEINT|DATE|TIMESTAMP|JSON|DECIMAL\(\d{1,2}, ?\d{1,2}\))"
    r"(\[\])?"
)


class SafeSql(str):
    """Text that is safe to print into a statement."""

    __slots__ = ()


@dataclass(frozen=True)
class Statement:
    """One SQL statement and the values bound to its placeholders.

    ``text``: the statement, in DuckDB's dialect. ``parameters``: value per placeholder name.
    """

    text: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def quote_identifier(name: str | Sequence[str]) -> str:
    """Quote one identifier, or a qualified one given as a sequence of parts.

    Raises ``ValueError`` if a part is empty or contains a NUL, which no quoting makes safe.
    """
    parts = [name] if isinstance(name, str) else list(name)
    for part in parts:
        if not isinstance(part, str) or not part or "\x00" in part:
            raise ValueError(f"{part!r} is not an identifier: it must be text of one character or more, without NUL")
    return SafeSql(".".join('"' + part.replace('"', '""') + '"' for part in parts))


def _sql_type(name: str) -> str:
    if not _TYPE.fullmatch(name):
        raise ValueError(f"{name!r} is not a column type this project uses")
    return SafeSql(name)


def _finalize(value: Any) -> str:
    if isinstance(value, SafeSql):
        return value
    raise ValueError(f"a template printed {value!r} as it is: use the filters identifier, bind or sql_type")


def sql_directory() -> Path:
    """Folder of the SQL files."""
    return project_file("sql")


def _own_template(name: str) -> str | None:
    """A part that a module of a user's own brings along, included by the path of its file."""
    path = Path(name)
    return path.read_text(encoding="utf-8") if path.is_absolute() and path.suffix == ".sql" else None


def template_environment() -> jinja2.Environment:
    """The templates, without the filters that print; only what one of them made safe is printed."""
    # Imported by what renders: definitions load without a statement.
    import jinja2

    return jinja2.Environment(  # noqa: S701 - SQL, not HTML: finalize is stricter than any escaping
        loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(sql_directory()), jinja2.FunctionLoader(_own_template)]),
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = template_environment()
    environment.filters["identifier"] = quote_identifier
    environment.filters["sql_type"] = _sql_type
    # Printed through the filter made for each rendering; registered so that templates compile.
    environment.filters["bind"] = jinja2.pass_context(_bind)
    return environment


def _bind(context: jinja2.runtime.Context, value: Any) -> str:
    import jinja2

    if isinstance(value, jinja2.Undefined):
        value._fail_with_undefined_error()
    bound: dict[str, Any] = context["__bound__"]
    name = f"p{len(bound)}"
    bound[name] = value
    return SafeSql(f"${name}")


def render(name: str, /, **context: Any) -> Statement:
    """Render the template ``sql/<name>.sql``. Raises ``ValueError`` if the template prints something that no filter made safe.

    ``name``: path below ``sql/`` without the ending, for instance ``"drift/moments"``. ``context``: what the template uses.
    """
    bound: dict[str, Any] = {}
    text = _environment().get_template(f"{name}.sql").render(**{"dialect": DUCKDB, **context}, __bound__=bound)
    return Statement(text=text, parameters=bound)
