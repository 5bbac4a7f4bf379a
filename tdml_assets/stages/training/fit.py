"""Train a candidate: fit and measure honestly, then fit again on everything that is known.

Elsewhere: learners (``engines/``), reading tables.

The evaluated model never sees a target that was unknown on the test snapshot's day. The stored model is fitted once more on
all labelled rows with the number of rounds found, because the newest season is worth most; metrics are the evaluated one's.
Of many training rows a sample is predicted: whether a model knows them too well shows in it as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.declaration.workflow import Search
from tdml_assets.engines.at_once import at_once, threads_worth
from tdml_assets.engines.learner_choice import AUTO, LearnerChoice
from tdml_assets.engines.level import Kind, Level, Rehearsal, Snapshot, rehearse, rehearse_test, snapshot_of
from tdml_assets.engines.protocol import Engine, FeatureSource, FittedModel, ModelSpec, Tier, table_source
from tdml_assets.engines.row_samples import spread_rows
from tdml_assets.engines.search import (
    Fold,
    Point,
    SearchResult,
    grid_points,
    loss,
    loss_name,
    search,
    time_folds,
    with_point,
)
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.stages.training.rehearsal import rehearse_options

if TYPE_CHECKING:
    from tdml_assets.engines.level_lifetime import Expectation, LifetimeBase

KEYS = ("snapshot_date", "customer_id", "target")
PREDICTION = "predicted_target"
LABELLED = ("train", "validation", "test", "refit")
MEASURED = ("train", "test")
#: Rows stored with a model, which every load must reproduce.
GOLDEN_ROWS = 20
_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Candidate:
    """A trained candidate.

    ``evaluated``: the model that was measured: it knows nothing later than the test snapshot's day.
    ``final``: the model that is stored.
    ``holdout``: rows of the training and test splits with their target and both models' predictions; of many training rows a
      sample.
    ``model``: what was trained, with the parameters a search found.
    ``search``: what the search tried; None for no search.
    ``level``: how the test predictions were moved; None where nothing is moved.
    ``rehearsals``: that correction on the test snapshot and on those before it.
    ``choice``: what ``estimator: auto`` chose, and from what; None where the estimator is declared.
    """

    evaluated: FittedModel
    final: FittedModel
    holdout: pa.Table
    model: ModelSpec
    search: SearchResult | None = None
    level: Level | None = None
    rehearsals: tuple[Rehearsal, ...] = ()
    choice: LearnerChoice | None = None


@dataclass(frozen=True)
class Choosing:
    """How ``estimator: auto`` chooses.

    ``previous``: name of the option that the champion before was made with; None for none. ``max_rows``: with more training rows
    nothing is rehearsed.
    """

    previous: str | None = None
    max_rows: int = 200_000


def holdout_contract(workflow: str) -> TableContract:
    """Contract of ``<workflow>.holdout_predictions``."""
    return TableContract(
        workflow,
        "holdout_predictions",
        "One row per row of the training and test splits, with what was predicted for it; of more than 200,000 training rows a "
        "sample of as many.",
        (
            Column("snapshot_date", "DATE", "Day at whose end the features were taken.", False),
            Column("customer_id", "VARCHAR", "Customer.", False),
            Column("split", "VARCHAR", "train or test.", False),
            Column(
                "target",
                "DOUBLE",
                "What happened, in the unit of the target: money for an amount, 1 or 0 for whether, 0 where nothing is predicted.",
                False,
            ),
            Column(
                "predicted_target",
                "DOUBLE",
                "Prediction of the evaluated model: an amount, a probability, or the number of a group; of the test split as it "
                "would have been published, its level corrected.",
                False,
            ),
            Column("uncorrected_prediction", "DOUBLE", "The same before its level was corrected.", False),
            Column("probability", "DOUBLE", "Its probability of any purchase; NULL where it has no such stage."),
            Column(
                "final_prediction", "DOUBLE", "Prediction of the stored model, which has learnt from the row.", False
            ),
        ),
    )


def features_of(table: pa.Table) -> pa.Table:
    """Only what a model sees."""
    return table.drop_columns([name for name in KEYS if name in table.column_names])


def score_table(model: FittedModel, features: pa.Table) -> pa.Table:
    """Predictions for a whole table, batch by batch."""
    scored = [model.score(batch) for batch in features.to_batches(max_chunksize=_BATCH_ROWS)]
    return pa.Table.from_batches(scored) if scored else pa.table({})


def search_parameters(
    engine: Engine, splits: Mapping[str, pa.Table], model: ModelSpec, tier: Tier, declared: Search
) -> SearchResult | None:
    """Try the declared grid on later-in-time folds of what may be learnt from; the test split is never looked at.

    Returns what was tried and the best point; None where no grid is declared.
    """
    import pyarrow.compute as pc

    if not declared.grid:
        return None
    if model.spill_folder:
        # A fold is a copy of its rows, which memory need not hold.
        splits = {name: spread_rows(splits[name]) for name in ("train", "validation")}
    rows = pa.concat_tables([splits["train"], splits["validation"]])
    name = loss_name(model.task, rows["target"].to_numpy())
    folds = time_folds(rows["snapshot_date"].unique().to_pylist(), model.horizon_days, declared.folds)

    def fit_and_score(point: Point, fold: Fold) -> float:
        train, validation = splits["train"], splits["validation"]
        if fold.validation is not None:
            train = rows.filter(pc.is_in(rows["snapshot_date"], pa.array(fold.train, pa.date32())))
            validation = rows.filter(pc.equal(rows["snapshot_date"], pa.scalar(fold.validation, pa.date32())))
        spec = replace(model, parameters=with_point(model.parameters, point))
        fitted = engine.fit(_source(train), _source(validation), spec, tier)
        return loss(name, validation["target"].to_numpy(), score_table(fitted, features_of(validation))[PREDICTION])

    return search(fit_and_score, grid_points(declared.grid), folds)


def _source(table: pa.Table) -> FeatureSource:
    return table_source(features_of(table).append_column("target", table["target"]), "target")


def train_candidate(
    engine: Engine,
    splits: Mapping[str, pa.Table],
    model: ModelSpec,
    tier: Tier,
    declared: Search | None = None,
    kind: Kind | None = None,
    base: LifetimeBase | None = None,
    histories: pa.Table | None = None,
    choosing: Choosing | None = None,
) -> Candidate:
    """Fit, measure, fit again.

    ``engine``: what trains.
    ``splits``: prepared rows per split, in a fixed order, with the columns of :data:`KEYS` and FLOAT features; ``train``,
      ``validation`` and ``test`` are needed, ``refit`` may be empty; ``today`` holds the rows to score, for a learner that
      wants them.
    ``model``, ``tier``: what to train, and what it may use.
    ``declared``: parameters to try first; none unless given.
    ``kind``: of the predictions whose level is corrected; None for no correction.
    ``base``: the lifetime model that the correction asks, fitted to what was known on the day of the test; None for none.
    ``histories``: ``snapshot_date``, ``customer_id`` and the unprepared history of labelled rows; None for none.
    ``choosing``: how ``estimator: auto`` chooses; without a session before unless given.
    """
    rehearsed = None
    if model.estimator == AUTO:
        choosing = choosing or Choosing()
        previous, most = choosing.previous, choosing.max_rows
        rehearsed = rehearse_options(engine, splits, model, tier, previous=previous, max_rows=most)
        model = rehearsed.model
    asks = engine.wants_unlabelled(model)
    found = search_parameters(engine, splits, model, tier, declared or Search())
    if found is not None:
        model = replace(model, parameters=with_point(model.parameters, found.best))
    sources = {name: _source(table) for name, table in splits.items() if table.num_rows}
    # The features of the test split were known on its day, and those of today are; their targets are not.
    known_then = replace(model, unlabelled=_source(splits["test"])) if asks else model
    known_now = replace(model, unlabelled=_source(splits["today"])) if asks and "today" in splits else model
    evaluated = rehearsed.evaluated if rehearsed else None
    evaluated = evaluated or engine.fit(sources["train"], sources["validation"], known_then, tier)

    # The test is measured whole: models are compared on it.
    looked_at = {name: splits[name] if name == "test" else spread_rows(splits[name]) for name in LABELLED}

    def refit() -> FittedModel:
        return engine.refit([sources[name] for name in LABELLED if name in sources], evaluated.recipe, known_now, tier)

    def measure() -> tuple[list[Rehearsal], dict[str, pa.Table]]:
        scored = {name: score_table(evaluated, features_of(looked_at[name])) for name in MEASURED}
        return _rehearsals(evaluated, looked_at, scored, model, kind, base, histories) if kind else [], scored

    # What is measured is measured of the evaluated model: it needs nothing of the stored one.
    calls: list[Callable[[], Any]] = [refit, measure]
    rows = sum(table.num_rows for table in splits.values())
    is_small = threads_worth(rows, len(evaluated.features), tier.cpus) == 1
    final, (rehearsals, scored_rows) = at_once(calls, tier.cpus if is_small else 1)
    test_day = max(splits["test"]["snapshot_date"].unique().to_pylist())
    level = next((one.level for one in rehearsals if one.snapshot.day == test_day), None)
    parts = []
    for name in MEASURED:
        table, scored = looked_at[name], scored_rows[name]
        part = table.select(list(KEYS)).append_column("split", pa.array([name] * table.num_rows, pa.string()))
        given = scored[PREDICTION].cast(pa.float64())
        moved = pa.array(level.apply(given.to_numpy())) if level and name == "test" else given
        part = part.append_column("predicted_target", moved).append_column("uncorrected_prediction", given)
        probability = scored["p_buy"].cast(pa.float64()) if "p_buy" in scored.column_names else pa.nulls(len(part))
        part = part.append_column("probability", probability)
        parts.append(
            part.append_column(
                "final_prediction", score_table(final, features_of(table))[PREDICTION].cast(pa.float64())
            )
        )
    choice = rehearsed.choice if rehearsed else None
    return Candidate(evaluated, final, pa.concat_tables(parts), model, found, level, tuple(rehearsals), choice)


def _rehearsals(
    fitted: FittedModel,
    splits: Mapping[str, pa.Table],
    scored: Mapping[str, pa.Table],
    model: ModelSpec,
    kind: Kind,
    base: LifetimeBase | None,
    histories: pa.Table | None,
) -> list[Rehearsal]:
    """What the evaluated model and the correction of its level would have said of the test and of the snapshots before it.

    ``scored``: what the evaluated model says of the rows of some splits, which are not scored again.
    """
    rows = pa.concat_tables([splits[name].select(list(KEYS)) for name in LABELLED if splits[name].num_rows])
    test_day = max(splits["test"]["snapshot_date"].unique().to_pylist())
    horizon = timedelta(days=model.horizon_days)
    known = [day for day in rows["snapshot_date"].unique().to_pylist() if day + horizon <= test_day]
    days = [*known, test_day]
    snapshots = snapshots_of(_with_predictions(fitted, splits, scored, days), days, kind)
    expected = snapshot_expectations(rows, histories, days, base)
    earlier = [one for one in snapshots if one.day != test_day]
    before = rehearse(earlier, model.horizon_days, kind, expected)
    test = [one for one in snapshots if one.day == test_day and (known or expected)]
    return [*before, *(rehearse_test(one, earlier, before, kind, expected.get(test_day)) for one in test)]


def _with_predictions(
    fitted: FittedModel, splits: Mapping[str, pa.Table], scored: Mapping[str, pa.Table], days: Collection[date]
) -> pa.Table:
    """Keys and predictions of the labelled rows of ``days``."""
    parts = []
    for name in LABELLED:
        table = splits[name] if name in scored else _of_days(splits[name], days)
        found = scored[name] if name in scored else score_table(fitted, features_of(table))
        if table.num_rows:
            parts.append(table.select(list(KEYS)).append_column(PREDICTION, found[PREDICTION].cast(pa.float64())))
    return pa.concat_tables(parts)


def _of_days(table: pa.Table, days: Collection[date]) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.is_in(table["snapshot_date"], value_set=pa.array(sorted(days), pa.date32())))


def snapshot_expectations(
    rows: pa.Table, histories: pa.Table | None, days: Collection[date], base: LifetimeBase | None
) -> dict[date, Expectation]:
    """What a lifetime model expects in all of the prepared rows of each of ``days``; nothing without one."""
    import pyarrow.compute as pc

    from tdml_assets.engines.level_lifetime import expectations

    if histories is None or base is None:
        return {}

    def of_day(table: pa.Table, one: date) -> pa.Table:
        return table.filter(pc.equal(table["snapshot_date"], pa.scalar(one, pa.date32())))

    found, customers = {}, {}
    for one in days:
        known, kept = of_day(histories, one), of_day(rows, one)["customer_id"].combine_chunks()
        found[one] = known.filter(pc.is_in(known["customer_id"], value_set=kept))
        customers[one] = len(kept)
    # Of many customers the histories of some are read: what is expected of them is expected of all in proportion.
    expected = expectations(base, found)
    return {one: replace(of_them, customers=customers[one]) for one, of_them in expected.items()}


def compare_snapshots(model: FittedModel, rows: pa.Table, days: Collection[date], kind: Kind) -> list[Snapshot]:
    """What a model says of prepared rows next to what happened, per snapshot that says anything.

    ``rows``: the columns of :data:`KEYS` and the model's features, as FLOAT.
    """
    asked = _of_days(rows, days)
    if not asked.num_rows:
        return []
    given = score_table(model, asked.select(list(model.features)))[PREDICTION].cast(pa.float64())
    return snapshots_of(asked.select(list(KEYS)).append_column(PREDICTION, given), days, kind)


def snapshots_of(rows: pa.Table, days: Collection[date], kind: Kind) -> list[Snapshot]:
    """Predictions next to what happened, per snapshot that says anything.

    ``rows``: the columns of :data:`KEYS`, and ``predicted_target`` as DOUBLE.
    """
    found = []
    for day in sorted(days):
        # In a fixed order: a sum depends on it.
        of_day = _of_days(rows, [day]).sort_by("customer_id")
        target, predicted = (of_day[name].to_numpy().astype(np.float64) for name in ("target", PREDICTION))
        one = snapshot_of(day, kind, target, predicted)
        found += [one] if one else []
    return found


def golden_rows(splits: Mapping[str, pa.Table]) -> pa.Table:
    """A few prepared rows, evenly spaced over the test split, for the bundle: features only, no customer."""
    features = features_of(splits["test"])
    places: NDArray[np.int64] = np.unique(np.linspace(0, features.num_rows - 1, GOLDEN_ROWS).astype(np.int64))
    return features.take(pa.array(places)).combine_chunks()
