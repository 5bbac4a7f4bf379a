"""Clustering: which group a customer belongs to, found without a target, next to the RFM segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.engines.cluster_profile import cluster_profile, cluster_sizes, match_labels
from tdml_assets.engines.cluster_quality import evaluate_clusters
from tdml_assets.engines.kmeans_model import MODEL_FILE, KMeansModel, load_model
from tdml_assets.engines.level import Kind
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.statements import Statement, render
from tdml_assets.platform.statistics import Reader, label_stats
from tdml_assets.stages.evaluation.measures import Evaluation, Metrics
from tdml_assets.stages.features.columns import FEATURES_TABLE, choose_features, features_table
from tdml_assets.stages.features.snapshots import SnapshotPlan, SplitPlan
from tdml_assets.stages.predictions.contracts import contract_with
from tdml_assets.stages.preparation.parameters import PREPARATION_FILE, Parameters
from tdml_assets.stages.training.fit import Candidate, features_of
from tdml_assets.stages.training_table.table import check_sizes
from tdml_assets.tasks import Measured, Previous, Shown
from tdml_assets.tasks.parts import figures
from tdml_assets.tasks.parts.clustering import may_be_promoted_clustering, name_segments, names_contract
from tdml_assets.tasks.presentation import Measure, Presentation

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Database

_RFM = (
    Column("rfm_segment", "VARCHAR", "One of ten named segments, by recency, frequency and monetary value."),
    Column("rfm_score", "DOUBLE", "Mean of the three scores, 1 to 4."),
    Column("r_quartile", "INTEGER", "Recency: 4 bought most recently."),
    Column("f_quartile", "INTEGER", "Frequency: 4 ordered most often."),
    Column("m_quartile", "INTEGER", "Monetary value: 4 spent most."),
)
#: Figures of a group that are shown first, and how many in all.
_USUAL, _PROFILED = ("total_spend", "total_orders", "days_since_last_order"), 6
#: Largest RFM segments that are shown.
_TOLD = 4


class Clustering:
    """See :class:`~tdml_assets.tasks.Task`."""

    name = "clustering"
    prediction = "cluster"
    highest = None
    level_kind: Kind | None = None
    category = "rfm_segment"
    # Groups have no error a customer: that they hold is what the judge asks.
    loss = None
    # The number of groups and their numbers.
    owes_to_champion = True

    def describe(self, spec: WorkflowSpec) -> str:  # noqa: ARG002
        """What a prediction is, in a sentence."""
        return "Group of every customer known at as_of, and the RFM segment with its scores."

    def total_words(self, spec: WorkflowSpec) -> str | None:  # noqa: ARG002
        """Numbers of groups have no sum."""
        return None

    def roles(self, plan: SnapshotPlan) -> tuple[dict[date, str], SplitPlan | None]:
        """The customers of today, some of them held out."""
        return {plan.as_of: "by_customers"}, None

    def check_rows(self, sizes: Sequence[Mapping[str, Any]], spec: WorkflowSpec) -> None:
        """Refuse splits too small, with the counts."""
        check_sizes(sizes, spec.split, looks_ahead=False)

    def learner_parameters(self, spec: WorkflowSpec, previous: Previous) -> dict[str, Any]:
        """The section ``clustering``, unless the estimator is a class that does not know it.

        The champion's number of groups is passed too: where several numbers hold about as well, it is kept.
        """
        if "." in spec.estimator:
            return dict(spec.model.parameters)
        files = previous()
        before = {"k_before": len(load_model(files).labels)} if MODEL_FILE in files else {}
        return {**spec.clustering.learner_parameters(), **before, **spec.model.parameters}

    def settle(self, candidate: Candidate, parameters: Parameters, previous: Previous) -> Candidate:
        """Give groups the numbers of those of the champion that they continue.

        Preparation is fitted anew each session, so centroids are compared in the features' own unit.
        """
        files, models = previous(), (candidate.evaluated, candidate.final)
        if MODEL_FILE not in files or not all(isinstance(model, KMeansModel) for model in models):
            return candidate
        old, (evaluated, final) = load_model(files), cast("tuple[KMeansModel, KMeansModel]", models)
        labels, highest = match_labels(
            _in_own_unit(old, Parameters.from_json(files[PREPARATION_FILE].decode())),
            _in_own_unit(final, parameters),
            {column.name: column.scale for column in parameters.numeric},
            highest=old.highest_label,
        )
        holdout = candidate.holdout
        for name in ("predicted_target", "final_prediction"):
            numbers = [float(labels[int(label)]) for label in holdout[name].to_pylist()]
            holdout = holdout.set_column(holdout.column_names.index(name), name, pa.array(numbers, pa.float64()))
        moved = [model.relabelled(labels, highest) for model in (evaluated, final)]
        return replace(candidate, evaluated=moved[0], final=moved[1], holdout=holdout)

    def identity(self, candidate: Candidate) -> dict[str, Any]:
        """The numbers of the groups, which follow those of the champion before."""
        if not isinstance(candidate.final, KMeansModel):
            return {}
        return {"labels": list(candidate.final.labels), "highest_label": candidate.final.highest_label}

    def evaluate(self, measured: Measured, spec: WorkflowSpec) -> Evaluation:
        """Silhouette, shares, and whether resampled customers give the same groups."""
        import pyarrow.compute as pc

        splits = measured.splits()
        sides = []
        for split in ("train", "test"):
            rows = measured.holdout.filter(pc.equal(measured.holdout["split"], split))
            features = features_of(splits[split])
            values = np.column_stack([features[name].to_numpy() for name in features.column_names])
            sides.append((values.astype(np.float64), rows["predicted_target"].to_numpy().astype(int)))
        known = measured.chosen.get("labels") or sorted({int(label) for _, labels in sides for label in labels})
        found = evaluate_clusters(sides[0], sides[1], known=known, seed=spec.model.seed)
        tried = [dict(row, misses=", ".join(row["misses"])) for row in measured.chosen.get("candidates", [])]
        return Evaluation(found, {"train": [], "test": []}, {"numbers of groups tried": tried} if tried else {})

    def judge(self, test: Metrics, spec: WorkflowSpec) -> tuple[bool, str]:  # noqa: ARG002
        """Whether new groups may be used, and why."""
        return may_be_promoted_clustering(test)

    def suspicious(self, test: Metrics, spec: WorkflowSpec) -> bool:  # noqa: ARG002
        """Never: groups are found without an outcome that could leak."""
        return False

    def draw(self, measured: Measured, found: Evaluation, spec: WorkflowSpec) -> dict[str, bytes]:  # noqa: ARG002
        """How well each number of groups holds; the groups themselves are drawn with the customers in them."""
        tried = measured.chosen.get("candidates")
        if not tried:
            return {}
        limit = spec.clustering.min_stability
        return {"numbers of groups": figures.choice_of_k(tried, chosen=measured.chosen["k"], min_stability=limit)}

    def predictions_contract(self, spec: WorkflowSpec) -> TableContract:
        """Contract of ``<workflow>.predictions``."""
        cluster = Column(
            "cluster", "INTEGER", "Number of the group; kept from session to session. NULL where no groups were found."
        )
        name = Column("segment_name", "VARCHAR", "The group in words, kept with its number; NULL where there is none.")
        return contract_with(spec, "One row per customer known at as_of: group and RFM segment.", cluster, *_RFM, name)

    def name_groups(self, database: Database, spec: WorkflowSpec, day: date, scores: Sequence[str]) -> None:
        """Name the groups that have no name yet by what sets their customers apart."""
        contract = names_contract(spec.name)
        database.ensure(contract)
        kept = database.rows(render("clustering/names", table=contract.path))
        standing = database.rows(
            render("clustering/z_scores", scores=scores, features_table=features_table(spec), day=day)
        )
        names = name_segments(standing, {row["cluster"]: row["segment_name"] for row in kept})
        database.replace(contract, [{"cluster": number, "segment_name": name} for number, name in names.items()])

    def tables_of_scoring(self, spec: WorkflowSpec) -> Sequence[tuple[str, str]]:
        """The names of the groups."""
        return [names_contract(spec.name).path]

    def publish(self, spec: WorkflowSpec, **context: Any) -> Statement:
        """The group next to the RFM segment of the same day."""
        tables = {"features_table": features_table(spec), "names_table": names_contract(spec.name).path}
        return render("predictions/clustering", **tables, **context)

    def look(self, reader: Reader, spec: WorkflowSpec) -> Shown:
        """Sizes, what sets the groups apart, and the RFM segments."""
        table = (spec.name, "predictions")
        numeric = choose_features(reader.columns(features_table(spec)), spec.features).numeric
        sizes = cluster_sizes(reader, table, {}, self.prediction)
        profile = cluster_profile(reader, table, {}, numeric, features_table=features_table(spec))
        rfm = cluster_profile(reader, table, {}, numeric, features_table=FEATURES_TABLE, group="rfm_segment")
        return Shown(
            tables={"groups": sizes, "profile": profile.rows(), "RFM segments": _shares(rfm.groups)},
            plots={
                "sizes": figures.cluster_sizes(sizes),
                "profile plot": figures.profile_heat_map(profile.rows()),
                "RFM plot": figures.rfm_segments(_shares(rfm.groups)),
            },
        )


def _shares(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: group[name] for name in ("label", "customers", "share", "spend_share")} for group in groups]


def _in_own_unit(model: KMeansModel, parameters: Parameters) -> list[dict[str, Any]]:
    unit = {column.name: (column.center, column.scale) for column in parameters.numeric}
    return [
        {
            "label": label,
            "means": {
                name: value * unit[name][1] + unit[name][0]
                for name, value in zip(model.features, centre.tolist(), strict=True)
                if name in unit
            },
        }
        for label, centre in zip(model.labels, model.centroids, strict=True)
    ]


def _highlights(reader: Reader, table: Sequence[str], session_id: str) -> list[tuple[str, str]]:
    groups = _groups(reader, table, session_id)
    rfm = label_stats(reader, table, {"session_id": session_id}, "rfm_segment")
    total = sum(row["count"] for row in rfm)
    if not total:
        return []
    # Where a fallback scored there are RFM segments and no groups.
    named = ", ".join(f"{_name_of(row)} {row['customers'] / total:.0%}" for row in groups if row["cluster"] is not None)
    shares = ", ".join(f"{row['prediction_category']} {row['count'] / total:.0%}" for row in rfm[:_TOLD])
    return [(label, text) for label, text in (("groups", named), ("RFM segments", shares)) if text]


def _groups(reader: Reader, table: Sequence[str], session_id: str) -> list[dict[str, Any]]:
    """Number, name and customers of each group; none in a table of before groups had names."""
    if "segment_name" not in reader.columns(table):
        return []
    return reader.rows(render("clustering/groups", table=list(table), session_id=session_id))


def _name_of(group: Mapping[str, Any]) -> str:
    return f"{group['cluster']} ({group['segment_name']})" if group["segment_name"] else str(group["cluster"])


def _profile(reader: Reader, spec: WorkflowSpec, session_id: str) -> list[dict[str, Any]]:
    """Groups of the session side by side: the usual figures of a customer, then those that set the groups apart most."""
    features = features_table(spec)
    table, known = (spec.name, "predictions"), reader.columns(features)
    if not known or not reader.columns(table):
        return []
    usual = [name for name in _USUAL if name in known]
    numeric = choose_features(known, spec.features).numeric
    found = cluster_profile(
        reader, table, {"session_id": session_id}, list(dict.fromkeys([*usual, *numeric])), features_table=features
    )
    apart = {row["feature"]: 0.0 for row in found.rows()}
    for row in found.rows():
        apart[row["feature"]] = max(apart[row["feature"]], abs(row["standardised"] or 0.0))
    others = sorted((name for name in apart if name not in usual), key=lambda name: (-apart[name], name))
    shown = [*usual, *others[: _PROFILED - len(usual)]]
    names = {str(row["cluster"]): _name_of(row) for row in _groups(reader, table, session_id)}
    return [
        {
            "name": names.get(group["label"]),
            **{key: group[key] for key in ("label", "customers", "share", "spend_share")},
            "means": {name: group["mean"][name] for name in shown},
        }
        for group in found.groups
    ]


TASK = Clustering()
PRESENTATION = Presentation(
    measures=(
        Measure("stability_ari", "same groups in resampled customers (1 = all)", "score", "higher", None),
        Measure("silhouette", "silhouette", "score", "higher", None),
    ),
    naive="",
    highlights=_highlights,
    looks_ahead=False,
    columns={"cluster": "group"},
    category="RFM segment",
    group="group",
    profile=_profile,
)
