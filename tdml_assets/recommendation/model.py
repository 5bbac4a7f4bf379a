"""A trained recommender: the catalogue, a scorer of items, and how they are blended; its files and back.

Elsewhere: choosing (``selection.py``).

It holds no customer: a basket comes in, a list goes out.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.engines.recommender import ITEM_FILE, Scorer, fit_scorer, load_scorer
from tdml_assets.models.bundle_store import Bundle
from tdml_assets.models.bundles import Manifest, evaluated_of, refusing_damage
from tdml_assets.models.golden import GOLDEN_FILE, check_golden
from tdml_assets.recommendation.baskets import Baskets, aged, to_baskets
from tdml_assets.recommendation.ranking import (
    Blend,
    Discoveries,
    Lists,
    compose,
    discover,
    repeat_scores,
    share_of_largest,
)

if TYPE_CHECKING:
    from tdml_assets.models.store import ModelStore

MODEL_FILE = "model.json"
CATALOGUE_FILE = "catalogue.parquet"
FILES = (MODEL_FILE, CATALOGUE_FILE, ITEM_FILE)
POPULAR = "popular"
_FORMAT = 1
_GOLDEN_ROWS = 20
_GOLDEN_PRODUCTS = 3
_GOLDEN_SCORES = 5
#: More than any list has, in ranks.
_MOST_RANKS = 10_000


@dataclass(frozen=True)
class Choice:
    """What the validation window decided.

    ``learner``: ``popular``, ``item_knn``, ``ease`` or ``als``: what ranks the products never bought. ``half_life_days``: age
    at which a purchase counts half for it. ``parameters``: of the learner. ``fallback_half_life_days``: the same age for the
    popularity that decides where the learner is silent. ``blend``: how products bought before are ordered.
    """

    learner: str = POPULAR
    half_life_days: float = 0.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fallback_half_life_days: float = 0.0
    blend: Blend = field(default_factory=Blend)

    def to_dict(self) -> dict[str, Any]:
        """As values that JSON knows."""
        return {**asdict(self), "parameters": dict(self.parameters), "blend": self.blend.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Choice:
        """The reverse of :meth:`to_dict`."""
        return cls(**{**values, "blend": Blend(**values["blend"])})


@dataclass(frozen=True)
class History:
    """What is known at the end of a day.

    ``products``: the catalogue, the most popular first, equal ones by product_id. ``popularity``: (products,) days on which
    customers bought it, over all customers; descending. ``customers``: in the order of the baskets. ``baskets``: what they
    bought.
    """

    products: pa.Array
    popularity: NDArray[np.float64]
    customers: pa.Array
    baskets: Baskets

    def recent_popularity(self, half_life_days: float) -> NDArray[np.float64]:
        """(products,) popularity 0..1: purchase days, or customers aged by their last purchase of it."""
        if half_life_days <= 0:
            return share_of_largest(self.popularity)
        aging = aged(self.baskets.ages, half_life_days)
        counted = np.bincount(self.baskets.codes, weights=aging, minlength=len(self.products))
        return share_of_largest(counted.astype(np.float64))


@dataclass(frozen=True)
class Recommender:
    """Ready to recommend.

    ``products``, ``popularity``: as in :class:`History`; ``popularity`` as a share of the largest. ``fallback``: (products,)
    popularity 0..1 that decides where the scorer is silent. ``scorer``: None for popularity alone. ``choice``: what it was
    fitted with. ``count``, ``discover_count``: ranks of the two parts of a list. ``columns``: most popular products that may be
    discovered.
    """

    products: pa.Array
    popularity: NDArray[np.float64]
    fallback: NDArray[np.float64]
    scorer: Scorer | None
    choice: Choice
    count: int
    discover_count: int
    columns: int

    @property
    def longest_list(self) -> int:
        """Ranks that every customer gets."""
        return min(self.count + self.discover_count, len(self.products))

    def discoveries(self, baskets: Baskets) -> Discoveries:
        """The best products never bought."""
        width = self.count + self.discover_count
        return discover(baskets, self.scorer, self.choice.half_life_days, self.fallback[: self.columns], width)

    def recommend(self, baskets: Baskets) -> Lists:
        """Ranked lists of a batch of customers."""
        found = self.discoveries(baskets)
        repeats = repeat_scores(baskets, self.choice.blend, self.popularity, found.of_bought)
        return compose(baskets, repeats, found, count=self.count, discover_count=self.discover_count)

    def files(self) -> dict[str, bytes]:
        """The model as bytes per file name; nothing in it runs code when parsed."""
        import pyarrow.parquet as pq

        record = {
            "format": _FORMAT,
            "choice": self.choice.to_dict(),
            "count": self.count,
            "discover_count": self.discover_count,
            "columns": self.columns,
        }
        catalogue = pa.table(
            {"product_id": self.products, "popularity": pa.array(self.popularity), "fallback": pa.array(self.fallback)}
        )
        buffer = io.BytesIO()
        pq.write_table(catalogue, buffer, compression="zstd")
        files = {MODEL_FILE: json.dumps(record, sort_keys=True, indent=1).encode(), CATALOGUE_FILE: buffer.getvalue()}
        return files | (self.scorer.files() if self.scorer is not None else {})

    @classmethod
    @refusing_damage("the recommender")
    def from_files(cls, files: Mapping[str, bytes]) -> Recommender:
        """Bring back a model from the verified bytes of its files.

        Raises
        ------
        BundleDamagedError
            If it was written by another version of this format, or its parts do not fit together.
        """
        import pyarrow.parquet as pq

        record = json.loads(files[MODEL_FILE])
        if record.pop("format", None) != _FORMAT:
            raise ValueError(f"the recommender is not of format {_FORMAT}, which this code reads: train anew")
        choice = Choice.from_dict(record.pop("choice"))
        table = pq.read_table(io.BytesIO(files[CATALOGUE_FILE])).combine_chunks()
        scorer = None
        if choice.learner != POPULAR:
            scorer = load_scorer(choice.learner, record["columns"], choice.parameters, files)
        popularity, fallback = (table[name].to_numpy() for name in ("popularity", "fallback"))
        found = cls(table["product_id"].combine_chunks(), popularity, fallback, scorer, choice, **record)
        found._require_possible()
        return found

    def _require_possible(self) -> None:
        """Refuse parts that :func:`fit` cannot have given. Raises ``ValueError``."""
        sizes = (self.count, self.discover_count, self.columns)
        if any(type(size) is not int for size in sizes) or not 0 < self.columns <= len(self.products):
            raise ValueError(f"it scores {self.columns} of {len(self.products)} products")
        if self.count < 1 or self.discover_count < 0 or self.count + self.discover_count > _MOST_RANKS:
            raise ValueError(f"its lists have {self.count} and {self.discover_count} ranks")
        if self.products.null_count or not pa.types.is_string(self.products.type):
            raise ValueError("its products are not texts")
        if len(self.products.unique()) < len(self.products):
            raise ValueError("it holds a product twice")
        for shares in (self.popularity, self.fallback):
            if shares.dtype != np.float64 or not ((shares >= 0) & (shares <= 1)).all():
                raise ValueError("a popularity is not a share from 0 to 1")
        if self.scorer is not None and self.scorer.columns != self.columns:
            raise ValueError(f"it scores {self.columns} products, its weights {self.scorer.columns}")


def history_from(rows: pa.Table) -> History:
    """What is known at the end of a day.

    ``rows``: customer_id, product_id, purchases, age_days; all rows of a customer follow one another.
    """
    totals = rows.group_by("product_id").aggregate([("purchases", "sum")])
    totals = totals.sort_by([("purchases_sum", "descending"), ("product_id", "ascending")])
    products = totals["product_id"].combine_chunks()
    customers, baskets = to_baskets(rows, products)
    return History(products, totals["purchases_sum"].to_numpy().astype(np.float64), customers, baskets)


def fit(history: History, choice: Choice, settings: Recommendation, seed: int) -> Recommender:
    """Learn with what was chosen."""
    columns = min(settings.max_items, len(history.products))
    scorer = None
    if choice.learner != POPULAR:
        weights = history.baskets.weights(choice.half_life_days, columns, relative=False)
        scorer = fit_scorer(choice.learner, weights, choice.parameters, seed)
    return Recommender(
        products=history.products,
        popularity=share_of_largest(history.popularity),
        fallback=history.recent_popularity(choice.fallback_half_life_days),
        scorer=scorer,
        choice=choice,
        count=settings.count,
        discover_count=settings.discover_count,
        columns=columns,
    )


def golden_batch(columns: int) -> pa.RecordBatch:
    """Made-up baskets that every load of the model is tried on: no customer's, and the empty one first."""
    rows: dict[str, list[float]] = {f"product_{place}": [] for place in range(_GOLDEN_PRODUCTS)}
    for row in range(_GOLDEN_ROWS):
        for place in range(_GOLDEN_PRODUCTS):
            code = (row - 1) * _GOLDEN_PRODUCTS + place * (row + 1)
            rows[f"product_{place}"].append(float(code % columns) if row else -1.0)
    arrays = [pa.array(values, pa.float32()) for values in rows.values()]
    return pa.RecordBatch.from_arrays(arrays, names=list(rows))


def score_golden(model: Recommender, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Scores of the first ranks never bought, for made-up baskets of codes (below 0: none)."""
    codes = np.column_stack([column.to_numpy() for column in batch.columns]).astype(np.int32)
    entries = [np.unique(row[row >= 0]) for row in codes]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in entries])]).astype(np.int64)
    flat = np.concatenate(entries).astype(np.int32)
    ages = np.arange(len(flat), dtype=np.float64) % 90
    baskets = Baskets(starts, flat, np.ones(len(flat)), ages, len(model.products))
    scores = np.nan_to_num(model.discoveries(baskets).scores, neginf=0.0)
    width = min(_GOLDEN_SCORES, scores.shape[1])
    names = [f"score_{place + 1}" for place in range(width)]
    return pa.RecordBatch.from_arrays([pa.array(scores[:, place]) for place in range(width)], names=names)


@dataclass(frozen=True)
class LoadedRecommender:
    """A champion ready to recommend."""

    manifest: Manifest
    model: Recommender


def load_recommender(models: ModelStore, workflow: str, recorded: Mapping[str, str] | None = None) -> LoadedRecommender:
    """Read the champion; every byte is verified before it is parsed.

    ``recorded``: what each version was when it was trained, as the warehouse keeps it. Raises ``LookupError`` if nothing was
    promoted yet. Raises ``BundleDamagedError`` if a file is not what was stored, or the model no longer gives its golden scores.
    """
    bundle = models.open().read_champion(workflow, recorded)
    return LoadedRecommender(bundle.manifest, _load_final(bundle))


def load_measured(bundle: Bundle) -> Recommender | None:
    """The model that was measured; None where the version keeps none.

    Raises ``BundleDamagedError`` if the model that recommends no longer gives its golden scores.
    """
    _load_final(bundle)
    files = evaluated_of(bundle.files)
    return _load(files) if files else None


def _load_final(bundle: Bundle) -> Recommender:
    model = _load(bundle.files)
    with refusing_damage(GOLDEN_FILE):
        check_golden(bundle.files[GOLDEN_FILE], lambda batch: score_golden(model, batch))
    return model


def _load(files: Mapping[str, bytes]) -> Recommender:
    return Recommender.from_files({name: files[name] for name in FILES if name in files})
