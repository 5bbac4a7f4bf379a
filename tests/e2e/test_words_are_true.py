"""Every figure of the summary and of the session reports against the simulated world behind them, computed again by pandas.

The world is simulated here from the settings, not read from the files or tables of the run; only predictions are read.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from tdml_assets.commands.summary import read_summary, render_text
from tdml_assets.commands.summary_facts import WorkflowInfo
from tdml_assets.component import declared_workflows, switched_off
from tdml_assets.declaration.workflow import TaskName
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.settings import Settings, load_settings
from tdml_assets.simulation import simulate
from tdml_assets.tasks.presentation import presentation_of
from tests.e2e.conftest import Home

HORIZON = timedelta(days=90)


class Truth:
    """The world up to ``as_of``, and what the run predicted of it."""

    def __init__(self, home: Home) -> None:
        self.settings: Settings = load_settings(home.environment)
        lines = simulate(self.settings.sample).orders.to_pandas()
        lines["day"] = lines["ordered_at"].dt.normalize()
        lines["amount"] = lines["quantity"] * lines["unit_price"]
        self.lines, self.as_of = lines, lines["day"].max()
        self.sales = lines[lines["quantity"] > 0]
        self.database = home.folder / "home" / "warehouse.duckdb"

    def known(self, day: pd.Timestamp) -> set[str]:
        """Customers to whom something they bought is left."""
        before = self.lines[self.lines["day"] <= day]
        left = before.groupby(["customer_id", "product_id"])["quantity"].sum()
        return set(left[left > 0].index.get_level_values(0))

    def last_purchase(self, day: pd.Timestamp) -> pd.Series:
        """Day of the latest purchase that was not taken back; a return takes back the latest purchase before it."""
        before = self.lines[self.lines["day"] <= day].sort_values("ordered_at")
        kept: dict[tuple[str, str], list[list[Any]]] = {}
        for line in before.itertuples():
            bought = kept.setdefault((line.customer_id, line.product_id), [])
            if line.quantity > 0:
                bought.append([line.day, line.quantity])
            left = -min(line.quantity, 0)
            while left and bought:
                taken = min(left, bought[-1][1])
                bought[-1][1] -= taken
                left -= taken
                if not bought[-1][1]:
                    bought.pop()
        days = [(customer, one[0]) for (customer, _), bought in kept.items() for one in bought]
        return pd.DataFrame(days, columns=["customer_id", "day"]).groupby("customer_id")["day"].max()

    def read(self, query: str) -> pd.DataFrame:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(query).df()

    def total_bias(self, workflow: str, task: TaskName) -> float | None:
        """How far the total of the test was off, by the measures that the session keeps."""
        chosen = f"workflow = '{workflow}' and evaluation_table = 'test'"
        kept = self.read(f"select metric, value from monitoring.model_metrics where {chosen}")
        total_bias = presentation_of(task).total_bias
        return None if total_bias is None else total_bias(dict(zip(kept["metric"], kept["value"], strict=True)))

    def tested(self, workflow: str) -> pd.DataFrame:
        """Predictions of the test, with what really happened behind its day."""
        rows = self.read(
            f"select customer_id, predicted_target, snapshot_date from {workflow}.holdout_predictions where split = 'test'"
        )
        day = rows["snapshot_date"].iloc[0]
        assert day == self.as_of - HORIZON
        window = self.lines[(self.lines["day"] > day) & (self.lines["day"] <= day + HORIZON)]
        spent = window.groupby("customer_id")["amount"].sum().clip(lower=0)
        bought = set(window.loc[window["quantity"] > 0, "customer_id"])
        last = self.last_purchase(day)
        return rows.assign(
            spent=rows["customer_id"].map(spent).fillna(0.0),
            lapsed=~rows["customer_id"].isin(bought),
            silent=(day - rows["customer_id"].map(last)).dt.days,
        )


@pytest.fixture(scope="module")
def truth(finished_home: Home) -> Truth:
    return Truth(finished_home)


@cache
def _printed(truth: Truth) -> str:
    specs = declared_workflows(truth.settings)
    infos = [WorkflowInfo(s.name, s.title, s.task, s.target.horizon_days, s.eligible.words) for s in specs]
    with build_warehouse(truth.settings).read() as database:
        return render_text(read_summary(database, infos, {}, switched_off(truth.settings)))


@pytest.fixture
def text(truth: Truth, monkeypatch: pytest.MonkeyPatch, finished_home: Home) -> str:
    for name, value in finished_home.environment.items():
        monkeypatch.setenv(name, value)
    return _printed(truth)


def numbers(pattern: str, text: str) -> list[float]:
    """The groups of the one place where ``pattern`` stands, line breaks and indents left out."""
    (found,) = re.findall(pattern, " ".join(text.split()))
    return [float(number.replace(",", "")) for number in ((found,) if isinstance(found, str) else found)]


def of(workflow: str, text: str) -> str:
    """What the summary says of one workflow."""
    (block,) = [block for block in text.split("\n\n") if f"({workflow})" in block.splitlines()[0]]
    return block


def says_the_level(truth: Truth, workflow: str, total: float, block: str) -> bool:
    """Whether the summary says by how much the total was moved, and the bounds of the outcome that were kept with it."""
    (plain,) = truth.read(f"select * from {workflow}.uncorrected_predictions").sum()
    level = truth.read(f"select * from monitoring.level where workflow = '{workflow}'").iloc[0]
    assert (level["uncorrected_total"], level["total"]) == pytest.approx((plain, total))
    moved = total / plain - 1
    done = f"{'raised' if moved > 0 else 'lowered'} by {abs(moved):.0%}" if round(abs(moved), 2) else "not moved"
    low, high = (abs(level[name] / total - 1) for name in ("low_total", "high_total"))
    assert level["low_total"] <= total <= level["high_total"]
    words = " ".join(block.split())
    return f"total {done}: " in words and f"between {low:.0%} below and {high:.0%} above it in 80% of cases" in words


def test_customers_orders_lines_and_days_are_those_of_the_world(truth: Truth, text: str) -> None:
    customers, unsold = numbers(r"customers ([\d,]+) ([\d,]+) of them have no purchase left", text)
    assert customers == truth.lines["customer_id"].nunique()
    assert unsold == customers - len(truth.known(truth.as_of))
    orders, lines, returns = numbers(r"orders ([\d,]+) ([\d,]+) lines \(([\d,]+) of them returns\)", text)
    assert orders == truth.sales["order_id"].nunique()
    assert (lines, returns) == (len(truth.lines), (truth.lines["quantity"] < 0).sum())
    assert f"{truth.lines['day'].min():%Y-%m-%d} to {truth.as_of:%Y-%m-%d}" in text
    (rejected,) = numbers(r"set aside ([\d,]+) of [\d,]+ rows", text)
    assert rejected == len(truth.read("select * from raw.rejected_rows"))


def test_expected_spend_its_top_tenth_and_the_total_of_the_test_are_right(truth: Truth, text: str) -> None:
    block = of("cltv", text)
    predicted = np.sort(truth.read("select predicted_target from cltv.predictions")["predicted_target"])[::-1]
    scored, total, tenth = numbers(
        r"customers scored ([\d,]+); expected spend ([\d,]+) GBP, (\d+)% from the top tenth", block
    )
    assert scored == len(truth.known(truth.as_of)) == len(predicted)
    assert total == round(predicted.sum())
    assert tenth == round(100 * predicted[: math.ceil(len(predicted) / 10)].sum() / predicted.sum())
    test = truth.tested("cltv")
    off = test["predicted_target"].sum() / test["spent"].sum() - 1
    assert truth.total_bias("cltv", "regression") == pytest.approx(off, abs=1e-6)
    assert says_the_level(truth, "cltv", predicted.sum(), block)
    (error,) = numbers(r"error per customer ([\d.,]+)", block)
    assert error == pytest.approx((test["predicted_target"] - test["spent"]).abs().mean(), abs=0.006)


def test_who_is_expected_to_lapse_and_how_well_that_was_tested_are_right(truth: Truth, text: str) -> None:
    block = of("churn", text)
    scores = truth.read("select customer_id, probability from churn.predictions")
    last = truth.last_purchase(truth.as_of)
    eligible = {name for name in truth.known(truth.as_of) if (truth.as_of - last[name]).days <= 730}
    assert set(scores["customer_id"]) == eligible
    scored, others = numbers(r"customers scored ([\d,]+) eligible .*; ([\d,]+) others have no score", block)
    assert (scored, others) == (len(eligible), len(truth.known(truth.as_of)) - len(eligible))
    expected, share = numbers(r"expected ([\d,]+) customers \((\d+)%\)", block)
    assert (expected, share) == (round(scores["probability"].sum()), round(100 * scores["probability"].mean()))
    score = (1000 * scores["probability"]).round() / 10
    for grade, low, high in (("A", 75, 101), ("B", 50, 75), ("C", 25, 50), ("D", 0, 25)):
        (shown,) = numbers(rf"grades .*?{grade} (\d+)%", block)
        assert shown == round(100 * ((score >= low) & (score < high)).mean())
    test = truth.tested("churn")
    off = test["predicted_target"].mean() / test["lapsed"].mean() - 1
    assert truth.total_bias("churn", "classification") == pytest.approx(off, abs=1e-6)
    assert says_the_level(truth, "churn", scores["probability"].sum(), block)
    auc, naive, loss = numbers(r"\(AUC\) ([\d.]+) \(naive ([\d.]+)\); .*?\(log loss\) ([\d.]+)", block)
    assert auc == pytest.approx(roc_auc_score(test["lapsed"], test["predicted_target"]), abs=6e-4)
    assert naive == pytest.approx(roc_auc_score(test["lapsed"], test["silent"]), abs=6e-4)
    assert loss == pytest.approx(log_loss(test["lapsed"], test["predicted_target"]), abs=6e-4)
    assert ("better in 3 of 3" in block) <= (auc > naive)


def test_groups_and_products_are_counted_right(truth: Truth, text: str) -> None:
    groups = truth.read("select cluster from segments.predictions")["cluster"].value_counts(normalize=True)
    block = " ".join(of("segments", text).split())
    for number, share in groups.items():
        assert re.search(rf"\b{number}\b[^%]*? {share:.0%}", block), (number, share, block)
    lists = truth.read("select customer_id, product_id from next_best_product.predictions")
    each, different = numbers(r"recommended ([\d,]+) products each, ([\d,]+) different", of("next_best_product", text))
    assert (each, different) == (lists.groupby("customer_id").size().unique().item(), lists["product_id"].nunique())


def test_a_first_session_claims_no_drift_and_no_absence_of_it(truth: Truth, text: str) -> None:
    for workflow in ("churn", "cltv", "next_best_product", "segments"):
        assert "nothing to compare with yet: first session of this model" in of(workflow, text)
    assert "No drift" not in text


def test_the_session_reports_say_the_same(truth: Truth, text: str, finished_home: Home) -> None:
    known: dict[str, Any] = {"cltv": len(truth.known(truth.as_of))}
    known |= {"churn": len(truth.read("select * from churn.predictions")), "segments": known["cltv"]}
    for workflow, customers in known.items():
        page = (Path(finished_home.folder) / "home" / "reports" / workflow / "latest.html").read_text(encoding="utf-8")
        plain = " ".join(re.sub(r"<[^>]+>", " ", page).split())
        assert f"customers scored {customers:,}" in plain
        assert "nothing to compare with yet" in plain
        assert f"{truth.as_of.day} {truth.as_of:%B %Y}" in plain
        assert "No drift" not in plain
