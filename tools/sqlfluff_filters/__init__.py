"""The filters of ``tdml_assets/platform/statements.py`` for sqlfluff: what each prints, for a value that is made up."""


def _identifier(value: object) -> str:
    """A name: the value's own where a template gives one, so that a column keeps its name throughout the statement."""
    parts = value if isinstance(value, list | tuple) else [value]
    return ".".join('"' + str(part).strip() + '"' for part in parts)


def _bind(value: object) -> str:
    del value
    return "1"


def _sql_type(value: object) -> str:
    del value
    return "varchar"


SQLFLUFF_JINJA_FILTERS = {"identifier": _identifier, "bind": _bind, "sql_type": _sql_type}
