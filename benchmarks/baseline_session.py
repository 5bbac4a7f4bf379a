"""The baseline of ``bench-session``: one session as a data scientist would script it in pandas.

Belongs here: the steps from one Parquet file of order lines to scored customers, in pandas, scikit-learn's conventions and
XGBoost, with the same products as a session of ours. Does not: anything of ``tdml_assets``, measuring (``measure.py``).

Simpler than ours, in its own favour:

- rejected rows are counted, not kept; one file of one source, in UTC and one currency;
- a return is taken off the latest earlier sale of the product, and what exceeds that sale is ignored;
- where categories tie, the later one wins;
- no page views, e-mails or customer file;
- train and test are compared without asking what chance would do; one figure;
- drift is measured against the rows learnt from (ours: all customers) and not judged;
- nothing is kept of the session but its results.

    python -m benchmarks.baseline_session --orders orders.parquet --out results
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.baseline_model import Model, Preparation, evaluate, fit, importances
from benchmarks.baseline_orders import TEXT, features_at, match_returns, net_spend, read_lines

HORIZON, SNAPSHOTS, SEASONS = 90, 2, (1, 2)
MAX_TRAINING_ROWS, BATCH_ROWS, REPORT_ROWS = 1_000_000, 500_000, 5_000
SEED = 7
DECILES = np.arange(1, 10) / 10

SECONDS: dict[str, float] = {}


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time a step, give back what it freed, and say how long it took."""
    started = time.perf_counter()
    yield
    gc.collect()
    pa.default_memory_pool().release_unused()
    SECONDS[name] = SECONDS.get(name, 0.0) + time.perf_counter() - started
    print(f"{name}: {SECONDS[name]:.1f} s", flush=True)


def years_before(day: date, years: int) -> date:
    """Go back whole years; 29 February becomes the 28th."""
    return day.replace(year=day.year - years, day=28 if (day.month, day.day) == (2, 29) else day.day)


def plan(as_of: date, first: date) -> dict[date, str]:
    """Part of every labelled snapshot: the latest is the test, the one known then validates, earlier ones train."""
    days = {as_of - timedelta(days=HORIZON * (1 + place)) for place in range(SNAPSHOTS)}
    days |= {years_before(day, years) for day in (as_of, max(days)) for years in SEASONS}
    labelled = sorted(day for day in days if (day - first).days >= HORIZON)
    if len(labelled) < 3:
        raise SystemExit(f"orders from {first} to {as_of} leave {len(labelled)} snapshots; at least 3 are needed")
    test = labelled[-1]
    known = [day for day in labelled if (test - day).days >= HORIZON]
    roles = {day: "train" if (known[-1] - day).days >= HORIZON else "refit" for day in labelled}
    return roles | {known[-1]: "validation", test: "test"}


def training_table(lines: pd.DataFrame, returns: pd.DataFrame, roles: Mapping[date, str], out: Path) -> pd.DataFrame:
    """Features and targets of the labelled snapshots: all written, and a sample of customers kept to learn from."""
    sold = lines[~lines["is_return"]].groupby("customer_id", observed=True)["day"].min()
    rows = sum(int((sold <= pd.Timestamp(day)).sum()) for day in roles)
    draws = pd.Series(pd.util.hash_array(sold.index.to_numpy(dtype=object)) % 1_000_000 / 1_000_000, index=sold.index)
    sampled = draws.index[draws < MAX_TRAINING_ROWS / rows]
    parts = []
    for day, role in roles.items():
        snapshot = pd.Timestamp(day)
        frame = features_at(lines, returns, snapshot)
        frame.to_parquet(out / f"features-{day}.parquet", compression="zstd")
        frame = frame[frame.index.isin(sampled)]
        target = net_spend(lines, snapshot, snapshot + pd.Timedelta(days=HORIZON)).reindex(frame.index, fill_value=0.0)
        parts.append(frame.assign(target=target, split=role))
    return pd.concat(parts).astype({"split": "category"})


def explore(table: pd.DataFrame, out: Path) -> None:
    """Variation of train against test, correlation with the target, and the target's histogram."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    numbers = table.drop(columns=[*TEXT, "split"])
    sides = {split: numbers[(table["split"] == split).to_numpy()] for split in ("train", "test")}
    cv = pd.DataFrame({split: 100 * side.std(ddof=0) / side.mean().abs() for split, side in sides.items()})
    cv["difference"] = (cv["train"] - cv["test"]).abs()
    cv["correlation"] = numbers.corrwith(numbers["target"])
    cv.to_csv(out / "exploration.csv")
    positive = table["target"][table["target"] > 0]
    counts, edges = np.histogram(positive, bins=10, range=tuple(np.quantile(positive, (0.01, 0.99))))
    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    axes[0].bar(edges[:-1], counts, width=np.diff(edges), align="edge")
    cv["correlation"].drop("target").sort_values(key=abs).tail(20).plot.barh(ax=axes[1])
    figure.savefig(out / "exploration.png", dpi=80)
    plt.close(figure)


def drift_of(now: pd.Series, reference: pd.Series) -> dict[str, float]:
    """Gaussian divergence and population stability index by the reference's deciles (or levels) of one column."""
    found: dict[str, float] = {}
    if isinstance(now.dtype, pd.CategoricalDtype):
        sides = [side.value_counts(dropna=False, sort=False).to_numpy() for side in (now, reference)]
    else:
        mean, sd, mean_ref, sd_ref = now.mean(), now.std(ddof=0), reference.mean(), reference.std(ddof=0)
        found = {"avg": float(mean), "avg_ref": float(mean_ref), "sd": float(sd), "sd_ref": float(sd_ref)}
        if sd > 0 and sd_ref > 0:
            found["kld"] = float(np.log(sd_ref / sd) + (sd**2 + (mean - mean_ref) ** 2) / (2 * sd_ref**2) - 0.5)
        edges = np.unique(reference.quantile(DECILES, interpolation="lower").dropna())
        # NaN sorts behind every edge; it gets the last bin.
        bins = [np.searchsorted(edges, side.to_numpy()) + side.isna().to_numpy() for side in (now, reference)]
        sides = [np.bincount(side, minlength=len(edges) + 2) for side in bins]
    filled = (sides[0] + sides[1]) > 0
    p, q = ((side[filled] + 0.5) / (side[filled] + 0.5).sum() for side in sides)
    return found | {"psi": float(np.sum((p - q) * np.log(p / q)))}


def draw_report(now: pd.DataFrame, reference: pd.DataFrame, path: Path) -> None:
    """Draw Evidently's report of a few thousand rows of each side."""
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415
    from evidently.presets import DataDriftPreset  # noqa: PLC0415

    numbers = [name for name in now.columns if name not in TEXT and reference[name].min() < reference[name].max()]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=list(TEXT))
    samples = [
        side.sample(min(len(side), REPORT_ROWS), random_state=SEED).reset_index(drop=True) for side in (now, reference)
    ]
    new, old = (
        Dataset.from_pandas(side[[*numbers, *TEXT]].astype(dict.fromkeys(TEXT, object)), data_definition=definition)
        for side in samples
    )
    report = Report([DataDriftPreset(num_method="psi", cat_method="psi")]).run(new, old)
    report.save_html(str(path))


def score(model: Model, preparation: Preparation, frame: pd.DataFrame) -> pd.DataFrame:
    """Predict for everybody, some hundred thousand at a time."""
    parts = [frame.iloc[start : start + BATCH_ROWS] for start in range(0, len(frame), BATCH_ROWS)]
    predicted = np.concatenate([model.predict(preparation.apply(part))[0] for part in parts])
    return pd.DataFrame({"predicted_target": predicted}, index=frame.index)


def publish(scores: pd.DataFrame, as_of: date, out: Path) -> None:
    """Write the customers' attributes as Parquet and CSV."""
    spend = scores["predicted_target"]
    rank = spend.rank(method="first").to_numpy(np.int64)
    attributes = pd.DataFrame(
        {
            "as_of": pd.Timestamp(as_of),
            "cltv_predicted_spend": spend,
            "cltv_prediction_category": np.where(spend > spend.mean(), "Above AVG", "Below AVG"),
            "cltv_decile": ((10 * rank + len(rank) - 1) // len(rank)).astype(np.int8),
            "cltv_percentile": (100 * (rank - 1) // max(len(rank) - 1, 1)).astype(np.int8),
        },
        index=scores.index,
    )
    attributes.to_parquet(out / "attributes.parquet", compression="zstd")
    attributes.to_csv(out / "attributes.csv")


def run(orders: Path, out: Path, today: date) -> dict[str, Any]:
    """Run the whole session. Returns what it found, and the seconds of every step."""
    out.mkdir(parents=True, exist_ok=True)
    with step("read and validate"):
        lines, rejected = read_lines(orders, today)
        returns = match_returns(lines)
    as_of, first = lines["day"].max().date(), lines["day"].min().date()
    roles = plan(as_of, first)
    with step("features and targets"):
        table = training_table(lines, returns, roles, out)
    with step("explore"):
        explore(table, out)
    with step("prepare"):
        split = table["split"].to_numpy()
        preparation = Preparation.fit(table[split == "train"])
        matrix, target = preparation.apply(table), table["target"].to_numpy()
    with step("train"):
        held = matrix[split == "validation"], target[split == "validation"]
        evaluated = fit(matrix[split == "train"], target[split == "train"], held)
        del held
    with step("evaluate"):
        metrics = evaluate(evaluated, matrix, table)
    with step("refit"):
        final = fit(matrix, target, None, evaluated)
        for stage, booster in final.boosters.items():
            booster.save_model(out / f"{stage}.json")
    with step("explain"):
        explained = importances(final, matrix, preparation.names)
        reference = table[split == "test"].drop(columns=["target", "split"])
        reference["predicted_target"] = final.predict(matrix[split == "test"])[0]
        del table, matrix, target
    with step("features to score"):
        frame = features_at(lines, returns, pd.Timestamp(as_of))
        frame.to_parquet(out / f"features-{as_of}.parquet", compression="zstd")
        del lines, returns
    with step("score"):
        scores = score(final, preparation, frame)
        frame["predicted_target"] = scores["predicted_target"]
        predicted = scores["predicted_target"]
        stats = {**predicted.describe().to_dict(), "skew": predicted.skew(), "kurt": predicted.kurt()}
    with step("drift"):
        drift = {name: drift_of(frame[name], reference[name]) for name in frame.columns}
    with step("publish"):
        publish(scores, as_of, out)
        customers = len(scores)
    with step("report"):
        draw_report(frame, reference, out / "drift.html")
    found = {
        "as_of": as_of.isoformat(),
        "snapshots": {day.isoformat(): role for day, role in roles.items()},
        "rejected": rejected,
        "training_rows": len(split),
        "features": len(preparation.names),
        "rounds": {"evaluated": evaluated.rounds, "final": final.rounds},
        "metrics": metrics,
        "customers": customers,
        "importances": explained,
        "drift": drift,
        "predictions": stats,
        "seconds": SECONDS,
    }
    (out / "session.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baseline_session", description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=Path, required=True, help="Parquet file of order lines")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date(), help="no order is later")
    given = parser.parse_args()
    found = run(given.orders, given.out, given.today)
    test = found["metrics"]["test"]
    print(f"{found['customers']:,} customers scored; test MAE {test['mae']:.2f}, Gini {test['normalised_gini']:.3f}")


if __name__ == "__main__":
    main()
