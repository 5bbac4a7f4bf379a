"""``make bench-activation``: rows a second and peak memory of syncs to PostgreSQL and S3, beside plain COPY and single inserts.

Belongs here: the order of steps, the table and the page. Does not: the steps (``activation_steps.py``), measuring (``measure.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
from moto.server import ThreadedMotoServer

from benchmarks.activation_steps import ATTRIBUTES
from benchmarks.measure import Row, markdown_table, measure, write_results
from benchmarks.measure import this_machine as machine
from tests.activation.postgres_server import Server

NAME = "activation"
ROOT = Path(__file__).resolve().parent.parent
#: Single inserts are measured on so many rows: a million would take the better part of an hour.
_SINGLE_ROWS = 20_000

_PAGE = """# Activation

`make bench-activation` syncs {rows:,} customers with {attributes} attributes from the warehouse to a PostgreSQL and to an S3
server (moto) on the same machine, each step in a process of its own. The baseline of the first sync to PostgreSQL is plain
`COPY` of the same rows, as CSV made of Arrow batches, into a table with the same primary key: what writing alone takes, without
plan, state, changelog and batches that can be acknowledged. The baseline of single inserts is one `INSERT ... ON CONFLICT` a
row in one transaction, on {single:,} rows. {drt}
First sync, COPY and drt take turns, {repeat} times each, from an empty table: the figures are those of the median by seconds. Other
settings than the destination's are the defaults. Seconds are those of the step without the start of Python; peak memory is that of
the client's process, `server_cpu_seconds` is the CPU time of PostgreSQL.

{table}

`rows` are the rows that were sent: a second sync sends what changed, and nothing where nothing did.
[destinations.md](destinations.md) says how.

{machine}. Load average of the machine before the steps and behind them: {load}.
"""


class Bench:
    """Steps on one folder."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows = folder, rows
        self.postmaster: psutil.Process | None = None

    def _server_seconds(self) -> float:
        """CPU seconds of PostgreSQL until now, of ended connections and its own processes."""
        if self.postmaster is None:
            return 0.0
        own = self.postmaster.cpu_times()
        others = [process.cpu_times() for process in self.postmaster.children()]
        return float(own.children_user + own.children_system + sum(times.user + times.system for times in others))

    def step(self, name: str, *url: str, rows: int | None = None) -> dict[str, float]:
        """Do one step and give what it took."""
        command = [sys.executable, "-m", "benchmarks.activation_steps", name, str(self.folder)]
        command += [str(rows or self.rows), *url]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        log, before = self.folder / f"{name}.log", self._server_seconds()
        cost = measure(command, log=log, folder=ROOT, environment=environment, timeout_seconds=3600)
        found: dict[str, float] = json.loads((self.folder / "step.json").read_text(encoding="utf-8"))
        found["rows_per_second"] = found["rows"] / found["seconds"]
        found["peak_memory_gb"] = cost.peak_memory_gb
        found["server_cpu_seconds"] = self._server_seconds() - before
        return found


def compare(case: str, ours: dict[str, float], rival: dict[str, float] | None = None) -> list[Row]:
    """Rows of one case."""
    digits = {"rows": 0, "seconds": 2, "cpu_seconds": 2, "rows_per_second": 0, "peak_memory_gb": 2}
    if case.startswith("PostgreSQL"):
        digits["server_cpu_seconds"] = 2
    return [
        Row(case, name, round(ours[name], places), round(rival[name], places) if rival else None)
        for name, places in digits.items()
    ]


def middle(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median by seconds."""
    return sorted(found, key=lambda one: one["seconds"])[len(found) // 2]


def drt_version(command: str | None) -> str | None:
    """Version of drt, a tool for reverse ETL; None where it is not installed."""
    if command is None:
        return None
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[2]


def run(folder: Path, rows: int, drt: str | None, repeat: int) -> list[Row]:
    """Measure every case."""
    bench = Bench(folder, rows)
    bench.step("make")
    (folder / "pg").mkdir()
    server = Server(folder / "pg")
    server.start()
    bench.postmaster = psutil.Process(int((folder / "pg" / "data" / "postmaster.pid").read_text().split()[0]))
    bucket = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    bucket.start()
    host, port = bucket.get_host_and_port()
    places = {"PostgreSQL": server.url, "S3": f"http://{host}:{port}"}
    try:
        singly = bench.step("insert", server.url, rows=min(rows, _SINGLE_ROWS))
        plain, by_drt, first = [], [], []
        for _ in range(repeat):
            plain.append(bench.step("copy", server.url))
            if drt:
                by_drt.append(bench.step("drt", server.url, rows=min(rows, _SINGLE_ROWS)))
            bench.step("reset", server.url)
            first.append(bench.step("sync", server.url))
        firsts = {"PostgreSQL": middle(first), "S3": bench.step("sync", places["S3"])}
        seconds = {name: bench.step("sync", url) for name, url in places.items()}
        bench.step("change")
        thirds = {name: bench.step("sync", url) for name, url in places.items()}
    finally:
        bucket.stop()
        server.stop()
    table = compare("PostgreSQL, first sync beside COPY", firsts["PostgreSQL"], middle(plain))
    one = firsts["PostgreSQL"]["rows_per_second"], singly["rows_per_second"]
    table.append(Row("PostgreSQL, first sync beside single inserts", "rows_per_second", round(one[0]), round(one[1])))
    if by_drt:
        two = one[0], middle(by_drt)["rows_per_second"]
        table.append(Row("PostgreSQL, first sync beside drt", "rows_per_second", round(two[0]), round(two[1])))
    for name in places:
        if name != "PostgreSQL":
            table += compare(f"{name}, first sync", firsts[name])
        table += compare(f"{name}, nothing changed", seconds[name])
        table += compare(f"{name}, 1 % changed", thirds[name])
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="customers")
    parser.add_argument(
        "--drt", default=shutil.which("drt"), help="command of drt-core with its extras duckdb and postgres"
    )
    parser.add_argument("--repeat", type=int, default=3, help="first syncs, and as many COPYs and runs of drt in turn")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    wanted = parser.parse_args(arguments)
    # The path of PostgreSQL's socket is limited to some hundred characters.
    with tempfile.TemporaryDirectory(prefix="act-", dir="/tmp") as folder:
        version, before = drt_version(wanted.drt), os.getloadavg()[0]
        os.environ["TDML_BENCH_DRT"] = wanted.drt or ""
        rows = run(Path(folder), wanted.rows, wanted.drt, wanted.repeat)
    page = _PAGE.format(
        rows=wanted.rows,
        attributes=ATTRIBUTES,
        single=min(wanted.rows, _SINGLE_ROWS),
        repeat=wanted.repeat,
        drt=f"drt {version} upserts as many rows in a process of its own, whose start is counted."
        if version
        else "drt is not installed: left out.",
        load=f"{before:.1f} and {os.getloadavg()[0]:.1f}",
        table=markdown_table(rows),
        machine=machine().caption(),
    )
    write_results(NAME, page, rows, wanted.docs)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
