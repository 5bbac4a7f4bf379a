"""What a raw table holds after a load. Elsewhere: loading (``tables.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tdml_assets.platform.contracts import TableContract
from tdml_assets.stages.raw.meanings import StatusCount


@dataclass(frozen=True)
class FileLoad:
    """One file of a raw table."""

    name: str
    sha256: str
    rows_read: int
    rows_accepted: int
    rows_rejected: int


@dataclass(frozen=True)
class LoadReport:
    """What a raw table holds after a load.

    ``contract``: the table as it was written.
    ``files``: its files.
    ``reasons``: rejected rows per reason code, the most frequent first.
    ``first_day``, ``last_day``: days covered, in the source's zone; ``None`` for a table without days or rows.
    ``months``: calendar months with rows.
    ``is_unchanged``: whether nothing had to be done.
    ``is_declared``: whether the source is in the settings.
    ``duplicate_files``: files skipped because another one has the same content.
    ``new_columns``: columns that were in no file of the load before; recorded and ignored.
    ``grouped_keys``: line keys that several lines of a file share, where the key does not tell lines apart; 0 for an unchanged
      table.
    ``lacking_columns``: optional columns that files lack, as ``file: column``; they have no value there.
    ``statuses``: of the orders, what each counts as, with rows and money; empty for other tables and without the column.
    """

    contract: TableContract
    files: tuple[FileLoad, ...]
    reasons: dict[str, int]
    first_day: date | None
    last_day: date | None
    months: int
    is_unchanged: bool
    is_declared: bool
    duplicate_files: tuple[str, ...]
    new_columns: tuple[str, ...]
    lacking_columns: tuple[str, ...] = ()
    statuses: tuple[StatusCount, ...] = ()
    grouped_keys: int = 0

    @property
    def rows_read(self) -> int:
        """Rows in the files."""
        return sum(file.rows_read for file in self.files)

    @property
    def files_without_rows(self) -> tuple[str, ...]:
        """Files that have a header and nothing below it."""
        return tuple(file.name for file in self.files if not file.rows_read)

    @property
    def rows_accepted(self) -> int:
        """Rows in the raw table."""
        return sum(file.rows_accepted for file in self.files)

    @property
    def rows_rejected(self) -> int:
        """Rows in ``raw.rejected_rows`` for this source."""
        return sum(file.rows_rejected for file in self.files)
