"""Files of rows in an object store: parts per session, a manifest behind them, and a pointer written last.

Belongs here: the layout, which ``s3`` and ``azure`` share. Does not: any one store's requests and errors.

    <prefix>/session=<session id>/part-<batch>.parquet    in mode replace every customer, in mode upsert those that changed
    <prefix>/session=<session id>/manifest.json           written behind the parts: names, bytes and rows
    <prefix>/latest.json                                  written last: what it names is complete at every instant

A batch has a name of its own that a second attempt gives it again, so that no row is there twice.
"""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tdml_assets.activation.protocol import Batch, Opening, Receipt

if TYPE_CHECKING:
    import pyarrow as pa


class PartsSettings(Protocol):
    """The keys that the layout is read from."""

    @property
    def key(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def format(self) -> Literal["parquet", "csv"]: ...


class PartsClient(ABC):
    """Writes parts, a manifest and a pointer.

    Parameters
    ----------
    prefix : of every name.
    root : address that the names follow, with a slash at its end.
    """

    def __init__(self, settings: PartsSettings, opening: Opening, prefix: str, root: str) -> None:
        self._given, self._opening, self._prefix, self._root = settings, opening, prefix, root
        self._partition = f"{prefix}/session={opening.session_id or 'none'}"
        self._rows: dict[str, int] = {}

    def send(self, batch: Batch) -> Receipt:
        """Write one part."""
        rows = batch.rows.num_rows
        name = self.part_name(f"{self._partition}/part-{batch.idempotency_key[:20]}", rows)
        with self.explained():
            self.put(name, _content(batch.rows, self._given.format), rows=rows)
        self._rows[name] = rows
        return Receipt()

    def finish(self) -> Mapping[str, Any]:
        """Write the manifest, then the pointer; nothing where nothing was sent."""
        if not self._rows:
            return {"location": self._given.url}
        with self.explained():
            parts = self._parts()
            manifest = {
                "format": 1,
                "session_id": self._opening.session_id,
                "as_of": self._opening.as_of,
                "mode": self._given.mode,
                "key": self._given.key,
                "rows": sum(part["rows"] for part in parts),
                "columns": [
                    {"name": self._given.key, "type": "VARCHAR"},
                    *({"name": c.name, "type": c.type} for c in self._opening.columns),
                ],
                "parts": parts,
            }
            key = f"{self._partition}/manifest.json"
            self.put(key, _json(manifest))
            pointer = {name: manifest[name] for name in ("format", "session_id", "as_of", "mode", "rows")}
            self.put(f"{self._prefix}/latest.json", _json({**pointer, "manifest": f"{self._root}{key}"}))
        return {"location": f"{self._root}{self._partition}", "rows": manifest["rows"]}

    def _parts(self) -> list[dict[str, Any]]:
        """Parts of the session. Of a replacement those of this sync alone; others, of an attempt that was killed, go."""
        found = []
        for name, size in list(self.names(f"{self._partition}/part-")):
            if name not in self._rows and self._given.mode == "replace":
                self.delete(name)
                continue
            rows = self._rows.get(name)
            found.append(
                {"name": name.rpartition("/")[2], "bytes": size, "rows": self.rows_of(name) if rows is None else rows}
            )
        return sorted(found, key=lambda part: str(part["name"]))

    def part_name(self, stem: str, rows: int) -> str:  # noqa: ARG002
        """Name of a part."""
        return f"{stem}.{self._given.format}"

    @abstractmethod
    def explained(self) -> AbstractContextManager[None]:
        """Give the store's errors as the core's."""

    @abstractmethod
    def put(self, name: str, content: bytes, rows: int | None = None) -> None:
        """Write an object, all of it or nothing."""

    @abstractmethod
    def names(self, prefix: str) -> Iterable[tuple[str, int]]:
        """Names that begin so, with their bytes."""

    @abstractmethod
    def rows_of(self, name: str) -> int:
        """Rows of a part that another attempt wrote."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object."""


def _content(rows: pa.Table, kind: str) -> bytes:
    target = io.BytesIO()
    if kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(rows, target, compression="zstd")
    else:
        import pyarrow.csv as pa_csv

        pa_csv.write_csv(rows, target)
    return target.getvalue()


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, default=str).encode()
