"""``make study-inputs``: deformed files of orders, loaded and counted against other readers.

Belongs here: how many of which format, the figures, and the page ``docs/inputs.md``. Does not: the files (``inputs_files.py``,
``inputs_tables.py``), loading one (``inputs_loads.py``), the other readers (``inputs_readers.py``).

    python -m benchmarks.inputs --variants 1000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.inputs_files import Variant, csv_variant, json_variant, packed_variant
from benchmarks.inputs_loads import Outcome, outcomes
from benchmarks.inputs_tables import parquet_variant, xlsx_variant
from benchmarks.measure import Row, markdown_table, this_machine, write_results

ROOT = Path(__file__).resolve().parent.parent
#: Seconds that one file may take; the good ones take a fraction of one.
BOUND_SECONDS = 20.0
#: What makes the files of a format, and the format that is declared.
KINDS: dict[str, tuple[Callable[[random.Random], Variant], str]] = {
    "CSV": (csv_variant, "csv"),
    "JSON lines": (json_variant, "json"),
    "packed CSV and JSON": (packed_variant, "csv"),
    "Parquet": (parquet_variant, "parquet"),
    "xlsx": (xlsx_variant, "xlsx"),
}
#: Verdicts that a correct loader never gets.
FAULTS = ("rows differ", "earlier table lost", "other exception")

_PAGE = """# Deformed input files

Written by `make study-inputs`; nothing here is typed in. The same figures: [inputs.json](results/inputs.json).

A good file of order lines is deformed: bytes flipped, cut out or put in; delimiters and quotes doubled or removed; NUL characters,
Ctrl-Z, mixed line ends, preambles, footers, other encodings, very long lines; deep or nested JSON, huge numbers, other types,
doubled and renamed columns; Parquet with other types and hostile names; workbooks with formulas, merged cells, several sheets;
damaged gzip and bzip2. Some are declared rightly (`skip_rows`, `csv.escape`, `records`), some are not. Each is loaded into a
warehouse that holds the rows of the file before. All run in one process. The seed is {seed}; the same seed makes the same files.

- *loaded*: accepted and rejected rows together are the rows that another reader finds: `csv`, `json`, pyarrow, openpyxl.
- *refused*: `SourceError`, or a declaration that is refused; the tables in the warehouse are as before.
- *rows differ*, *earlier table lost*, *other exception*, *above the bound* ({bound:g} seconds for one file): must be 0.

{table}

{machine}
"""


def study(folder: Path, kind: str, variants: int, seed: int) -> list[Outcome]:
    """Load deformed files of one kind; what is at fault goes to standard error."""
    make, file_format = KINDS[kind]
    found = []
    for one in outcomes(folder, make, file_format, variants, f"{seed} {kind}"):
        found.append(one)
        if one.verdict in FAULTS or one.seconds > BOUND_SECONDS:
            where = f"{kind} {len(found) - 1}, {one.variant.what} {one.variant.changes}"
            sys.stderr.write(f"{one.verdict}: {where}: {one.detail} ({one.seconds:.1f} s)\n")
    return found


def rows_of(kind: str, found: Sequence[Outcome]) -> list[Row]:
    """Figures of one kind."""
    counted = Counter(one.verdict for one in found)
    seconds = [one.seconds for one in found]
    figures: dict[str, float] = {
        "variants": len(found),
        "loaded": counted["loaded"],
        "refused": counted["refused"],
        **{name: counted[name] for name in FAULTS},
        "above the bound": sum(one > BOUND_SECONDS for one in seconds),
        "seconds": round(sum(seconds), 1),
        "seconds of the slowest": round(max(seconds), 2),
    }
    return [Row(kind, name, value, None) for name, value in figures.items()]


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--variants", type=int, default=1_000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="inputs-") as scratch:
        for place, kind in enumerate(KINDS):
            found = study(Path(scratch) / str(place), kind, max(1, asked.variants // len(KINDS)), asked.seed)
            rows += rows_of(kind, found)
    text = _PAGE.format(
        seed=asked.seed, bound=BOUND_SECONDS, table=markdown_table(rows), machine=this_machine().caption()
    )
    write_results("inputs", text, rows, ROOT / "docs")


if __name__ == "__main__":
    main()
