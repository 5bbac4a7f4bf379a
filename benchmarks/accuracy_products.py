"""Recommendations on Online Retail: what customers bought next, the two simple lists, and how good lists are.

Belongs here: the two protocols, lists of popular and of own products, measures per customer. Does not: our lists, which the
pipeline makes (``accuracy_runs.py``).

Goods only: customer known, positive quantity and price, no cancellation, a code of five digits and what may follow; a later
cancellation is ignored. The whole catalogue is ranked, nothing is sampled, and the truth is whole. A repeat is a product of the
truth that the customer had bought before, the rest is new to the customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.accuracy_truth import RETAIL_FILE

Floats = NDArray[np.float64]
GOODS_PATTERN = "[0-9][0-9][0-9][0-9][0-9]*"
WINDOW, NEXT_BASKET = "window", "next basket"
#: Customers and products of the protocols.
SIZES = {WINDOW: (1_917, 3_432), NEXT_BASKET: (1_907, 3_567)}
_AT = 10
_LEAST_DAYS = 3


@dataclass(frozen=True)
class Shown:
    """Lists of one customer, best first.

    Parameters
    ----------
    main : unchanged.
    repeat, new : of products bought before, and never.
    """

    main: Sequence[str]
    repeat: Sequence[str]
    new: Sequence[str]


@dataclass(frozen=True)
class Task:
    """One protocol.

    Parameters
    ----------
    own : days on which a customer had bought a product, per customer.
    truth : products bought next, per customer, in the order of ``own``.
    popular : the catalogue, the product bought on most days by these customers first, equal ones by code.
    """

    own: Mapping[str, Mapping[str, int]]
    truth: Mapping[str, frozenset[str]]
    popular: Sequence[str]

    @property
    def customers(self) -> list[str]:
        """Who is measured."""
        return list(self.truth)


def read_goods(folder: Path) -> pd.DataFrame:
    """Sales of goods: customer_id, product_id, day."""
    raw = pd.read_parquet(folder / RETAIL_FILE, columns=None)
    kept = raw[raw["CustomerID"].notna() & (raw["Quantity"] > 0) & (raw["UnitPrice"] > 0)]
    kept = kept[~kept["InvoiceNo"].str.startswith("C") & kept["StockCode"].str.match(r"^\d{5}")]
    return pd.DataFrame(
        {
            "customer_id": kept["CustomerID"].astype(int).astype(str),
            "product_id": kept["StockCode"],
            "day": kept["InvoiceDate"].dt.normalize(),
        }
    ).drop_duplicates()


def window_task(goods: pd.DataFrame, cut: date, days: int) -> Task:
    """Everything bought in (cut, cut + days] among the products sold by the cut."""
    history = goods[goods["day"] <= pd.Timestamp(cut)]
    ahead = goods[(goods["day"] > pd.Timestamp(cut)) & (goods["day"] <= pd.Timestamp(cut + timedelta(days=days)))]
    return _task(history, ahead, set(history["product_id"]), WINDOW)


def last_days(goods: pd.DataFrame) -> pd.Series:
    """Last day of purchase of every customer with at least three."""
    found = goods.drop_duplicates(["customer_id", "day"]).groupby("customer_id")["day"].agg(["size", "max"])
    return found.loc[found["size"] >= _LEAST_DAYS, "max"]


def next_basket_task(goods: pd.DataFrame) -> Task:
    """The last day of every customer with at least three, from all before it."""
    joined = goods.merge(last_days(goods).rename("last"), left_on="customer_id", right_index=True)
    history = joined[joined["day"] < joined["last"]]
    return _task(history, joined[joined["day"] == joined["last"]], set(history["product_id"]), NEXT_BASKET)


def histories_only(folder: Path, path: Path) -> None:
    """Write the raw lines that a next-basket model may see: of the customers measured, before each one's last day."""
    raw = pd.read_parquet(folder / RETAIL_FILE)
    last = raw["CustomerID"].map(lambda one: "" if pd.isna(one) else str(int(one))).map(last_days(read_goods(folder)))
    raw[raw["InvoiceDate"].dt.normalize() < last].to_parquet(path, index=False)


def _task(history: pd.DataFrame, ahead: pd.DataFrame, catalogue: set[str], name: str) -> Task:
    ahead = ahead[ahead["product_id"].isin(catalogue) & ahead["customer_id"].isin(set(history["customer_id"]))]
    truth = {str(customer): frozenset(codes) for customer, codes in ahead.groupby("customer_id")["product_id"]}
    if (len(truth), len(catalogue)) != SIZES[name]:
        raise ValueError(
            f"{name}: {len(truth)} customers and {len(catalogue)} products, the protocol has {SIZES[name]}: the log is not "
            "the one described, or a rule of reading it was changed"
        )
    seen = history[history["customer_id"].isin(set(truth))]
    counts = seen.groupby(["customer_id", "product_id"]).size()
    own = {customer: dict(found.droplevel(0)) for customer, found in counts.groupby(level=0)}
    days = seen.groupby("product_id").size().to_dict()
    popular = sorted(catalogue, key=lambda code: (-days.get(code, 0), code))
    return Task({customer: own[customer] for customer in truth}, truth, popular)


def popular_lists(task: Task) -> dict[str, Shown]:
    """Knows nobody: what most bought."""
    found = {}
    for customer, own in task.own.items():
        repeat = [code for code in task.popular if code in own]
        found[customer] = Shown(task.popular[:_AT], repeat[:_AT], _never_bought(task, own))
    return found


def personal_lists(task: Task) -> dict[str, Shown]:
    """What the customer bought on most days, ties by popularity, filled with what is popular and never bought."""
    place = {code: number for number, code in enumerate(task.popular)}
    found = {}
    for customer, own in task.own.items():
        repeat = sorted(own, key=lambda code: (-own[code], place[code]))[:_AT]
        new = _never_bought(task, own)
        found[customer] = Shown([*repeat, *new][:_AT], repeat, new)
    return found


def _never_bought(task: Task, own: Mapping[str, int]) -> list[str]:
    found = []
    for code in task.popular:
        if code not in own:
            found.append(code)
            if len(found) == _AT:
                break
    return found


def shown_of(predictions: pd.DataFrame, customers: Sequence[str]) -> dict[str, Shown]:
    """Our lists of ``customers``: empty ones for those whom the pipeline does not know.

    Parameters
    ----------
    predictions : customer_id, rank, product_id, slot (repeat or discover).
    """
    wanted = predictions[predictions["customer_id"].isin(set(customers))].sort_values(["customer_id", "rank"])
    found = {customer: Shown((), (), ()) for customer in customers}
    for customer, rows in wanted.groupby("customer_id"):
        codes, slots = rows["product_id"].tolist(), rows["slot"].tolist()
        parts = {slot: [c for c, s in zip(codes, slots, strict=True) if s == slot] for slot in ("repeat", "discover")}
        found[str(customer)] = Shown(codes[:_AT], parts["repeat"][:_AT], parts["discover"][:_AT])
    return found


def per_customer(task: Task, shown: Mapping[str, Shown]) -> dict[str, Floats]:
    """Measures at ten per customer; NaN where one does not count: nobody without new products can find one."""
    discount = 1.0 / np.log2(np.arange(2, _AT + 2))
    longest = max(len(codes) for codes in task.truth.values())
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, longest + 2)))
    rows = []
    for customer, truth in task.truth.items():
        lists, own = shown[customer], set(task.own[customer])
        hits = np.array([code in truth for code in lists.main], dtype=np.float64)
        repeats, news = truth & own, truth - own
        rows.append(
            (
                hits.sum() / len(truth),
                _share(lists.repeat, repeats),
                _share(lists.new, news),
                float(hits @ discount[: len(hits)]) / ideal[len(truth) - 1],
                float(hits.any()),
            )
        )
    names = ("recall_at_10", "repeat_recall_at_10", "new_recall_at_10", "ndcg_at_10", "hit_rate_at_10")
    return dict(zip(names, np.array(rows).T, strict=True))


def _share(shown: Sequence[str], wanted: set[str] | frozenset[str]) -> float:
    return len(wanted & set(shown[:_AT])) / len(wanted) if wanted else float("nan")


def means(values: Mapping[str, Floats]) -> dict[str, float]:
    """Mean of every measure over the customers that count."""
    return {name: float(np.nanmean(one)) for name, one in values.items()}


def resampled_means(drawn: Floats, values: Mapping[str, Floats]) -> dict[str, Floats]:
    """(resamples,) of every measure, for one block of draws."""
    found = {}
    for name, one in values.items():
        counts = np.isfinite(one)
        found[name] = drawn[:, counts] @ one[counts] / drawn[:, counts].sum(axis=1)
    return found


def repeat_share(task: Task) -> float:
    """Share of the truth that the customers had bought before."""
    repeated = sum(len(truth & set(task.own[customer])) for customer, truth in task.truth.items())
    return repeated / sum(len(truth) for truth in task.truth.values())
