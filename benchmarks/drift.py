"""``make study-drift``: how often monitoring cries wolf, what it sees and how soon, where the truth is known and on real logs.

Belongs here: the questions, their figures, and the page ``docs/drift.md``. Does not: the worlds (``drift_worlds.py``), broken
feeds (``drift_feeds.py``), real logs (``drift_logs.py``), the large table (``drift_stage.py``).

    python -m benchmarks.drift --data ../shared/data
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks import drift_logs as logs
from benchmarks import drift_worlds as worlds
from benchmarks.accuracy_runs import ROOT, cdnow, retail
from benchmarks.drift_feeds import FAULTS, LOOKS, play
from benchmarks.measure import Measurement, Row, markdown_table, measure, this_machine, write_results
from tdml_assets.declaration.monitor import Monitor

NAME = "drift"
DATA = ROOT.parent / "shared" / "data"
SIZES = (200, 1_000, 5_000)
WORLDS = ("normal", "lognormal")
POLICY = Monitor()
#: A rule of thumb that many tools alarm by, whatever the sample.
RULE_OF_THUMB = 0.1
_CHAMPIONS, _SESSIONS = 50, 20
_REPETITIONS, _STABLE, _AFTER = 200, 6, 6
_FEEDS = 30
_POINT = 0.05


@dataclass(frozen=True)
class Power:
    """What became of a change.

    Parameters
    ----------
    first : share seen in the first session after it.
    delay : median number of sessions until it was seen; infinite where most never were.
    retrain : median number of sessions until a retraining was called for.
    point : share in which the changed column alone passes the 5 % point of its own test.
    thumb : share in which the rule of thumb sees it.
    """

    first: float
    delay: float
    retrain: float
    point: float
    thumb: float


def _stream(*parts: object) -> np.random.Generator:
    """Random numbers of one case, the same every time."""
    return np.random.default_rng([ord(letter) for letter in ":".join(map(str, parts))])


def false_alarms(world: str, rows: int) -> dict[str, float]:
    """Shares over sessions in which nothing happened."""
    rng = _stream("null", world, rows)
    alarms, retrained, passed, thumbs, columns = 0, 0, 0, 0, 0
    for _ in range(_CHAMPIONS):
        champion = worlds.Play(worlds.draw(world, rng, rows), POLICY)
        for _ in range(_SESSIONS):
            finding, reports = champion.session(worlds.draw(world, rng, rows))
            found = [column for report in reports for column in report.columns]
            alarms += worlds.is_alarm(reports)
            retrained += finding.decision == "retrain"
            passed += sum((column.p_value or 1) < _POINT for column in found)
            columns += len(found)
            thumbs += any((column.psi or 0) > RULE_OF_THUMB for column in found)
    sessions = _CHAMPIONS * _SESSIONS
    return {
        "false_alarm_rate": alarms / sessions,
        "false_retrain_rate": retrained / sessions,
        "share_of_columns_past_their_5_percent_point": passed / columns,
        "rule_of_thumb": thumbs / sessions,
    }


def changes(world: str) -> dict[str, tuple[str, worlds.Change]]:
    """What happens, in words: the column to look at, and the change."""
    prices = [f"x{number}" for number in range(2, 6)]
    found = {
        "mean +0.2 sd, one column": ("x3", worlds.shifted("x3", 0.2, world)),
        "mean +0.25 sd, one column": ("x3", worlds.shifted("x3", 0.25, world)),
        "mean +0.5 sd, one column": ("x3", worlds.shifted("x3", 0.5, world)),
        "sd x1.25, one column": ("x3", worlds.widened("x3", 1.25, world)),
        "30 % of the first category become the last": ("category", worlds.swapped(_stream("swap"), 0.3)),
        "mean +0.25 sd, the prediction": (worlds.PREDICTION, worlds.shifted(worlds.PREDICTION, 0.25, world)),
        "a column loses all its values": ("x3", worlds.emptied("x3")),
    }
    if world == "lognormal":
        found["prices +30 %, four columns"] = ("x3", worlds.dearer(prices, 1.3))
        found["unit change x100, four columns"] = ("x3", worlds.dearer(prices, 100.0))
    return found


def power(world: str, rows: int, name: str, column: str, change: worlds.Change) -> Power:
    """Play a change after stable sessions, again and again."""
    rng = _stream("power", world, rows, name)
    delays, retrains, points, thumbs = [], [], 0, 0
    for _ in range(_REPETITIONS):
        champion = worlds.Play(worlds.draw(world, rng, rows), POLICY)
        for _ in range(_STABLE):
            champion.session(worlds.draw(world, rng, rows))
        delay, retrain = math.inf, math.inf
        for session in range(1, _AFTER + 1):
            finding, reports = champion.session(change(worlds.draw(world, rng, rows)))
            found = {one.column_name: one for report in reports for one in report.columns}
            if session == 1:
                points += (found[column].p_value or 0.0) < _POINT
                thumbs += any((one.psi or 0) > RULE_OF_THUMB for one in found.values())
            if worlds.is_alarm(reports):
                delay = min(delay, session)
            if finding.decision == "retrain":
                retrain = session
                break
        delays.append(delay)
        retrains.append(retrain)
    return Power(
        float(np.mean(np.asarray(delays) == 1)),
        float(np.median(delays)),
        float(np.median(retrains)),
        points / _REPETITIONS,
        thumbs / _REPETITIONS,
    )


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _sessions(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else "-"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def null_section(rows: list[Row]) -> str:
    """Nothing happens, 1,000 times."""
    lines = []
    for world in WORLDS:
        for size in SIZES:
            print(f"nothing happens: {world}, {size:,} customers", flush=True)
            found = false_alarms(world, size)
            case = f"nothing happens, {world}, {size:,} customers"
            thumb = found.pop("rule_of_thumb")
            rows += [Row(case, name, value, None) for name, value in found.items() if name != "false_alarm_rate"]
            rows.append(Row(case, "false_alarm_rate", found["false_alarm_rate"], thumb))
            rates = [_percent(value) for value in found.values()]
            lines.append([f"{world}, {size:,} customers", *rates, _percent(thumb)])
    head = (
        "1,000 sessions each",
        "sessions with an alarm",
        "calls for a retraining",
        "columns past their 5 % point",
        f"sessions with a PSI over {RULE_OF_THUMB}",
    )
    return _table(head, lines)


def power_section(rows: list[Row]) -> str:
    """Something happens after six stable sessions."""
    lines = []
    for world in WORLDS:
        for name, (column, change) in changes(world).items():
            for size in SIZES:
                print(f"{name}: {world}, {size:,} customers", flush=True)
                found = power(world, size, name, column, change)
                case = f"{name}, {world}, {size:,} customers"
                rows.append(Row(case, "power", found.first, found.thumb))
                rows.append(Row(case, "power_of_the_column_alone_at_5_percent", found.point, None))
                rows.append(Row(case, "delay_sessions", found.delay if math.isfinite(found.delay) else None, None))
                lines.append(
                    [
                        f"{name}; {world}",
                        f"{size:,}",
                        _percent(found.first),
                        _sessions(found.delay),
                        _sessions(found.retrain),
                        _percent(found.point),
                        _percent(found.thumb),
                    ]
                )
    head = (
        "what happens",
        "customers",
        "seen in the first session",
        "sessions until seen (median)",
        "until a retraining is called for",
        "its column past the 5 % point",
        f"PSI over {RULE_OF_THUMB}",
    )
    return _table(head, lines)


def feeds_section(rows: list[Row], folder: Path) -> str:
    """Simulated shops whose feed breaks."""
    lines = []
    for customers in (3_000, 6_000, 12_000):
        print(f"broken feeds: {customers:,} customers", flush=True)
        (folder / str(customers)).mkdir()
        found = list(play(folder / str(customers), _FEEDS, customers))
        for fault in ("none", *FAULTS):
            mine = [one for one in found if one.fault == fault]
            seen = [math.inf if one.seen_on is None else one.seen_on for one in mine]
            shares = {days: float(np.mean([day <= days for day in seen])) for days in (1, 7, LOOKS[-1])}
            retrained = float(np.mean([one.retrained for one in mine]))
            case = f"feed: {fault}, {customers:,} customers"
            rows += [
                Row(case, f"data_quality_alarm_rate_within_{days}_days", rate, None) for days, rate in shares.items()
            ]
            rows.append(Row(case, "retrain_rate", retrained, None))
            cells = [_percent(rate) for rate in shares.values()]
            lines.append([fault, f"{customers:,}", *cells, _sessions(float(np.median(seen))), _percent(retrained)])
    head = (
        "what breaks",
        "customers",
        "alarm on its first day",
        "within 7 days",
        f"within {LOOKS[-1]} days",
        "median day",
        "retraining called for",
    )
    return _table(head, lines)


def logs_section(rows: list[Row], data: Path, folder: Path) -> str:
    """Two real logs, a session every 30 days."""
    lines = []
    real = {
        "Online Retail": (retail(data), date(2011, 11, 30), 8),
        "CDNOW": (cdnow(data), date(1998, 6, 30), 12),
    }
    for name, (log, as_of, sessions) in real.items():
        print(f"real log: {name}", flush=True)
        found = logs.judge_log(logs.features_of(folder / name.replace(" ", "_"), log, as_of, sessions), POLICY)
        begun = {column: logs.natural_alarms(found, column) for column in logs.SPEND}
        lasting = {column: logs.natural_sessions(found, column) for column in logs.SPEND}
        seen = {factor: logs.seen_share(found, factor) for factor in logs.FACTORS}
        rows.append(Row(name, "natural_alarms_in_six_sessions_worst_spend_feature", max(begun.values()), None))
        rows.append(Row(name, "sessions_in_natural_alarm_of_six_worst_spend_feature", max(lasting.values()), None))
        rows += [Row(name, f"power_prices_x{factor:g}", share, None) for factor, share in seen.items()]
        worst = max(lasting, key=lambda column: lasting[column])
        lines.append(
            [
                f"{name}, {len(found)} sessions",
                *(_percent(seen[factor]) for factor in logs.FACTORS),
                f"{max(begun.values())}",
                f"{lasting[worst]} ({worst})" if lasting[worst] else "0",
            ]
        )
    head = (
        "log",
        *(f"prices x{factor:g} seen at once" for factor in logs.FACTORS),
        "natural alarms begun in six sessions, worst spend column",
        "sessions they lasted",
    )
    return _table(head, lines)


def stage_section(rows: list[Row], folder: Path) -> str:
    """A million customers with 40 columns."""
    print("a million customers", flush=True)
    command = [sys.executable, "-m", "benchmarks.drift_stage"]
    folder.parent.mkdir(exist_ok=True)

    def run(what: str) -> Measurement:
        log = folder.parent / f"{what}.log"
        return measure([*command, what, str(folder)], log=log, folder=ROOT, timeout_seconds=900)

    run("make")
    found = {
        "drift stage, 1,000,000 customers x 40 columns": run("measure"),
        "Evidently as well, 5,000 sampled customers x 12 columns": run("draw"),
    }
    for case, cost in found.items():
        rows.append(Row(case, "seconds", round(cost.seconds, 1), None))
        rows.append(Row(case, "peak_memory_gb", round(cost.peak_memory_gb, 2), None))
    return markdown_table([row for row in rows if row.case in found])


def page(sections: Mapping[str, str]) -> str:
    """The page."""
    return f"""# Monitoring: false alarms, power, delay

Written by `make study-drift`; nothing here is typed in. The same figures: [drift.json](results/drift.json).

Default policy: false-alarm rate declared per session {POLICY.alpha:.0%}, PSI limits {POLICY.psi_limit} (reference) and
{POLICY.step_limit} (last stable session), z limit {POLICY.z_limit} from {POLICY.min_history} sessions of history on,
{POLICY.confirm} sessions in a row before a retraining is called for. {this_machine().caption()}.

## Nothing happens

Reference, and {_SESSIONS} sessions of other customers from the same distribution; {_CHAMPIONS} times. 12 watched columns: nine
numbers, a count that is mostly 0, a category, the prediction; two columns have 5 % missing. An alarm is any column called
drifted or broken. The rate is below the declared one because a difference must also be large enough to matter.

{sections["null"]}

## Something happens

{_STABLE} stable sessions, then a lasting change; {_REPETITIONS} times. `lognormal` is exp(1.5 z): a shift there is one of the
logarithm. The last two columns need no policy: the test of the changed column by itself, and the rule of thumb that ignores
how many customers there are (which is why it "sees" so much at 200 customers: see its false alarms above).

{sections["power"]}

## Feeds break

{_FEEDS} simulated shops; their feed breaks, and sessions look at it on the days {", ".join(map(str, LOOKS))} after. The volume
check compares the last seven days and the last fourteen, so half of the orders is seen as they fill with it; at 3,000 customers
some 170 order lines are expected in seven days, at 12,000 some 720, and half of few lines takes longer to tell from a quiet week.
"none" is a feed in order: those are false alarms.

{sections["feeds"]}

## Real logs

Every customer known at a day, a session every {logs.STEP_DAYS} days, the first one the reference; every amount multiplied
from one session on, as when a log is exported again in another currency or unit. "Seen at once": in that very
session, from the third on. An alarm that lasts is one episode and one alert; how many sessions it lasted is shown next to it.

{sections["logs"]}

## Cost

{sections["stage"]}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real logs")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    given = parser.parse_args(arguments)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="study-drift-") as name:
        folder = Path(name)
        sections = {
            "null": null_section(rows),
            "power": power_section(rows),
            "logs": logs_section(rows, given.data, folder),
            "feeds": feeds_section(rows, folder),
            "stage": stage_section(rows, folder / "stage"),
        }
    write_results(NAME, page(sections), rows, given.docs)


if __name__ == "__main__":
    main()
