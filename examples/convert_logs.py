"""The two public logs, from the files their homes offer to the files that ``examples/*.yaml`` read.

    git clone --depth 1 https://github.com/databricks/Spark-The-Definitive-Guide /tmp/spark-guide
    python examples/convert_logs.py online_retail /tmp/spark-guide/data/retail-data/by-day/*.csv

    curl -L -o /tmp/CDNOW_master.txt \
      https://raw.githubusercontent.com/CamDavidsonPilon/lifetimes/master/lifetimes/datasets/CDNOW_master.txt
    python examples/convert_logs.py cdnow /tmp/CDNOW_master.txt

The first is UCI's Online Retail as CSV, one file a day (https://archive.ics.uci.edu/dataset/352/online+retail); the second Bruce
Hardie's CDNOW master file (https://www.brucehardie.com/datasets). Values stay what they are; what was read is compared with the
published totals before anything is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import typer
import yaml

#: Rows, customers and a sum, as published.
PUBLISHED = {"online_retail": (541_909, 4_372, "5176450"), "cdnow": (69_659, 23_570, "2500315.63")}
_FOLDER = Path(__file__).resolve().parent
_RETAIL = {
    "InvoiceNo": pa.string(),
    "StockCode": pa.string(),
    "Description": pa.string(),
    "Quantity": pa.int32(),
    "InvoiceDate": pa.timestamp("us"),
    "UnitPrice": pa.float64(),
    "CustomerID": pa.float64(),  # written as 17850.0
    "Country": pa.string(),
}


def online_retail(paths: Sequence[Path]) -> pa.Table:
    """Every line of the files, in the order of their names; customers as whole numbers."""
    # A missing description stays missing, and so does a missing customer.
    options = pyarrow.csv.ConvertOptions(column_types=_RETAIL, strings_can_be_null=True, null_values=[""])
    table = pa.concat_tables(pyarrow.csv.read_csv(path, convert_options=options) for path in sorted(paths))
    place = table.schema.get_field_index("CustomerID")
    return table.set_column(place, "CustomerID", table["CustomerID"].cast(pa.int32()))


def cdnow(paths: Sequence[Path]) -> pa.Table:
    """Every purchase; days as 1997-01-31, customers as whole numbers."""
    header, *lines = (
        line.split() for path in paths for line in path.read_text(encoding="ascii").splitlines() if line.strip()
    )
    if len(header) != 4 or header[0] != "customer_id":
        raise ValueError("the first line does not name customer_id, date, number_of_cds and dollar_value")
    columns = list(zip(*lines, strict=True))
    return pa.table(
        {
            "customer_id": [int(text) for text in columns[0]],
            "date": [f"{text[:4]}-{text[4:6]}-{text[6:]}" for text in columns[1]],
            "number_of_cds": [int(text) for text in columns[2]],
            "dollar_value": [Decimal(text) for text in columns[3]],
        }
    )


def totals(log: str, table: pa.Table) -> tuple[int, int, str]:
    """Rows, customers and the sum that is published of a log."""
    customer, summed = ("CustomerID", "Quantity") if log == "online_retail" else ("customer_id", "dollar_value")
    customers = pc.count_distinct(table[customer], mode="only_valid").as_py()
    return table.num_rows, customers, str(pc.sum(table[summed]).as_py())


def target_of(log: str) -> Path:
    """The file that the example reads."""
    settings = yaml.safe_load((_FOLDER / f"{log}.yaml").read_text(encoding="utf-8"))
    return Path(_FOLDER / settings["sources"]["orders"]["path"]).resolve()


def write(log: str, table: pa.Table, target: Path) -> None:
    """Write the form that the example declares: Parquet, or compressed CSV."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if log == "online_retail":
        pq.write_table(table, target, compression="zstd")
        return
    with pa.CompressedOutputStream(str(target), "gzip") as stream:
        pyarrow.csv.write_csv(table, stream, pyarrow.csv.WriteOptions(quoting_style="none"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert one log. Returns the exit code: 1 where the files are not the whole log, and nothing was written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", choices=sorted(PUBLISHED))
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--to", type=Path, help="instead of the file that the example reads")
    given = parser.parse_args(arguments)
    table = (online_retail if given.log == "online_retail" else cdnow)(given.files)
    found = totals(given.log, table)
    if found != PUBLISHED[given.log]:
        typer.echo(f"error: rows, customers and sum are {found}, published are {PUBLISHED[given.log]}", err=True)
        return 1
    target = given.to or target_of(given.log)
    write(given.log, table, target)
    typer.echo(f"{target}: {found[0]:,} rows of {found[1]:,} customers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
