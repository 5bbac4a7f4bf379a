"""When rows reached the system that gives them: what a source says about late rows and corrections.

Elsewhere: which rows a day sees (``sql/raw``, ``dbt_project/``).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.source_values import ColumnName, TimestampFormats, refuse_literal_utc


class RecordedRows(Declaration):
    """Rows that may arrive late, or be corrected."""

    recorded_at: ColumnName | None = Field(
        default=None,
        description="Column that tells when the row, as it is, reached your system. A past day then sees only what was recorded by "
        "its end: late rows, corrections and statuses that change later no longer change it. Of the rows of one line_key the one "
        "recorded last counts.",
    )
    recorded_at_format: TimestampFormats | None = Field(
        default=None, description="Format of recorded_at where it is text; else timestamp_format."
    )

    @model_validator(mode="after")
    def _records_are_usable(self) -> RecordedRows:
        source: Any = self
        if self.recorded_at is None:
            if self.recorded_at_format is not None:
                raise ValueError("recorded_at_format has no column: write recorded_at: COLUMN, or leave the format out")
            return self
        refuse_literal_utc(self.recorded_at_format or (), "recorded_at_format", source.timezone)
        if source.updated_at is not None:
            raise ValueError(
                "updated_at and recorded_at both tell which row of a line_key is the latest: keep recorded_at, and leave "
                "updated_at out"
            )
        if self.recorded_at == source.mapped[source.moment]:
            raise ValueError(
                f"recorded_at is the column of columns.{source.moment}: name the column that tells when rows were loaded or "
                "changed, or leave recorded_at out"
            )
        if source.line_key and getattr(source, "is_by_order", False):
            raise ValueError(
                "recorded_at with line_key needs lines that are read one by one, since an earlier state of a line has no share of "
                "its order's total: leave out line_key, or carry, amount_level: order, refund_level: order and "
                "columns.parent_order_id"
            )
        return self
