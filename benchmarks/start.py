"""``make bench-start``: seconds and CPU seconds of the code location, of a first session and of a second on the same data.

Belongs here: the commands, the table and the page. Does not: measuring (``measure.py``).

    python -m benchmarks.start --before ../an-older-checkout

``--before`` names a checkout of an older commit, which is measured with the same Python in the same run, so that ratios hold on a
noisy machine. A session that fails there has no figure.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import CommandFailedError, Measurement, Row, markdown_table, measure, rows_of, write_results
from benchmarks.measure import this_machine as machine

NAME = "start"
ROOT = Path(__file__).resolve().parent.parent
_LEFT_OUT = ("TDML_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE")
_IMPORT = ("-c", "import dagster")
_LOCATION = ("-c", "from tdml_assets.definitions import defs; defs()")
_RUN = ("-m", "tdml_assets", "run")
#: Repetitions of what takes a second: another process on the machine for half of one would decide the ratio of a single pair.
_LOADS = 7
_FIRST, _SECOND, _LOADED, _DAGSTER = "first session", "second session", "code location", "import dagster"

_PAGE = """# Start

`make bench-start` measures what a newcomer waits for: loading the code location, a first session on the sample (5,000 simulated
customers, four workflows) and a second on the same data, each in a process of its own. *Before* is the checkout given with
`--before`{before}; ratios compare figures of the same run.

{table}

Loading the code location takes {ratio} the CPU seconds of `import dagster`, both from bytecode that an earlier process wrote:
medians of {loads} repetitions in turns.

Sessions: {repeats} repetition(s), medians; {machine}.
"""


def environment_of(tree: Path, home: Path) -> dict[str, str]:
    """Variables under which a checkout runs on a state folder of its own, with bytecode kept as Python does by default.

    Without that, every process would compile the checkout again, while the installed libraries have their bytecode.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return {**kept, "PYTHONPATH": str(tree), "TDML_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "true"}


def measure_tree(tree: Path, folder: Path, repeats: int) -> dict[str, list[Measurement]]:
    """Measure a checkout; a command that fails has no figure.

    Parameters
    ----------
    folder : for state and logs.
    """
    found: dict[str, list[Measurement]] = {_DAGSTER: [], _LOADED: [], _FIRST: [], _SECOND: []}
    for number in range(repeats):
        home = folder / f"home-{number}"
        environment = environment_of(tree, home)
        # The sessions first: what is imported after them is in the cache of the file system on both sides.
        cases = [(_FIRST, _RUN), (_SECOND, _RUN)]
        cases += [(_LOADED, _LOCATION), (_DAGSTER, _IMPORT)] * (_LOADS if number == 0 else 0)
        for case, arguments in cases:
            log = folder / f"{case.replace(' ', '-')}-{number}.log"
            try:
                found[case].append(_run(arguments, tree, environment, log))
            except CommandFailedError as error:
                sys.stdout.write(f"{tree.name}: {case}: {error}\n")
    return found


def _run(arguments: Sequence[str], tree: Path, environment: Mapping[str, str], log: Path) -> Measurement:
    return measure([sys.executable, *arguments], log=log, folder=tree, environment=environment, timeout_seconds=1800)


def table_of(ours: Mapping[str, list[Measurement]], before: Mapping[str, list[Measurement]]) -> list[Row]:
    """Rows of the page: every case of both checkouts, and the code location as a multiple of ``import dagster``."""
    rows = [row for case in ours for row in rows_of(case, ours[case], before.get(case, []))]
    times = [_times_dagster(side) for side in (ours, before)]
    return [*rows, Row(_LOADED, "cpu_seconds_per_import_dagster", times[0], times[1])]


def _times_dagster(side: Mapping[str, list[Measurement]]) -> float | None:
    loaded, imported = side.get(_LOADED), side.get(_DAGSTER)
    if not loaded or not imported:
        return None
    medians = [statistics.median(one.cpu_seconds for one in side) for side in (loaded, imported)]
    return round(medians[0] / medians[1], 2)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="repetitions of the sessions of each checkout")
    parser.add_argument("--before", type=Path, help="checkout of an older commit")
    parser.add_argument("--before-name", default="", help="what the page calls it, such as its commit")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the page."""
    wanted = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="start-") as scratch:
        ours = measure_tree(ROOT, Path(scratch, "ours"), wanted.repeat)
        before = measure_tree(wanted.before.resolve(), Path(scratch, "before"), wanted.repeat) if wanted.before else {}
    rows = table_of(ours, before)
    times = rows[-1].ours
    page = _PAGE.format(
        before=f" ({wanted.before_name})" if wanted.before_name else "",
        table=markdown_table(rows).replace("| baseline |", "| before |"),
        ratio="an unknown multiple of" if times is None else f"{times:g} times",
        repeats=wanted.repeat,
        loads=_LOADS,
        machine=machine().caption(),
    )
    write_results(NAME, page, rows, wanted.docs)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
