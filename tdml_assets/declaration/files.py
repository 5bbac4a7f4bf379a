"""What a source's declaration may say about its files and folders.

Elsewhere: what its columns mean (``sources.py``), reading files (``stages/raw/``).
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.formats import format_named, known_formats
from tdml_assets.declaration.source_values import ColumnName

#: Keys that only some formats read.
_OF_SOME = ("skip_rows", "skip_footer_rows", "records", "sheet")


class FileSettings(Declaration):
    """Where the rows of a source's files begin, and what their folders say."""

    recursive: bool = Field(
        default=False, description="Whether folders named by path are searched below, at any depth."
    )
    hive_keys: tuple[ColumnName, ...] = Field(
        default=(),
        description="Keys of folders such as order_date=2024-01-31 that every file must have. A key that is mapped is read without "
        "being listed here, unless the file has a column of that name.",
    )
    records: ColumnName | None = Field(
        default=None,
        description='Key of the list that holds the rows of a JSON file, as in {"orders": [...]}; or a path such as data.orders.',
    )
    other_names: dict[ColumnName, tuple[ColumnName, ...]] = Field(
        default={},
        description="Other names of a column, in files from before or after it was renamed: of each file the first that is there "
        "is read. Not for json.",
    )
    skip_rows: int = Field(
        default=0, ge=0, description="Lines before the header, or before the first row, that are not data."
    )
    skip_footer_rows: int = Field(
        default=0, ge=0, description="Rows at the end that are not data, such as a total: set aside as footer_row."
    )
    member: str | None = Field(
        default=None, min_length=1, description="File to read of a zip archive; not needed where it holds one."
    )
    options: dict[str, Any] = Field(
        default={}, description="Keys of a format of your own, as its module declares them."
    )
    sheet: str | None = Field(
        default=None, min_length=1, description="Sheet to read of a .xlsx file; not needed where it has one."
    )

    @model_validator(mode="after")
    def _are_of_the_format(self) -> Self:
        found = format_named(getattr(self, "format", ""))
        wrong = next((key for key in _OF_SOME if getattr(self, key) and key not in found.keys), None)
        if wrong is not None:
            formats = " and ".join(name for name, known in known_formats().items() if wrong in known.keys)
            raise ValueError(
                f"{wrong} has no effect with format {found.name}, only with {formats}: take it out, or correct format"
            )
        if self.other_names and found.name == "json":
            raise ValueError(
                "other_names is not for json, where each object has keys of its own: rename the key in the files"
            )
        if found.options is not None:
            _require_options(found.options, self.options)
        elif self.options:
            raise ValueError(f"options are keys of a format of your own, and format {found.name} has none: take it out")
        return self


def _require_options(model: type[BaseModel], options: dict[str, Any]) -> None:
    try:
        model.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("options", *first["loc"])))
        words = f"{place}: {first['msg']}"
    else:
        return
    raise ValueError(words)
