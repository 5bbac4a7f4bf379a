"""``make bench-load``: seconds, CPU seconds and memory of loading ten million order lines from a CSV file.

Belongs here: the file, the turns, the page. Does not: one load (``load_child.py``), measuring (``measure.py``).

    python -m benchmarks.load --before ../an-older-checkout --before-name 3cc49f4 --repeat 3

Every load is a process of its own, in turns: this checkout, DuckDB's own reader with the same casts and no rules, and the older
checkout where one is given. Ratios compare figures of one run; where other work shares the machine, CPU seconds are the fair ones.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from benchmarks.measure import Measurement, Row, markdown_table, measure, rows_of, write_results
from benchmarks.measure import this_machine as machine
from benchmarks.start import environment_of

NAME = "load"
ROOT = Path(__file__).resolve().parent.parent
_CHILD = Path(__file__).with_name("load_child.py")
_OURS, _PLAIN, _BEFORE = "this checkout", "DuckDB", "before"
#: A line has an order, a customer, a time, a product, a category, a quantity, a price and a status.
_LINES = """
copy (
    select
        'o' || (line // 3) as order_no,
        'c' || (hash(line // 3) % $customers) as customer,
        strftime(timestamp '2024-01-01' + to_seconds((hash(line // 3, 1) % 63072000)::bigint), '%Y-%m-%d %H:%M:%S') as created,
        'p' || (hash(line, 2) % 5000) as sku,
        'category ' || (hash(line, 2) % 40) as category,
        1 + hash(line, 3) % 5 as qty,
        printf('%.2f', 1 + (hash(line, 4) % 20000) / 100.0) as price,
        case when hash(line // 3, 5) % 50 = 0 then 'cancelled' else 'complete' end as status
    from range($lines) as lines(line)
) to '{path}' (header, delimiter ',')
"""

_PAGE = """# Loading

`make bench-load` loads one CSV file of {lines:,} order lines ({size:.2f} GB, eight columns, 2 % of the orders cancelled) into an
empty warehouse, each time in a process of its own.

Against the checkout before the rules for real exports{before}, in turns:

{against_before}

Against DuckDB's own reader with the same casts, without conservation of rows, reasons, lineage or statuses:

{against_plain}

Accepted rows: {accepted}. Medians of {repeats} repetitions, 2 threads, 2 GB for the warehouse; {machine}. {note}
"""


def write_lines(path: Path, lines: int) -> None:
    """Write the file: the same rows each time."""
    with duckdb.connect(":memory:") as connection:
        statement = _LINES.format(path=str(path).replace("'", "''"))
        connection.execute(statement, {"lines": lines, "customers": max(lines // 12, 1)})


def load_once(kind: str, tree: Path, folder: Path, scratch: Path) -> tuple[Measurement, int]:
    """Load the file in a process; what it cost, and the rows accepted."""
    state, log = scratch / "state", scratch / "load.log"
    state.mkdir()
    argument = "duckdb" if kind == _PLAIN else "tree"
    try:
        command = [sys.executable, str(_CHILD), argument, str(folder), str(state)]
        found = measure(command, log=log, folder=scratch, environment=environment_of(tree, state))
        return found, int(log.read_text(encoding="utf-8").split()[-1])
    finally:
        shutil.rmtree(state)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000, help="order lines of the file")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions of each side")
    parser.add_argument("--before", type=Path, help="checkout of an older commit")
    parser.add_argument("--before-name", default="", help="what the page calls it, such as its commit")
    parser.add_argument("--note", default="", help="a sentence for under the tables, such as what else ran")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the page."""
    wanted = parse(arguments)
    trees = {_OURS: ROOT, _PLAIN: ROOT, **({_BEFORE: wanted.before.resolve()} if wanted.before else {})}
    found: dict[str, list[Measurement]] = {kind: [] for kind in trees}
    accepted: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="load-") as scratch:
        folder = Path(scratch, "data")
        folder.mkdir()
        write_lines(folder / "orders.csv", wanted.lines)
        size = (folder / "orders.csv").stat().st_size / 1e9
        for number in range(wanted.repeat):
            for kind, tree in trees.items():
                measured, accepted[kind] = load_once(kind, tree, folder, Path(scratch))
                found[kind].append(measured)
                sys.stdout.write(f"{number} {kind}: {measured}\n")
                sys.stdout.flush()
    rows = rows_of("against before", found[_OURS], found.get(_BEFORE, []))
    plain = rows_of("against DuckDB", found[_OURS], found[_PLAIN])
    page = _PAGE.format(
        lines=wanted.lines,
        size=size,
        before=f" ({wanted.before_name})" if wanted.before_name else "",
        against_before=_table(rows, "before") if wanted.before else "Not measured: give `--before`.",
        against_plain=_table(plain, "DuckDB"),
        accepted=", ".join(f"{kind} {count:,}" for kind, count in accepted.items()),
        repeats=wanted.repeat,
        machine=machine().caption(),
        note=wanted.note,
    )
    write_results(NAME, page.rstrip() + "\n", [*rows, *plain], wanted.docs)
    sys.stdout.write(page)


def _table(rows: Sequence[Row], baseline: str) -> str:
    return markdown_table(rows).replace("| baseline |", f"| {baseline} |")


if __name__ == "__main__":
    main()
