"""What a workflow's YAML may say: one frozen, validated model.

Elsewhere: how a stage carries them out (the stage's own module), Dagster (``component.py`` turns a workflow into assets).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from tdml_assets.declaration.attributes import AttributeSpec
from tdml_assets.declaration.classification import Classification
from tdml_assets.declaration.clustering import Clustering
from tdml_assets.declaration.gate import Gate
from tdml_assets.declaration.monitor import Monitor
from tdml_assets.declaration.recommendation import Recommendation
from tdml_assets.declaration.target_kinds import KINDS, kind_named
from tdml_assets.declaration.targets import Target
from tdml_assets.declaration.task_names import TASKS, learned_by, require_task

TaskName = Annotated[str, AfterValidator(require_task)]
#: Kinds of target a task can learn, its usual one first.
TARGET_KINDS: dict[str, tuple[str, ...]] = {
    name: tuple(kind.name for kind in KINDS.values() if kind.learned_by == name) for name in TASKS
}
#: What learns unless the workflow says otherwise, by task; and where ``engine: hivemall`` is asked for.
ESTIMATORS: dict[str, str] = {
    "regression": "two_stage_xgboost",
    "classification": "xgboost_classifier",
    "clustering": "minibatch_kmeans",
    "recommendation": "blended",
}
HIVEMALL_ESTIMATORS: dict[str, str] = {"regression": "train_regressor", "classification": "train_classifier"}
#: Preparation that suits a linear model, which takes no missing values and compares sizes, where a workflow says nothing else.
_LINEAR_PREPARE = {"nulls": "median", "transform": "log1p", "scaling": "zscore"}


#: Training rows at most unless the workflow says otherwise.
_MAX_ROWS = 1_000_000
#: Days for which orders are expected unless the workflow says otherwise.
_HORIZONS = (30, 60, 90)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Snapshots(_Frozen):
    """Cut dates that training looks back from. Each lies at least one horizon before ``as_of``."""

    count: int = Field(default=2, ge=1, le=60, description="Snapshots going back from one horizon before as_of.")
    step_days: int | None = Field(default=None, ge=1, description="Days between them; the horizon unless given.")
    seasons: tuple[int, ...] = Field(
        default=(1, 2),
        description="Years back at which the same seasons as the scoring's and the test's are added; empty for none.",
    )
    min_history_days: int | None = Field(
        default=None,
        ge=0,
        description="Days of orders a snapshot must have behind it; the horizon unless given, at most 90.",
    )


class Eligible(_Frozen):
    """Who is scored and, by the same rule at every earlier snapshot, learnt from. Others get no score: NULL."""

    ordered_within_days: int | None = Field(
        default=None,
        ge=1,
        description="Days before the snapshot in which a customer must have ordered; null for no limit.",
    )
    min_orders: int = Field(default=1, ge=1, description="Orders a customer must have, returns netted.")

    @property
    def words(self) -> str | None:
        """Who is eligible, for people; None where every customer with an order is."""
        recent = f"ordered in the last {self.ordered_within_days:,} days" if self.ordered_within_days else None
        often = f"have at least {self.min_orders:,} orders" if self.min_orders > 1 else None
        return " and ".join(filter(None, (often, recent))) or None


class Features(_Frozen):
    """Which columns of ``features.customer_features`` a model may use. Patterns as in a shell: ``email_*``."""

    include: tuple[str, ...] = Field(default=("*",), min_length=1, description="Patterns of columns to take.")
    exclude: tuple[str, ...] = Field(default=(), description="Patterns of columns to leave out again.")
    one_hot_limit: int = Field(
        default=8,
        ge=0,
        le=200,
        description="Levels of a text column that get a column of their own; the rest is 'other'.",
    )
    customers: dict[str, Literal["text", "number"]] = Field(
        default_factory=dict,
        description="Columns of the customers source to take too, each text or number. They have no date: take only what was "
        "known of a customer from the start.",
    )
    leak_limit: float = Field(
        default=0.98,
        gt=0.5,
        le=1,
        description="A column that ranks the target with a higher AUC than this is dropped as a leak, and listed; 1 keeps all.",
    )


class Outliers(_Frozen):
    """Bounds outside of which a value is an outlier, and what happens to it."""

    rule: Literal["none", "iqr", "quantile"] = Field(default="none", description="iqr: quartiles -/+ factor x IQR.")
    factor: float = Field(default=1.5, gt=0, description="Of the IQR rule.")
    low: float = Field(default=0.001, ge=0, lt=0.5, description="Lower quantile of the quantile rule.")
    high: float = Field(default=0.999, gt=0.5, le=1, description="Upper quantile of the quantile rule.")
    action: Literal["clip", "drop", "flag"] = Field(
        default="clip",
        description="clip to the bound; drop the row from training (never from scoring); flag in a column of its own.",
    )


class Prepare(_Frozen):
    """How features are prepared. Statistics are fitted on the training split only."""

    nulls: Literal["keep", "zero", "median"] = Field(
        default="keep",
        description="What a missing number becomes; keep only for learners that take missing values. Median unless given with "
        "engine: hivemall.",
    )
    outliers: Outliers = Outliers()
    transform: Literal["none", "log1p"] = Field(
        default="none",
        description="log1p: sign(x) ln(1 + |x|) of every number, after the outlier rule, before scaling. log1p unless given with "
        "engine: hivemall.",
    )
    scaling: Literal["none", "minmax", "zscore", "robust"] = Field(
        default="none", description="Of every number; zscore unless given with engine: hivemall."
    )
    target_transform: Literal["none", "log1p", "minmax", "zscore", "robust"] = Field(
        default="none",
        description="Scale on which an estimator given by import path learns an amount; predictions come back in its unit.",
    )


class Split(_Frozen):
    """What is held out."""

    holdout_share: float = Field(
        default=0.2,
        gt=0,
        lt=0.9,
        description="Share of customers held out where history is too short to hold out a later date.",
    )
    max_rows: Annotated[int, Field(ge=100)] | Literal["all"] = Field(
        default=_MAX_ROWS,
        description="Training rows at most; above it customers are sampled, the same at every snapshot. all: nobody is left out, "
        "and boosted trees learn from rows on the disk.",
    )
    min_rows: int = Field(default=50, ge=2, description="Rows a split must have, else training is refused.")

    @property
    def takes_all(self) -> bool:
        """Whether every customer is learnt from, however many there are."""
        return self.max_rows == "all"

    @property
    def most_rows(self) -> float:
        """Rows above which customers are sampled; infinite where nobody is left out."""
        return math.inf if self.max_rows == "all" else self.max_rows

    @property
    def most_read(self) -> int:
        """Rows that may be in memory at once, for what a sample says as well."""
        return _MAX_ROWS if self.max_rows == "all" else self.max_rows


class Step(_Frozen):
    """A scikit-learn transformer before the estimator."""

    estimator: str = Field(description="Import path of its class, such as sklearn.preprocessing.StandardScaler.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Passed to its constructor.")


class Search(_Frozen):
    """Parameters tried on later-in-time folds of the training rows before the fit."""

    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="Values to try per parameter; empty for no search."
    )
    folds: int = Field(default=3, ge=1, le=20, description="Later snapshots to validate on, at most.")


class Model(_Frozen):
    """What learns."""

    estimator: str | None = Field(
        default=None,
        min_length=1,
        description="auto: chosen by rehearsal for net_spend, purchase and no_purchase; for other targets, with a grid and with "
        "engine: hivemall the usual learner. Else the name of a learner, or the import path of any scikit-learn-compatible class; "
        "the task's usual one unless given.",
    )
    rehearsal_max_rows: int = Field(
        default=200_000,
        ge=0,
        description="Training rows above which auto rehearses nothing: it takes what the champion before was made with, else the "
        "usual start.",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Passed to the estimator; unknown ones are refused. With engine: hivemall, options by their name.",
    )
    options: str = Field(
        default="",
        description="Option string of engine: hivemall, as Hivemall writes it, such as '-loss logloss -opt adam -reg l2'; "
        "its usual one unless given.",
    )
    steps: tuple[Step, ...] = Field(
        default=(), description="Transformers before it; for an estimator given by import path."
    )
    search: Search = Search()
    reasons: int = Field(
        default=3, ge=0, le=5, description="Reasons published per customer, where the model can give them; 0 for none."
    )
    seed: int = Field(default=7, ge=0)


class LevelSpec(_Frozen):
    """Correction of the total of all predictions, where earlier snapshots show a season or a trend that the model does not see."""

    correction: Literal["auto", "none"] = Field(
        default="auto",
        description="auto: predictions are raised or lowered alike by what the model missed at earlier snapshots, above all in the "
        "same season a year earlier; none: as the model gives them.",
    )


class WorkflowSpec(_Frozen):
    """One use case."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$", description="Schema, group and key prefix of its tables.")
    ]
    task: TaskName = Field(
        default="regression",
        description="regression: an amount; classification: whether; clustering: which group; recommendation: which products. "
        "Or the import path of a module with a TASK of your own.",
    )
    label: str | None = Field(default=None, description="Name that people read; the name unless given.")
    description: str = ""
    target: Target = Target()
    horizons: tuple[Annotated[int, Field(ge=1, le=1830)], ...] = Field(
        default=_HORIZONS,
        max_length=8,
        description="Days for which orders, the probability of one and spend are also predicted, besides the target's horizon; "
        "for targets of spend and purchases. Empty: nothing is said of the next order.",
    )
    snapshots: Snapshots = Snapshots()
    eligible: Eligible = Eligible()
    features: Features = Features()
    prepare: Prepare = Prepare()
    split: Split = Split()
    engine: Literal["auto", "python", "hivemall"] | Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.\w+)+$")] = Field(
        default="auto",
        description="What trains: python, any estimator; hivemall, linear models with Hivemall's option strings, fed by batches "
        "and scored in SQL; auto is python, or hivemall where the usual estimator does not fit the tier; or the import path of "
        "an engine of your own.",
    )
    tier: Literal["tier1", "tier2", "machine"] | None = Field(
        default=None, description="The settings' tier unless given."
    )
    model: Model = Model()
    classification: Classification = Classification()
    clustering: Clustering = Clustering()
    recommendation: Recommendation = Recommendation()
    gate: Gate = Gate()
    monitor: Monitor = Monitor()
    level: LevelSpec = LevelSpec()
    attributes: tuple[AttributeSpec, ...] = Field(default=(), description="Columns published in the parent segment.")
    batch_rows: int = Field(default=500_000, ge=1, description="Customers scored at a time.")
    schedule: str | None = Field(
        default=None, description="Cron line of the training job, in UTC; none: trained by hand or sensor."
    )

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        reserved = {"raw", "staging", "features", "monitoring", "audience", "main", "information_schema"}
        if name in reserved:
            raise ValueError(f"{name!r} is the name of a schema this project uses: choose another")
        if name == "all":
            raise ValueError("'all' stands for every workflow in the monitoring tables: choose another")
        return name

    @field_validator("horizons")
    @classmethod
    def _ascending(cls, horizons: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(horizons)))

    @model_validator(mode="before")
    @classmethod
    def _prepared_for_its_engine(cls, content: Any) -> Any:
        if not isinstance(content, Mapping) or content.get("engine") != "hivemall":
            return content
        declared = content.get("prepare", {})
        return {**content, "prepare": {**_LINEAR_PREPARE, **declared}} if isinstance(declared, Mapping) else content

    @model_validator(mode="after")
    def _fits_its_engine(self) -> Self:
        if self.engine != "hivemall":
            if self.model.options:
                raise ValueError("model.options: only engine: hivemall takes an option string: write model.parameters")
            return self
        if self.learns not in HIVEMALL_ESTIMATORS:
            raise ValueError(
                f"engine: hivemall serves regression and classification, the task is {self.task}: leave it out"
            )
        if self.prepare.nulls == "keep":
            raise ValueError(
                "prepare.nulls: engine hivemall learns linear models, which take no missing values: leave it out (median), or "
                "write zero"
            )
        return self

    @model_validator(mode="after")
    def _fits_its_task(self) -> Self:
        for section in sorted({"classification", "clustering", "recommendation"} - {self.learns}):
            if section in self.model_fields_set and getattr(self, section) != type(getattr(self, section))():
                raise ValueError(f"{section}: the task is {self.task}, which does not read this section: leave it out")
        allowed = TARGET_KINDS[self.learns]
        if kind_named(self.target_kind).learned_by != self.learns:
            raise ValueError(
                f"target.kind: {self.target.kind!r} is not a target of a {self.task}; allowed: {', '.join(allowed)}"
            )
        if self.horizons not in ((), _HORIZONS) and self.target_kind not in ("net_spend", "purchase", "no_purchase"):
            raise ValueError(
                f"horizons: the target is {self.target_kind}, and only net_spend, purchase and no_purchase say what comes in other "
                "horizons; leave it out"
            )
        if self.model.steps and "." not in self.estimator:
            raise ValueError(f"model.steps: {self.estimator} takes none; give model.estimator as an import path")
        scaled = self.prepare.target_transform != "none"
        if scaled and (not kind_named(self.target_kind).is_amount or "." not in self.estimator):
            raise ValueError(
                f"prepare.target_transform: {self.estimator} learns {self.target_kind} as it is; leave it out, or give an amount's "
                "model.estimator as an import path"
            )
        return self

    @property
    def learns(self) -> str:
        """The task of this package that the task is, or that a task of a user's own says it is: what engines learn."""
        return learned_by(self.task)

    @property
    def target_kind(self) -> str:
        """The target's kind, or the task's usual one."""
        return self.target.kind or TARGET_KINDS[self.learns][0]

    @property
    def reasons(self) -> int:
        """Reasons per customer; none where nothing is predicted, since nothing adds up to a group."""
        return 0 if self.target_kind == "unlabelled" else self.model.reasons

    @property
    def estimator(self) -> str:
        """What learns: as declared, or the usual one of the task and the engine. ``auto`` where a learner can be chosen."""
        usual = HIVEMALL_ESTIMATORS if self.engine_name == "hivemall" else ESTIMATORS
        if self.model.estimator == "auto" and not self._can_be_chosen:
            return usual[self.learns]
        return self.model.estimator or usual[self.learns]

    @property
    def _can_be_chosen(self) -> bool:
        kinds = ("net_spend", "purchase", "no_purchase")
        return self.engine_name == "python" and self.target_kind in kinds and not self.model.search.grid

    @property
    def engine_name(self) -> str:
        """What trains: as declared, or ``python``."""
        return "python" if self.engine == "auto" else self.engine

    @property
    def title(self) -> str:
        """Name that people read."""
        return self.label or self.name
