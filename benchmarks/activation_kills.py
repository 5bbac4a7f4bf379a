"""``make study-activation-kills``: syncs of every kind of destination, killed at random instants.

Belongs here: when is killed, and what must hold at the end. Does not: the kinds and their servers (``tests/activation/kinds.py``),
the killed process (``activation_kills_child.py``).

    python -m benchmarks.activation_kills --kills 200 --seed 7

In each round customers change, a sync is killed up to three times at random instants, and one is left to its end. Then the
destination must hold exactly one row per customer, with the latest value.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Row, markdown_table, this_machine, write_results
from tests.activation.conftest import Published
from tests.activation.kinds import KINDS, Kind

NAME = "activation_kills"
ROOT = Path(__file__).resolve().parent.parent
CUSTOMERS, CHANGED, MOST_KILLS = 40, 12, 3
_GUARDS = {name: {"action": "off"} for name in ("deletes", "updates", "source_drop")}

_PAGE = """# Killed syncs

`make study-activation-kills` syncs {customers} customers in batches of 10 to every kind of destination: PostgreSQL, moto's S3
server, Azurite, an OpenSSH server, and stand-ins that follow the documented protocols of webhooks, Marketing Cloud and Treasure
Data. In each round {changed} customers change, the sync is ended by SIGKILL up to {most} times at random instants between its start
and its usual end, and then one is left alone. *wrong at the end* counts the rounds behind which the destination did not hold
exactly one row per customer with the latest value.

{table}

*batches sent again*: those of the webhook that were on their way when the process was killed, each with the idempotency key that
it had before; at most one per kill. Seed {seed}. {machine}.
"""


@dataclass
class Tally:
    """What the rounds of one kind came to."""

    rounds: int = 0
    kills: int = 0
    failed: int = 0
    wrong: int = 0


def storm(kind: Kind, folder: Path, kills: int, rng: random.Random) -> Tally:
    """Rounds until so many syncs were killed."""
    folder.mkdir()
    published = Published(folder)
    settings = {"kind": kind.name, "batch_rows": 10, "guards": _GUARDS, **kind.settings}
    command = [
        sys.executable,
        "-m",
        "benchmarks.activation_kills_child",
        str(folder),
        json.dumps(settings),
        kind.endpoint,
    ]
    environment = {**os.environ, **kind.environment, "PYTHONPATH": str(ROOT)}
    tally, rows = Tally(), {f"{number:05d}": "A" for number in range(CUSTOMERS)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def sync(seconds: float) -> str:
            child.stdin.write(f"{seconds}\n")  # type: ignore[union-attr]
            return child.stdout.readline().strip()  # type: ignore[union-attr]

        usual = 1.0
        while tally.rounds == 0 or tally.kills < kills:
            if tally.rounds:
                rows |= {key: rng.choice("ABCD") for key in rng.sample(sorted(rows), CHANGED)}
            published.publish({key: (0.5, grade) for key, grade in rows.items()})
            for _ in range(rng.randint(1, MOST_KILLS) if tally.rounds else 0):
                tally.kills += sync(rng.uniform(0, usual)) == "killed"
            ended = sync(float("inf"))
            tally.failed += not ended.startswith("ended")
            usual = float(ended.split()[1]) if ended.startswith("ended") else usual
            tally.rounds += 1
            tally.wrong += kind.held() != rows
        child.stdin.close()
    return tally


def run(folder: Path, kills: int, seed: int) -> list[Row]:
    """Storms over every kind."""
    rng, rows = random.Random(seed), []
    with ExitStack() as stack:
        found = [start(stack, folder) for start in KINDS.values()]
        for place, kind in enumerate(found):
            share = kills * (place + 1) // len(found) - kills * place // len(found)
            tally = storm(kind, folder / f"home-{kind.name}", share, rng)
            figures = {
                "rounds": tally.rounds,
                "killed": tally.kills,
                "not ended well": tally.failed,
                "wrong at the end": tally.wrong,
            }
            if kind.sent_again is not None:
                figures["batches sent again"] = kind.sent_again()
            rows += [Row(kind.name, metric, value, None) for metric, value in figures.items()]
            sys.stderr.write(f"{kind.name}: {figures}\n")
    for metric in ("killed", "not ended well", "wrong at the end"):
        total = sum(row.ours or 0 for row in rows if row.metric == metric)
        rows.append(Row("all", metric, total, None))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill, count and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page goes")
    wanted = parser.parse_args(arguments)
    # The path of PostgreSQL's socket is limited to some hundred characters.
    with tempfile.TemporaryDirectory(prefix="kill-", dir="/tmp") as folder:
        rows = run(Path(folder), wanted.kills, wanted.seed)
    page = _PAGE.format(
        customers=CUSTOMERS,
        changed=CHANGED,
        most=MOST_KILLS,
        table=markdown_table(rows),
        seed=wanted.seed,
        machine=this_machine().caption(),
    )
    write_results(NAME, page, rows, wanted.docs)
    sys.stdout.write(page)


if __name__ == "__main__":
    main()
