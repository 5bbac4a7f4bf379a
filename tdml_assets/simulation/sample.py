"""Sample data on disk: a simulation written as the files a marketing team would have.

``python -m tdml_assets.simulation.sample --customers 20000 --out data/sample`` writes one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from tdml_assets.simulation import Simulation, SimulationSettings, simulate_blocks
from tdml_assets.simulation.feed import draw_dirty_rows
from tdml_assets.simulation.process import Stream, stream
from tdml_assets.simulation.sample_sources import FILES

if TYPE_CHECKING:
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

# Raised whenever equal settings give other files than before, so that an older sample is remade, not reused.
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
# DuckDB reads a Parquet file with one thread per row group.
_ROW_GROUP_ROWS = 122_880


class SampleFile(BaseModel):
    """One file of a sample."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="File name in the sample's folder.")
    rows: int = Field(description="Rows, dirty ones included.")
    bytes: int = Field(description="Size on disk.")


class SampleManifest(BaseModel):
    """What a sample folder holds and the settings it was made with."""

    model_config = ConfigDict(frozen=True)

    format_version: int = Field(description="`FORMAT_VERSION` of the writer.")
    settings: SimulationSettings = Field(description="Settings that reproduce the files.")
    files: dict[str, SampleFile] = Field(description="By table: orders, pageviews, email_events, customers, truth.")
    dirty_rows: dict[str, int] = Field(description="Rows of orders that must be rejected, by reason.")


def write_sample(folder: Path, settings: SimulationSettings) -> SampleManifest:
    """Make sure `folder` holds the sample of `settings`, and say what it holds.

    A complete sample of equal settings is left alone. Otherwise everything is written next to `folder` and renamed into
    place, so that a reader or a crash never meets half a sample. Raises ``FileExistsError``: `folder` holds something that is not a
    sample of ours. ``folder``: pathlib.Path Created if missing; an earlier sample in it is replaced; with any other content it is
    refused. ``settings``: SimulationSettings What to simulate, and how dirty the orders are.

    Returns files, rows and rows to reject; the same as in the folder's manifest.json.
    """
    folder = folder.absolute()
    found = _read_manifest(folder)
    if found is not None and _is_current(folder, found, settings):
        return SampleManifest.model_validate(found)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        made = Path(scratch, "made")
        made.mkdir()
        manifest = _write_files(made, settings)
        Path(made, MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(Path(scratch, "replaced"))
        made.rename(folder)
    return manifest


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest in `folder`: None where there is nothing, an error where there is something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    ours = {MANIFEST, *FILES.values()}
    foreign = [path.name for path in folder.iterdir() if path.name not in ours] if folder.is_dir() else [folder.name]
    if foreign or not Path(folder, MANIFEST).is_file():
        what = f"also holds {sorted(foreign)[0]}" if foreign else f"has no {MANIFEST}"
        raise FileExistsError(f"{folder} is not a sample folder: it {what}; name a folder that is empty or new")
    manifest: dict[str, Any] = json.loads(Path(folder, MANIFEST).read_text(encoding="utf-8"))
    return manifest


def _is_current(folder: Path, manifest: dict[str, Any], settings: SimulationSettings) -> bool:
    if manifest["format_version"] != FORMAT_VERSION or manifest["settings"] != settings.model_dump(mode="json"):
        return False
    paths = [(Path(folder, file["name"]), file["bytes"]) for file in manifest["files"].values()]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _write_files(folder: Path, settings: SimulationSettings) -> SampleManifest:
    rows = dict.fromkeys(FILES, 0)
    dirty_rows: dict[str, int] = {}
    writers: dict[str, pq.ParquetWriter | pa_csv.CSVWriter] = {}
    try:
        for block, simulation in enumerate(simulate_blocks(settings)):
            for table, batch in _tables(simulation, settings, block, dirty_rows).items():
                if table not in writers:
                    writers[table] = _open(Path(folder, FILES[table]), batch.schema)
                rows[table] += batch.num_rows
                if FILES[table].endswith(".parquet"):
                    writers[table].write_table(batch, row_group_size=_ROW_GROUP_ROWS)
                else:
                    writers[table].write_table(batch)
    finally:
        for writer in writers.values():
            writer.close()
    files = {
        table: SampleFile(name=name, rows=rows[table], bytes=Path(folder, name).stat().st_size)
        for table, name in FILES.items()
    }
    return SampleManifest(format_version=FORMAT_VERSION, settings=settings, files=files, dirty_rows=dirty_rows)


def _tables(
    simulation: Simulation, settings: SimulationSettings, block: int, dirty_rows: dict[str, int]
) -> dict[str, pa.Table]:
    """Name the tables of one block, dirt included; its rows are counted into `dirty_rows`."""
    tables = {table: getattr(simulation, table) for table in FILES}
    if settings.dirty_share > 0:
        random = stream(settings.seed, Stream.DIRT, block)
        dirt, counts = draw_dirty_rows(simulation.orders, settings.dirty_share, random)
        tables["orders"] = pa.concat_tables([simulation.orders, dirt])
        for reason, count in counts.items():
            dirty_rows[reason] = dirty_rows.get(reason, 0) + count
    return tables


def _open(path: Path, schema: pa.Schema) -> pq.ParquetWriter | pa_csv.CSVWriter:
    # Half of what importing pyarrow costs, for those who write a sample.
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    if path.suffix == ".csv":
        return pa_csv.CSVWriter(path, schema)
    return pq.ParquetWriter(path, schema, compression="zstd")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write a sample and print what it holds."""
    defaults = SimulationSettings()
    parser = argparse.ArgumentParser(
        prog="python -m tdml_assets.simulation.sample", description="Write simulated orders to files."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write (replaced if it holds another sample)")
    parser.add_argument("--customers", type=int, default=defaults.customers, help="customers (default %(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="seed (default %(default)s)")
    parser.add_argument("--orders-only", action="store_true", help="leave page views and e-mail events empty")
    given = parser.parse_args(arguments)
    volumes = {"pageviews_per_order": 0.0, "emails_per_month": 0.0} if given.orders_only else {}
    settings = SimulationSettings.model_validate({"customers": given.customers, "seed": given.seed, **volumes})
    manifest = write_sample(given.out, settings)
    for table, file in manifest.files.items():
        print(f"{table:14}{file.rows:>12,} rows  {given.out / file.name}")
    print(f"{'to reject':14}{sum(manifest.dirty_rows.values()):>12,} rows  {manifest.dirty_rows}")


if __name__ == "__main__":
    main()
