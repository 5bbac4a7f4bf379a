"""The drift stage on a large table, in a process of its own so that its memory can be watched.

python -m benchmarks.drift_stage make <folder> --rows 1000000 --columns 40
python -m benchmarks.drift_stage measure <folder>
python -m benchmarks.drift_stage draw <folder>
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import duckdb

from tdml_assets.declaration.monitor import Monitor
from tdml_assets.models.reference import Reference, build_reference, measure, report_sample
from tdml_assets.platform.monitoring import DRIFT
from tdml_assets.platform.warehouse import Warehouse
from tdml_assets.stages.drift.detection import judge
from tdml_assets.stages.drift.evidently_report import draw_report, write_sample

TABLE = ("features", "customer_features")
_DAYS = (date(2026, 5, 31), date(2026, 6, 30))
_PER_KIND = 4


def _warehouse(folder: Path) -> Warehouse:
    return Warehouse(database=str(folder / "warehouse.duckdb"), temp_directory=str(folder / "spill"))


def columns_of(count: int) -> dict[str, str]:
    """SQL expression per column: spend, a count that is mostly 0, a number that is often missing, a category; in turns."""
    kinds = (
        "exp(1.5 * sqrt(-2 * ln(1 - random())) * cos(6.283185307 * random()))",
        "floor(-ln(1 - random()) * 0.7)",
        "case when random() < 0.2 then null else random() * 365 end",
        "list_extract(['grocery', 'garden', 'toys', 'books', 'music'], 1 + (random() * random() * 5)::integer)",
    )
    return {f"feature_{number}": kinds[number % _PER_KIND] for number in range(count)}


def make(folder: Path, rows: int, columns: int) -> None:
    """Write two snapshots of ``rows`` customers, and the first one's reference."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = ", ".join(f'{expression} as "{name}"' for name, expression in columns_of(columns).items())
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("create schema features")
        connection.execute("select setseed(0.7)")
        connection.execute(
            "create table features.customer_features as "
            f"select day as snapshot_date, 'c' || i as customer_id, {drawn} "
            "from range($rows) as customers(i), unnest($days::date[]) as snapshots(day)",
            {"rows": rows, "days": list(_DAYS)},
        )
    with _warehouse(folder).read() as database:
        names = list(columns_of(columns))
        reference = build_reference(database, TABLE, {"snapshot_date": _DAYS[0]}, names)
        (folder / "reference.json").write_text(reference.to_json(), encoding="utf-8")
        for name, day in zip(("reference", "current"), _DAYS, strict=True):
            sample = report_sample(database, TABLE, {"snapshot_date": day}, names)
            write_sample(sample, folder / f"{name}.parquet")


def measure_stage(folder: Path) -> None:
    """What ``<workflow>/drift`` does with the second snapshot: measure, judge, keep."""
    reference = Reference.from_json((folder / "reference.json").read_text(encoding="utf-8"))
    with _warehouse(folder).write() as database:
        report = judge(reference, measure(database, TABLE, {"snapshot_date": _DAYS[1]}, reference), Monitor())
        session = {"session_id": "s", "workflow": "cltv"}
        database.replace_slice(DRIFT, session, report.rows(**session))
    print(report.sentence)


def draw(folder: Path) -> None:
    """Evidently's picture of a sample of both snapshots."""
    names = list(columns_of(_PER_KIND * 3))
    report = folder / "report.html"
    found = draw_report(
        folder / "reference.parquet", folder / "current.parquet", names, report, as_of=_DAYS[1], psi_limit=0.25
    )
    print(found.status, found.detail)


def main() -> None:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "measure", "draw"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=40)
    given = parser.parse_args()
    if given.what == "make":
        make(given.folder, given.rows, given.columns)
    elif given.what == "measure":
        measure_stage(given.folder)
    else:
        draw(given.folder)


if __name__ == "__main__":
    main()
