"""The words engines share: tiers, sources of rows, specifications, fitted models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tier:
    """What an engine may use.

    ``name``: ``tier1``, ``tier2`` or ``machine``. ``cpus``: threads. ``memory_gb``, ``disk_gb``: in units of 10**9 bytes.
    """

    name: str
    cpus: int
    memory_gb: float
    disk_gb: float

    def __post_init__(self) -> None:
        if self.cpus < 1 or self.memory_gb <= 0 or self.disk_gb <= 0:
            raise ValueError(
                f"tier {self.name} has {self.cpus} cpus, {self.memory_gb:g} GB memory and {self.disk_gb:g} GB disk: "
                "all must be positive"
            )


TIER1 = Tier("tier1", cpus=1, memory_gb=10.0, disk_gb=10.0)
TIER2 = Tier("tier2", cpus=4, memory_gb=30.0, disk_gb=10.0)


def tier_named(name: str, *, cpus: int, memory_gb: float, disk_gb: float) -> Tier:
    """Give the tier of that name; ``machine`` is what is there, as numbers because engines read no environment."""
    if name == "machine":
        return Tier(name, cpus, memory_gb, disk_gb)
    known = {tier.name: tier for tier in (TIER1, TIER2)}
    if name not in known:
        raise ValueError(f"{name!r} is not a tier: use tier1, tier2 or machine")
    return known[name]


@dataclass(frozen=True)
class Estimate:
    """Whether a fit may start within a tier, with the sum in words."""

    fits: bool
    arithmetic: str


class FeatureSource(Protocol):
    """Rows to learn from, read as often as asked and always in the same order.

    A batch holds the features as FLOAT in the order of ``features``, then the target. NULL and NaN are missing values.
    """

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the feature columns, in order."""

    @property
    def target(self) -> str:
        """Name of the target column."""

    @property
    def row_count(self) -> int:
        """Rows of one pass."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Start a new pass."""


@dataclass(frozen=True)
class BatchSource:
    """A :class:`FeatureSource` around a function that starts a pass.

    ``features``, ``target``: column names. ``row_count``: rows of one pass. ``open_batches``: called once per pass; a generator
    it returns is closed when a pass is abandoned.
    """

    features: tuple[str, ...]
    target: str
    row_count: int
    open_batches: Callable[[], Iterator[pa.RecordBatch]]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Start a new pass."""
        return self.open_batches()


def table_source(table: pa.Table, target: str, batch_rows: int = 65_536) -> BatchSource:
    """Make a source of an Arrow table in memory; every column but ``target`` is a feature."""
    features = tuple(name for name in table.column_names if name != target)
    ordered = table.select([*features, target])
    return BatchSource(features, target, table.num_rows, lambda: iter(ordered.to_batches(max_chunksize=batch_rows)))


def chained(sources: Sequence[FeatureSource]) -> BatchSource:
    """Join sources that are read one after the other, for instance all splits of a training table.

    Raises ``ValueError`` if there is none, or their features or targets differ.
    """
    if not sources:
        raise ValueError("there is no source to learn from: give at least one")
    first = sources[0]
    for other in sources[1:]:
        require_same_columns((*first.features, first.target), (*other.features, other.target), "the sources of one fit")

    def read() -> Iterator[pa.RecordBatch]:
        for source in sources:
            yield from source.batches()

    return BatchSource(first.features, first.target, sum(source.row_count for source in sources), read)


@dataclass(frozen=True)
class ModelSpec:
    """What to train.

    ``estimator``: name of a learner the engine knows, for instance ``two_stage_xgboost``, or the import path of a class.
    ``parameters``: the learner's parameters that differ from its defaults.
    ``options``: option string of an estimator that has one.
    ``seed``: of every random choice.
    ``task``: what is predicted: ``regression``, ``classification`` or ``clustering``.
    ``steps``: transformers before an estimator given by import path, each with ``estimator`` and ``parameters``.
    ``horizon_days``: length of the predicted window.
    ``target_kind``: what the target observes, as in ``target.kind`` of the workflow.
    ``target_transform``: scale that an estimator given by import path learns the target on.
    ``device``: where a learner on XGBoost trains, ``cpu`` or ``cuda``.
    ``unlabelled``: rows of the day the model will first score, whose target nobody knows yet, for a learner that asks for them
      (``wants_unlabelled``): customers' histories say more the longer they are.
    ``spill_folder``: where a fit may keep rows that memory does not hold; empty for nowhere.
    ``page_rows``: rows that such a fit reads at a time, as the engine decides; 0 for a fit in memory.
    """

    estimator: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    task: str = "regression"
    steps: tuple[Mapping[str, Any], ...] = ()
    horizon_days: int = 90
    target_kind: str = "net_spend"
    target_transform: str = "none"
    unlabelled: FeatureSource | None = None
    options: str = ""
    device: str = "cpu"
    spill_folder: str = ""
    page_rows: int = 0


@dataclass(frozen=True)
class FeatureImportance:
    """Importance of one feature in one stage of a model.

    ``stage``: part of the model, or its combined output. ``gain_share``: share of the loss reduction by splits on the feature,
    0..1; None for a combined output. ``mean_abs_shap``: mean of the absolute SHAP values, in the unit of the stage's margin.
    """

    feature: str
    stage: str
    gain_share: float | None
    mean_abs_shap: float


@dataclass(frozen=True)
class Recipe:
    """What a fit with a validation set found out, so that a fit without one can repeat it.

    ``rounds``: boosting rounds per stage of the model. ``rows``: training rows per stage; a larger refit scales the rounds by
    the growth. ``calibration_factor``: what the predicted amount is multiplied with. ``validation_loss``: best value of the
    stage's own loss on the validation rows. ``chosen``: what else the validation rows decided, as values that JSON knows.
    """

    rounds: Mapping[str, int]
    rows: Mapping[str, int]
    calibration_factor: float = 1.0
    validation_loss: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)


class FittedModel(Protocol):
    """A trained model: scores batches, explains itself, becomes files and comes back from them."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in the order every batch must have."""

    @property
    def recipe(self) -> Recipe:
        """What the fit found out."""

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predict for the rows of ``batch``, in its order. The batch holds exactly the features, as FLOAT.

        The first column is DOUBLE ``predicted_target``: the expected target, the probability that it is 1, or the number
        of the cluster. Others may follow.
        """

    def importances(self, source: FeatureSource, rows: int = 2_000) -> list[FeatureImportance]:
        """Give importances on an evenly spaced sample of at most ``rows`` rows."""

    def reasons(self, batch: pa.RecordBatch) -> NDArray[np.float64] | None:
        """Give what each feature added to the prediction of each row, (rows, features); None where a model cannot say."""

    def files(self) -> dict[str, bytes]:
        """Give the model as bytes per file name, in a format that runs no code when parsed."""


@runtime_checkable
class ScoresInSql(Protocol):
    """A fitted model whose scores are one expression over prepared features; implemented next to :class:`FittedModel`."""

    @property
    def weights(self) -> pa.Table:
        """The model as a table: ``feature``, ``weight`` and, where the learner has one, ``covar``."""

    def sql_scoring(self) -> Mapping[str, Any]:
        """What the statements under ``sql/predictions/linear/`` take of it."""


class Learner(Protocol):
    """One way to learn, as named in a workflow's YAML."""

    @property
    def name(self) -> str:
        """As written in ``model.estimator``."""

    @property
    def tasks(self) -> frozenset[str]:
        """Tasks it can be asked for."""

    @property
    def wants_unlabelled(self) -> bool:
        """Whether it learns from :attr:`ModelSpec.unlabelled` rows too."""

    @property
    def divides_threads(self) -> bool:
        """Whether it is given every thread of the tier, to divide them among its parts; else those that one fit is worth."""

    @property
    def pages_rows(self) -> bool:
        """Whether it can keep its rows on the disk, in pages of :attr:`ModelSpec.page_rows`."""

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, *, threads: int) -> FittedModel:
        """Train on ``train``; what ``validation`` decides is kept in the model's recipe."""

    def refit(self, source: FeatureSource, recipe: Recipe, spec: ModelSpec, *, threads: int) -> FittedModel:
        """Train on all rows with what an earlier fit found out."""

    def load(self, files: Mapping[str, bytes], *, threads: int) -> FittedModel:
        """Bring back a model from the verified bytes of its files."""

    def bytes_needed(self, rows: int, features: int) -> int:
        """Memory of a fit, in bytes."""


class Engine(Protocol):
    """Fits models within a tier."""

    @property
    def name(self) -> str:
        """As configured: ``python`` or ``hivemall``."""

    @property
    def streams(self) -> bool:
        """Whether it passes over rows in batches, so that they are kept in a file, in random order, and not in memory."""

    def wants_unlabelled(self, spec: ModelSpec) -> bool:
        """Whether the learner of ``spec`` learns from rows without a target too."""

    def estimate(self, spec: ModelSpec, rows: int, features: int, tier: Tier) -> Estimate:
        """Whether ``rows`` x ``features`` fit the tier, before anything is read."""

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, tier: Tier) -> FittedModel:
        """Train on ``train`` and stop where ``validation`` is predicted best."""

    def refit(self, sources: Sequence[FeatureSource], recipe: Recipe, spec: ModelSpec, tier: Tier) -> FittedModel:
        """Train on all ``sources`` with what an earlier fit found out, without a validation set."""

    def load(self, files: Mapping[str, bytes], spec: ModelSpec, tier: Tier) -> FittedModel:
        """Bring back a model of ``spec`` from the bytes of its files, which the caller has verified."""


def require_same_columns(expected: Sequence[str], found: Sequence[str], where: str) -> None:
    """Refuse columns that are not exactly ``expected``, in that order.

    Raises ``ValueError`` naming the missing, the extra, or the first column out of place.
    """
    if tuple(expected) == tuple(found):
        return
    missing = [name for name in expected if name not in set(found)]
    extra = [name for name in found if name not in set(expected)]
    if missing or extra:
        raise ValueError(f"{where}: columns missing {missing}, unexpected {extra}; select exactly the expected columns")
    if len(found) != len(set(found)):
        repeated = sorted({name for name in found if list(found).count(name) > 1})
        raise ValueError(f"{where}: columns repeated {repeated}; give every column once")
    place = next(i for i, (a, b) in enumerate(zip(expected, found, strict=True)) if a != b)
    raise ValueError(
        f"{where}: columns in another order, place {place + 1} holds {found[place]!r} instead of {expected[place]!r}; "
        "select the columns in the model's order"
    )


def feature_matrix(batch: pa.RecordBatch, features: Sequence[str], where: str) -> NDArray[np.float32]:
    """Copy the features of a batch into a row-major matrix, missing values as NaN.

    XGBoost reads Arrow columns too, but by the address of their buffers; copying one batch keeps slices and NULLs out
    of that risk. Raises ``ValueError`` if columns are missing, extra, reordered or of another type, or hold infinities; named with
    the remedy. ``batch``: exactly the columns ``features``, in that order, as FLOAT. ``where``: what the batch is, for messages.
    """
    require_same_columns(features, batch.schema.names, where)
    retyped = [f"{column.name} {column.type}" for column in batch.schema if column.type != pa.float32()]
    if retyped:
        raise ValueError(f"{where}: features must be FLOAT, these are not: {retyped}; cast them in the prepared table")
    matrix = np.empty((batch.num_rows, len(features)), dtype=np.float32)
    for place, column in enumerate(batch.columns):
        matrix[:, place] = column.to_numpy(zero_copy_only=False)
    infinite = [name for place, name in enumerate(features) if np.isinf(matrix[:, place]).any()]
    if infinite:
        raise ValueError(f"{where}: infinite values in {infinite}; clip or null them when the table is prepared")
    return matrix


def split_batch(
    batch: pa.RecordBatch, source: FeatureSource, where: str
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Split a batch of a source into its features, missing values as NaN, and its target.

    Raises ``ValueError`` if the columns are not those of the source, or hold infinities.
    """
    require_same_columns((*source.features, source.target), batch.schema.names, where)
    target = batch.column(len(source.features)).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return feature_matrix(batch.select(list(source.features)), source.features, where), target
