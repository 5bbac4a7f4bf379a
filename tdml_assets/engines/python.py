"""The ``python`` engine: learners in this process, within a tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from tdml_assets.engines.at_once import threads_worth
from tdml_assets.engines.learner_choice import AUTO, unrehearsed
from tdml_assets.engines.paging import bytes_spooled, may_page, of_disk, paged
from tdml_assets.engines.protocol import Estimate, FeatureSource, FittedModel, Learner, ModelSpec, Recipe, Tier, chained

#: Estimators that read histories of purchases, which must reach them as they are.
READ_HISTORIES = frozenset(
    {
        "auto",
        "lifetime_xgboost",
        "lifetime_xgboost_classifier",
        "pareto_nbd_gamma_gamma",
        "bg_nbd_gamma_gamma",
    }
)
TWO_STAGE_XGBOOST = "two_stage_xgboost"
#: Estimators that a GPU can train (``devices.py``).
ON_XGBOOST = frozenset({TWO_STAGE_XGBOOST, "lifetime_xgboost", "xgboost_classifier", "lifetime_xgboost_classifier"})
#: Learners by name. Imported when asked for: each brings a library along.
LEARNERS = {
    TWO_STAGE_XGBOOST: ("tdml_assets.engines.two_stage", "TwoStageLearner"),
    "lifetime_xgboost": ("tdml_assets.engines.lifetime_xgboost", "LifetimeXgboostLearner"),
    "pareto_nbd_gamma_gamma": ("tdml_assets.engines.lifetime", "ParetoNbdLearner"),
    "bg_nbd_gamma_gamma": ("tdml_assets.engines.lifetime", "BgNbdLearner"),
    "lifetime_xgboost_classifier": (
        "tdml_assets.engines.lifetime_xgboost_classifier",
        "LifetimeClassifierLearner",
    ),
    "xgboost_classifier": ("tdml_assets.engines.xgboost_classifier", "XgboostClassifierLearner"),
    "minibatch_kmeans": ("tdml_assets.engines.kmeans", "MinibatchKmeansLearner"),
}

# Python, libraries, quantile sketches, histograms.
_BASE_BYTES = 600_000_000
# Share of the tier's memory the fit may plan for; the warehouse that feeds it needs the rest.
_PLANNED_SHARE = 0.8


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory and disk a fit will need, with their arithmetic.

    ``bytes_needed``, ``bytes_allowed``: memory as estimated, and what the tier allows a fit to plan for. ``arithmetic``: the sum in
    words, for messages and metadata. ``disk_needed``, ``disk_allowed``: of rows that are kept on the disk. ``page_rows``: of a
    page where they are learnt from there; 0 where they are learnt from in memory.
    """

    bytes_needed: int
    bytes_allowed: int
    arithmetic: str
    disk_needed: int = 0
    disk_allowed: int = 0
    page_rows: int = 0

    @property
    def fits(self) -> bool:
        """Whether the fit may start."""
        return self.bytes_needed <= self.bytes_allowed and self.disk_needed <= self.disk_allowed


def estimate_fit(learner: Learner, spec: ModelSpec, rows: int, features: int, tier: Tier) -> MemoryEstimate:
    """Estimate a fit of ``rows`` x ``features`` within a tier: in memory, and on the disk where that does not hold it.

    Disk counts where ``spec`` gives a folder for it: that of the rows, and of pages.
    """
    found = estimate_memory(learner, rows, features, tier)
    if not spec.spill_folder:
        return found
    disk, allowed = bytes_spooled(rows, features), int(tier.disk_gb * 1e9)
    if found.fits or not may_page(learner, spec):
        words = f"{found.arithmetic}, and {of_disk(disk, tier)}"
        return replace(found, arithmetic=words, disk_needed=disk, disk_allowed=allowed)
    plan = paged(learner, rows, features, _BASE_BYTES, found.bytes_allowed)
    words = f"{found.arithmetic}: too much, so {plan.arithmetic} = {of_disk(plan.disk, tier)}"
    return MemoryEstimate(plan.memory, found.bytes_allowed, words, plan.disk, allowed, plan.page_rows)


def estimate_memory(learner: Learner, rows: int, features: int, tier: Tier) -> MemoryEstimate:
    """Estimate the memory to fit ``rows`` x ``features`` in this process, training and validation rows together."""
    of_rows = learner.bytes_needed(rows, features)
    needed = of_rows + _BASE_BYTES
    allowed = int(tier.memory_gb * 1e9 * _PLANNED_SHARE)
    arithmetic = (
        f"{rows:,} rows x {features} features for {learner.name} {of_rows / 1e9:.2f} GB + {_BASE_BYTES / 1e9:.1f} GB "
        f"= {needed / 1e9:.2f} GB, of {allowed / 1e9:.2f} GB "
        f"({_PLANNED_SHARE:.0%} of the {tier.memory_gb:g} GB of {tier.name})"
    )
    return MemoryEstimate(needed, allowed, arithmetic)


class PythonEngine:
    """Learners in this process, fed with Arrow batches; implements :class:`~tdml_assets.engines.protocol.Engine`.

    ``trusted_types``: types of a user's own that a stored scikit-learn model may hold.
    """

    name = "python"
    streams = False

    def __init__(self, trusted_types: Sequence[str] = ()) -> None:
        self._trusted_types = tuple(trusted_types)

    def fit(self, train: FeatureSource, validation: FeatureSource, spec: ModelSpec, tier: Tier) -> FittedModel:
        """Train on ``train`` and let ``validation`` decide what must be decided.

        Raises ``ValueError`` if the estimator is unknown, serves another task, or the rows cannot be learnt from. Raises
        ``MemoryError`` if the rows do not fit the tier: raised before anything is read.
        """
        learner = self.learner(spec)
        rows = train.row_count + validation.row_count
        spec = _planned(learner, spec, rows, len(train.features), tier)
        threads = _threads(learner, rows, len(train.features), tier)
        return learner.fit(train, validation, spec, threads=threads)

    def refit(self, sources: Sequence[FeatureSource], recipe: Recipe, spec: ModelSpec, tier: Tier) -> FittedModel:
        """Train on all ``sources`` with what an earlier fit found. Raises as :meth:`fit`."""
        learner = self.learner(spec)
        everything = chained(sources)
        spec = _planned(learner, spec, everything.row_count, len(everything.features), tier)
        threads = _threads(learner, everything.row_count, len(everything.features), tier)
        return learner.refit(everything, recipe, spec, threads=threads)

    def estimate(self, spec: ModelSpec, rows: int, features: int, tier: Tier) -> Estimate:
        """Memory, and disk where rows may lie there, against the tier's; of ``auto`` that of its usual start."""
        if spec.estimator == AUTO:
            spec = replace(spec, estimator=unrehearsed(spec.target_kind).estimator)
        found = estimate_fit(self.learner(spec), spec, rows, features, tier)
        return Estimate(found.fits, found.arithmetic)

    def wants_unlabelled(self, spec: ModelSpec) -> bool:
        """Whether the learner of ``spec`` learns from rows without a target too."""
        return spec.estimator == AUTO or self.learner(spec).wants_unlabelled

    def load(self, files: Mapping[str, bytes], spec: ModelSpec, tier: Tier) -> FittedModel:
        """Bring back a model of ``spec`` from the verified bytes of its files."""
        return self.learner(spec).load(files, threads=tier.cpus)

    def learner(self, spec: ModelSpec) -> Learner:
        """Find the learner of ``spec.estimator``: a name of :data:`LEARNERS`, or any class by its import path.

        Raises ``ValueError`` if there is none of that name, or it does not serve the task.
        """
        if spec.estimator in LEARNERS:
            module, attribute = LEARNERS[spec.estimator]
            found: Learner = getattr(import_module(module), attribute)()
        elif "." in spec.estimator:
            from tdml_assets.engines.sklearn_estimator import SklearnLearner

            found = SklearnLearner(extra_trusted=self._trusted_types)
        else:
            raise ValueError(
                f"the python engine has no estimator {spec.estimator!r}: use one of {', '.join(sorted(LEARNERS))}, or the "
                "import path of a scikit-learn class such as sklearn.linear_model.Ridge"
            )
        if spec.task not in found.tasks:
            fitting = sorted(name for name in LEARNERS if name != spec.estimator)
            raise ValueError(
                f"estimator {spec.estimator} serves {', '.join(sorted(found.tasks))}, the task is {spec.task}: "
                f"use another, for instance of {', '.join(fitting)}"
            )
        return found


def _threads(learner: Learner, rows: int, features: int, tier: Tier) -> int:
    return tier.cpus if learner.divides_threads else threads_worth(rows, features, tier.cpus)


def _planned(learner: Learner, spec: ModelSpec, rows: int, features: int, tier: Tier) -> ModelSpec:
    """The specification with the pages of its rows. Raises ``MemoryError`` if neither memory nor disk holds them."""
    estimate = estimate_fit(learner, spec, rows, features, tier)
    if not estimate.fits:
        sampled = ", a number as split.max_rows, which samples customers" if spec.spill_folder else ""
        raise MemoryError(
            f"the training table does not fit {tier.name}: {estimate.arithmetic}; "
            f"use a larger tier{sampled}, fewer snapshots or fewer features, or engine: hivemall, which learns from batches"
        )
    return replace(spec, page_rows=estimate.page_rows)
