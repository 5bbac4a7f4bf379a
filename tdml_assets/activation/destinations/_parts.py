"""Files of rows in an object store: parts per session, a manifest behind them, and a pointer written last.

    <prefix>/session=<session id>/part-<batch>.parquet    in mode replace every customer, in mode upsert those that changed
    <prefix>/session=<session id>/manifest.json           written behind the parts: names, bytes and rows
    <prefix>/latest.json                                  written last: what it names is complete at every instant

A batch has a name of its own that a second attempt gives it again, so that no row is there twice.
"""

from __future__ import annotations

import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from tdml_assets.activation.protocol import Batch, DestinationError, Opening, Receipt, TransientError
from tdml_assets.declaration.addresses import has_credentials
from tdml_assets.declaration.destinations import DestinationSettings, Mode
from tdml_assets.platform.remote_errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa


class PartsSettings(DestinationSettings):
    """Keys of both stores; the address is that of each."""

    modes: ClassVar[tuple[Mode, ...]] = ("upsert", "replace")
    removes: ClassVar[bool] = False
    erases: ClassVar[bool] = True

    #: Pattern of the address, and what to write where it does not fit.
    address: ClassVar[tuple[str, str]]

    url: str
    mode: Mode = Field(default="replace", description="replace: every customer; upsert: only those that changed.")
    format: Literal["parquet", "csv"] = Field(default="parquet", description="Format of the parts.")
    batch_rows: int = Field(default=200_000, ge=1, le=1_000_000, description="Rows of one part.")

    @field_validator("url")
    @classmethod
    def _place_and_prefix(cls, value: str) -> str:
        pattern, remedy = cls.address
        if has_credentials(value) or not re.fullmatch(pattern, value):
            raise ValueError(remedy)
        return value


class PartsClient(ABC):
    """Writes parts, a manifest and a pointer.

    ``prefix``: of every name. ``root``: address that the names follow, with a slash at its end.
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

    def erase(self, customer: str) -> None:
        """Write every part of every session that holds the customer anew, and the manifests that name it.

        A part may get another name by it: the old one goes when no manifest names it any more.
        """
        with self.explained():
            names = [name for name, _ in self.names(f"{self._prefix}/session=")]
            for name in names:
                if name.endswith("/manifest.json"):
                    self._erase_session(name, customer)
            # Parts that no manifest names yet are of an attempt that was killed, which the next sync goes on with.
            for name in names:
                changed = self._rewritten(name, customer) if "/part-" in name else None
                if changed is not None and not name.endswith(f"/{changed['name']}"):
                    self.delete(name)

    def _erase_session(self, key: str, customer: str) -> None:
        manifest, folder = json.loads(self.get(key)), key.rpartition("/")[0]
        parts, doomed = [], []
        for part in manifest["parts"]:
            name = f"{folder}/{part['name']}"
            changed = self._rewritten(name, customer)
            parts.append(part if changed is None else changed)
            if changed is not None and changed["name"] != part["name"]:
                doomed.append(name)
        if parts == manifest["parts"]:
            return
        rows = sum(part["rows"] for part in parts)
        self.put(key, _json({**manifest, "rows": rows, "parts": parts}))
        pointer_key = f"{self._prefix}/latest.json"
        pointer = json.loads(self.get(pointer_key))
        if pointer["manifest"] == f"{self._root}{key}":
            self.put(pointer_key, _json({**pointer, "rows": rows}))
        for name in doomed:
            self.delete(name)

    def _rewritten(self, name: str, customer: str) -> dict[str, Any] | None:
        """Write a part anew without the customer. Gives what the manifest says of it; None where it does not hold them."""
        import pyarrow.compute as pc

        try:
            content = self.get(name)
        except FileNotFoundError:
            return None
        rows = _rows(content, self._given.format)
        kept = rows.filter(pc.not_equal(rows.column(self._given.key), customer))
        if kept.num_rows == rows.num_rows:
            return None
        folder, _, last = name.rpartition("/")
        new = self.part_name(f"{folder}/{'-'.join(last.partition('.')[0].split('-')[:2])}", kept.num_rows)
        written = _content(kept, self._given.format)
        self.put(new, written, rows=kept.num_rows)
        return {"name": new.rpartition("/")[2], "bytes": len(written), "rows": kept.num_rows}

    def part_name(self, stem: str, rows: int) -> str:  # noqa: ARG002
        """Name of a part."""
        return f"{stem}.{self._given.format}"

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Give the store's errors as the core's."""
        try:
            yield
        except TransientError as error:
            raise TransientError(f"{self._root}: {error.reason}", error.wait_seconds) from None
        except StoreError as error:
            raise DestinationError(f"cannot write to {self._given.url} ({error.code}): {error.words}") from None

    @abstractmethod
    def put(self, name: str, content: bytes, rows: int | None = None) -> None:
        """Write an object, all of it or nothing."""

    @abstractmethod
    def get(self, name: str) -> bytes:
        """Content of an object. Raises ``FileNotFoundError`` where there is none."""

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


def _rows(content: bytes, kind: str) -> pa.Table:
    if kind == "parquet":
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(content))
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    # As text: what is written again is what was read, but for the rows that are left out.
    names = pa_csv.open_csv(io.BytesIO(content)).schema.names
    convert = pa_csv.ConvertOptions(column_types={name: pa.string() for name in names})
    return pa_csv.read_csv(io.BytesIO(content), convert_options=convert)


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, default=str).encode()
