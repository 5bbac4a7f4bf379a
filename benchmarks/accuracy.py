"""``make bench-accuracy``: our pipeline on public logs, next to the models of the literature and one-line rules.

Belongs here: the protocols, one after the other, and the page ``docs/accuracy.md``. Does not: truth (``accuracy_truth.py``,
``accuracy_products.py``), our runs (``accuracy_runs.py``), baselines (``accuracy_baselines.py``), measures and verdicts
(``accuracy_measures.py``, ``accuracy_cases.py``), what others reached and what is asked for (``accuracy_published.py``).

    python -m benchmarks.accuracy --data ../shared/data
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import accuracy_baselines as baselines
from benchmarks import accuracy_journey as journey
from benchmarks import accuracy_products as products
from benchmarks import accuracy_published as published
from benchmarks import accuracy_rehearsal as rehearsal
from benchmarks import accuracy_report as report
from benchmarks import accuracy_segments as segments
from benchmarks.accuracy_cases import (
    SEED,
    Case,
    Grouping,
    Prediction,
    buys_case,
    judge,
    products_case,
    segments_case,
    spend_case,
)
from benchmarks.accuracy_runs import (
    ROOT,
    VARIANTS,
    Home,
    Log,
    cdnow,
    every_estimator,
    judged_estimator,
    lifetime_directly,
    retail,
    without_later_rows,
)
from benchmarks.accuracy_truth import FILES, Floats, Truth, Window, read_cdnow, read_retail, read_sample_ids, truth_of
from benchmarks.measure import Row, this_machine, write_results

NAME = "accuracy"
DATA = ROOT.parent / "shared" / "data"
WINDOW_39 = Window(date(1997, 9, 30), 273, 23_570)
WINDOW_52 = Window(date(1997, 12, 31), 181, 23_570)
WINDOW_RETAIL = Window(date(2011, 9, 9), 91, 3_364)
_LAST_RETAIL_DAY = date(2011, 12, 9)
_EXIT_NO_DATA = 2
# Without it BG/NBD finds no end of buying on Online Retail and its parameters run away; as in the quoted figures.
_RETAIL_PENALIZER = 0.05
#: Case, example, scored window, lines, log and window of a rehearsal.
_Play = tuple[str, str | None, Window, pd.DataFrame, Log, Window]
#: What scores where nothing can be trained, and its name on the page.
_BY_LIFETIME, _SESSION = "lifetime:pareto_nbd_gamma_gamma", "the session's lifetime model"
_HISTORIES = "the customers' purchase days up to the cut, from the raw file"


@dataclass
class Found:
    """What the bench has so far."""

    cases: list[Case] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    parameters: Mapping[str, float] = field(default_factory=dict)
    rehearsals: list[rehearsal.Rehearsal] = field(default_factory=list)

    def add(self, *cases: Case) -> None:
        """Keep cases, and tell the one who waits."""
        self.cases += cases
        for case in cases:
            said = ", ".join(f"{name} {value:.4g}" for name, value in case.ours.measured.items())
            print(f"{case.name}: {case.judged}: {said}", flush=True)

    def ran(self, home: Home) -> None:
        """Keep what the runs of a state folder cost."""
        for name, seconds in home.seconds.items():
            self.facts.append(Row(f"run: {home.folder.name}, {name}", "seconds", round(seconds, 1), None))


def _targeted(window: Window, over: Mapping[str, Any]) -> dict[str, Any]:
    return {"target": {"horizon_days": window.days}, **over}


def _baseline_spend(truth: Truth, lifetimes: Mapping[str, tuple[Floats, Floats]]) -> list[Prediction]:
    rules = [
        Prediction(name, False, "spend up to the cut", values) for name, values in baselines.heuristics(truth).items()
    ]
    return [*rules, *(Prediction(name, False, _HISTORIES, spend) for name, (spend, _) in lifetimes.items())]


def _baseline_buys(truth: Truth, lifetimes: Mapping[str, tuple[Floats, Floats]]) -> list[Prediction]:
    scores = baselines.rankings(truth).items()
    ranked = [Prediction(name, False, "days up to the cut", values, is_probability=False) for name, values in scores]
    return [*ranked, *(Prediction(name, False, _HISTORIES, active) for name, (_, active) in lifetimes.items())]


def run_39(found: Found, data: Path, lines: pd.DataFrame, folder: Path) -> None:
    """CDNOW, 39 weeks to learn from and 39 to predict: no label lies before the cut."""
    truth = truth_of(lines, WINDOW_39)
    found.parameters = baselines.published_parameters(truth, read_sample_ids(data))
    home = Home.new(folder / "cdnow-39", cdnow(data), WINDOW_39.cut)
    over = {"target": {"horizon_days": WINDOW_39.days}, "model": {"reasons": 0}}
    scored = home.whole_session("whole session", {"cltv": over, "churn": over, "segments": {}})
    found.ran(home)
    assert scored["cltv"] == scored["churn"] == _BY_LIFETIME, f"no fallback scored the 39-week cut: {scored}"
    found.notes.append(
        f"{published.CDNOW_39}: no snapshot with a whole target lies before this cut, so the session scores it without labels, by "
        "its lifetime model with the total corrected by past windows, and says so. Below it the same models uncorrected, "
        "fitted directly to the pipeline's features."
    )
    saw = "the pipeline's features of the cut; no label"
    names = ("pareto_nbd_gamma_gamma", "bg_nbd_gamma_gamma")
    spend = home.predicted("cltv", "predicted_target", truth.customers)
    active = 1.0 - home.predicted("churn", "probability", truth.customers)
    ours = {_SESSION: (spend, active)} | {
        f"{name}, uncorrected": lifetime_directly(home, name, WINDOW_39.days, truth.customers) for name in names
    }
    fitted = baselines.lifetimes(truth, penalizer=0.0)
    spends = [Prediction(name, True, saw, said) for name, (said, _) in ours.items()]
    chances = [Prediction(name, True, saw, said) for name, (_, said) in ours.items()]
    found.add(
        spend_case(published.CDNOW_39, _SESSION, truth, [*spends, *_baseline_spend(truth, fitted)]),
        buys_case(published.BUYS_39, _SESSION, truth, [*chances, *_baseline_buys(truth, fitted)]),
        _segments(published.SEGMENTS_CDNOW, home, truth),
    )


def run_labelled(
    found: Found, home: Home, truth: Truth, *, example: str | None, names: tuple[str, str], penalizer: float
) -> dict[str, Floats]:
    """CLTV and churn at a cut that labels lie before; every estimator, those of the example judged.

    Returns
    -------
    The predictions of the shipped workflows, by workflow.
    """
    window = truth.window
    said = every_estimator(home, window.days, truth.customers)
    spends = [Prediction(one.estimator, True, one.saw, one.score) for one in said["cltv"]]
    chances = [Prediction(_buying(one.estimator), True, one.saw, 1.0 - one.score) for one in said["churn"]]
    fitted = baselines.lifetimes(truth, penalizer=penalizer)
    found.add(
        spend_case(
            names[0],
            judged_estimator(example, "cltv", window.days),
            truth,
            [*spends, *_baseline_spend(truth, fitted)],
        ),
        buys_case(
            names[1],
            _buying(judged_estimator(example, "churn", window.days)),
            truth,
            [*chances, *_baseline_buys(truth, fitted)],
        ),
    )
    return {workflow: ones[0].score for workflow, ones in said.items()}


def _buying(estimator: str) -> str:
    return f"churn by {estimator}, 1 - probability"


def run_journey(found: Found, file: Path | None, folder: Path) -> None:
    """Complete Journey: households of a grocer, who buy every week; as shipped."""
    if file is None:
        found.notes.append(f"Complete Journey was not run: the package {journey.PACKAGE} is not installed.")
        return
    truth = truth_of(journey.read_journey(file), journey.WINDOW)
    home = Home.new(folder / "journey", journey.journey(file), journey.WINDOW.cut)
    names = (published.JOURNEY, published.BUYS_JOURNEY)
    run_labelled(found, home, truth, example=None, names=names, penalizer=_RETAIL_PENALIZER)
    found.ran(home)


def run_retail(found: Found, data: Path, folder: Path) -> None:
    """Online Retail: spend, buying, segments, products; and the run that proves that later rows change nothing."""
    truth = truth_of(read_retail(data), WINDOW_RETAIL)
    home = Home.new(folder / "retail", retail(data), WINDOW_RETAIL.cut)
    predicted = run_labelled(
        found,
        home,
        truth,
        example="online_retail",
        names=(published.RETAIL, published.BUYS_RETAIL),
        penalizer=_RETAIL_PENALIZER,
    )
    home.run("segments", {"segments": {}}, again=True)
    found.add(_segments(published.SEGMENTS_RETAIL, home, truth))
    goods = products.read_goods(data)
    task = products.window_task(goods, WINDOW_RETAIL.cut, WINDOW_RETAIL.days)
    home.run("next_best_product", _recommending(), again=True)
    found.add(_products(found, published.PRODUCTS, home, task, "all customers' purchases up to the cut"))
    found.ran(home)
    _prove_blind(found, data, folder, truth, predicted)
    _next_basket(found, data, folder, goods)


def _prove_blind(found: Found, data: Path, folder: Path, truth: Truth, predicted: Mapping[str, Floats]) -> None:
    """Run once more on a file that holds no row behind the cut."""
    cut_off = Home.new(
        folder / "retail-cut", without_later_rows(retail(data), WINDOW_RETAIL.cut, folder), WINDOW_RETAIL.cut
    )
    over = {workflow: next(iter(variants.values())) for workflow, variants in VARIANTS.items()}
    cut_off.run("again", {name: _targeted(WINDOW_RETAIL, one) for name, one in over.items()})
    found.ran(cut_off)
    columns = {"cltv": "predicted_target", "churn": "probability"}
    apart = max(
        float(np.abs(cut_off.predicted(workflow, columns[workflow], truth.customers) - values).max())
        for workflow, values in predicted.items()
    )
    assert apart == 0.0, f"rows behind the cut change predictions by up to {apart:g}: the pipeline looked past as_of"
    found.facts.append(Row("Online Retail, rows behind the cut removed", "largest_change_of_a_prediction", apart, None))
    found.notes.append(
        f"Every prediction above was made from the whole log with `as_of` at the cut. Online Retail was run once more with "
        f"the rows behind the cut removed from the file: all {len(truth.customers):,} predictions of cltv and of churn are "
        "the same to the last bit."
    )
    found.notes.append(
        "Each population has exactly the size the protocol names (23,570, 23,570 and 3,364), and each customer of it is "
        "scored exactly once; the run stops where that does not hold."
    )


def _next_basket(found: Found, data: Path, folder: Path, goods: pd.DataFrame) -> None:
    """Every customer has a cut of its own, so the pipeline is given a file without each one's last day."""
    path = folder / "histories.parquet"
    products.histories_only(data, path)
    # Without everybody's last day the log looks as if its last weeks had not arrived: no count of rows may be judged.
    home = Home.new(folder / "retail-baskets", retail(data).at(path), _LAST_RETAIL_DAY, {"min_rows": 10**9})
    home.run("next_best_product", _recommending())
    found.ran(home)
    task = products.next_basket_task(goods)
    found.add(_products(found, published.BASKETS, home, task, "these customers' purchases before each one's last day"))


def _recommending() -> dict[str, Any]:
    over = {"recommendation": {"include": [products.GOODS_PATTERN]}}
    return {"next_best_product": _targeted(WINDOW_RETAIL, over)}


def _products(found: Found, name: str, home: Home, task: products.Task, saw: str) -> Case:
    lists = home.table("select customer_id, rank, product_id, slot from next_best_product.predictions")
    ours = products.shown_of(lists, task.customers)
    without = sum(not one.main for one in ours.values())
    found.notes.append(
        f"{name}: {products.repeat_share(task):.1%} of what was bought are repeats. New products are looked for in our "
        f"ranks of never-bought products, which follow the main list in the same answer; {without} of {len(ours):,} "
        "customers are unknown to the pipeline, all they bought having been cancelled, and count as nothing found."
    )
    seen = "these customers' purchases up to each cut"
    return products_case(
        name,
        task,
        {
            "next_best_product": (True, f"{saw}; chosen on windows before it", ours),
            "own purchases, ties by popularity": (False, seen, products.personal_lists(task)),
            "popular": (False, seen, products.popular_lists(task)),
        },
    )


def _segments(name: str, home: Home, truth: Truth) -> Case:
    labels = home.predicted("segments", "cluster", truth.customers).astype(np.int64)
    named = pd.factorize(home.predicted("segments", "rfm_segment", truth.customers))[0]
    prepared = home.table("select * exclude (snapshot_date, split, target) from segments.prepared").set_index(
        "customer_id"
    )
    values = prepared.reindex(truth.customers).to_numpy(dtype=np.float64)
    raw = segments.scaled_rfm(truth)
    plain = segments.kmeans_labels(raw, segments.RIVAL_K, SEED)
    saw = "recency, orders and spend at the cut"
    return segments_case(
        name,
        truth,
        [
            Grouping("segments", True, saw, labels, segments.stability(values, labels, SEED)),
            Grouping("RFM segments by name", True, saw, named.astype(np.int64)),
            Grouping(
                f"k-means, k = {segments.RIVAL_K}",
                False,
                f"{saw}, raw file",
                plain,
                segments.stability(raw, plain, SEED),
            ),
        ],
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the logs (default %(default)s)")
    parser.add_argument("--work", type=Path, help="scratch folder that is kept, empty; a temporary one unless given")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the page (default %(default)s)")
    return parser.parse_args(arguments)


def measure_all(data: Path, folder: Path) -> Found:
    """Run every protocol."""
    found = Found()
    lines = read_cdnow(data)
    run_39(found, data, lines, folder)
    home = Home.new(folder / "cdnow-52", cdnow(data), WINDOW_52.cut)
    names = (published.CDNOW_52, published.BUYS_52)
    run_labelled(found, home, truth_of(lines, WINDOW_52), example="cdnow", names=names, penalizer=0.0)
    found.ran(home)
    run_retail(found, data, folder)
    run_journey(found, journey.find_file(), folder)
    _rehearse(found, data, folder, lines)
    return found


def _rehearse(found: Found, data: Path, folder: Path, lines: pd.DataFrame) -> None:
    plays: list[_Play] = [
        (published.CDNOW_52, "cdnow", WINDOW_52, lines, cdnow(data), rehearsal.CDNOW_WINDOW),
        (published.RETAIL, "online_retail", WINDOW_RETAIL, read_retail(data), retail(data), rehearsal.RETAIL_WINDOW),
    ]
    file = journey.find_file()
    if file is not None:
        known, log = journey.read_journey(file), journey.journey(file)
        plays.append((published.JOURNEY, None, journey.WINDOW, known, log, journey.REHEARSAL_WINDOW))
        found.notes.append(
            f"{published.JOURNEY}: churn is not rehearsed, since at {journey.REHEARSAL_WINDOW.cut} too few customers of the "
            "test have lapsed for a model to be trained (classification.min_positives)."
        )
    for case, example, scored, known, log, window in plays:
        assert window.until <= scored.cut, "a rehearsal must end before what is scored"
        scratch = folder / f"rehearsal-{example or 'journey'}"
        workflows = tuple(rehearsal.MEASURES) if example else journey.REHEARSED
        ones, home = rehearsal.rehearse(case, example, scored.days, known, log, window, scratch, workflows)
        found.rehearsals += ones
        found.ran(home)
        print(*(one.sentence() for one in ones), sep="\n", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: measure, write the page, print the verdicts."""
    given = parse(arguments)
    missing = [str(given.data / name) for name in FILES if not (given.data / name).is_file()]
    if missing:
        print(f"error: no such file: {', '.join(missing)}; name the folder of the logs with --data", file=sys.stderr)
        raise SystemExit(_EXIT_NO_DATA)
    if given.work is not None:
        given.work.mkdir(parents=True, exist_ok=True)
        found = measure_all(given.data.resolve(), given.work.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="bench-accuracy-") as scratch:
            found = measure_all(given.data.resolve(), Path(scratch))
    judged = judge(found.cases)
    text = report.page(found.cases, judged, found.parameters, found.notes, found.rehearsals, this_machine())
    write_results(NAME, text, report.rows_of(found.cases, found.parameters, found.rehearsals, found.facts), given.docs)
    print(report.verdict_table(judged))


if __name__ == "__main__":
    main()
