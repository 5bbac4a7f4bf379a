"""The order files of ``bench-scale``, simulated block by block, so that memory does not grow with the customers.

Belongs here: writing the files of the first session and those that the second one finds next to them. Does not: how customers
behave (``tdml_assets.simulation``), sessions (``scale.py``).

    python -m benchmarks.scale_orders --customers 1000000 --lines 10000000 --new-share 0.01 --seed 7 --out FOLDER

A killed run goes on behind the last whole file.
"""

from __future__ import annotations

import argparse
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.session import simulation_of
from tdml_assets.simulation import BLOCK_CUSTOMERS, SimulationSettings, simulate, simulate_blocks
from tdml_assets.simulation.feed import draw_dirty_rows
from tdml_assets.simulation.process import Stream, stream
from tdml_assets.simulation.sample_sources import sources_of_sample

#: A hundred files at a hundred million customers.
_BLOCKS_PER_FILE = 10
_ROW_GROUP_ROWS = 122_880
_PILOT_CUSTOMERS = 5_000
FIRST, NEXT = "orders", "next"


def last_day_of_first(settings: SimulationSettings, new_share: float) -> date:
    """Day up to which about ``1 - new_share`` of the order lines lie, by a small pilot."""
    pilot = simulate(settings.model_copy(update={"customers": min(settings.customers, _PILOT_CUSTOMERS)}))
    days = np.sort(pilot.orders["ordered_at"].to_numpy().astype("datetime64[D]"))
    found: date = days[int(len(days) * (1 - new_share))].astype(object)
    return min(found, settings.end_date - timedelta(days=1))


def write_orders(folder: Path, settings: SimulationSettings, new_share: float) -> None:
    """Write ``folder/orders/*.parquet``, and the lines of the last days to ``folder/next/*.parquet``.

    Each file is renamed into place when it is whole; files that are there are kept.
    """
    midnight = datetime.combine(last_day_of_first(settings, new_share) + timedelta(days=1), time.min)
    for name in (FIRST, NEXT):
        (folder / name).mkdir(parents=True, exist_ok=True)
    blocks = -(-settings.customers // BLOCK_CUSTOMERS)
    files = -(-blocks // _BLOCKS_PER_FILE)
    # The next day's file is renamed last, so where it is there, both are.
    done = next((place for place in range(files) if not _path(folder, NEXT, place).exists()), files)
    simulated = simulate_blocks(settings, first_block=done * _BLOCKS_PER_FILE)
    for place in range(done, files):
        writers: dict[str, pq.ParquetWriter] = {}
        for offset, simulation in enumerate(islice(simulated, _BLOCKS_PER_FILE)):
            random = stream(settings.seed, Stream.DIRT, place * _BLOCKS_PER_FILE + offset)
            dirt, _ = draw_dirty_rows(simulation.orders, settings.dirty_share, random)
            is_new = pc.greater_equal(simulation.orders["ordered_at"], pa.scalar(midnight, pa.timestamp("us")))
            first = pa.concat_tables([simulation.orders.filter(pc.invert(is_new)), dirt])
            for name, rows in ((FIRST, first), (NEXT, simulation.orders.filter(is_new))):
                if name not in writers:
                    partial = _path(folder, name, place).with_suffix(".partial")
                    writers[name] = pq.ParquetWriter(partial, rows.schema, compression="zstd")
                writers[name].write_table(rows, row_group_size=_ROW_GROUP_ROWS)
        for name, writer in writers.items():
            writer.close()
            _path(folder, name, place).with_suffix(".partial").replace(_path(folder, name, place))


def _path(folder: Path, name: str, place: int) -> Path:
    return folder / name / f"{name}-{place:04}.parquet"


def lines_of(folder: Path, name: str) -> int:
    """Order lines of the files, from their footers."""
    return sum(pq.ParquetFile(path).metadata.num_rows for path in sorted((folder / name).glob("*.parquet")))


def declaration_of(folder: Path) -> dict[str, Any]:
    """The orders as a settings file declares them: every Parquet file of the folder."""
    declared: dict[str, Any] = sources_of_sample(folder)["orders"]
    return {**declared, "path": str(folder / FIRST / "*.parquet")}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("customers", "lines", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--new-share", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    write_orders(given.out, simulation_of(given.customers, given.lines, given.seed), given.new_share)


if __name__ == "__main__":
    main()
