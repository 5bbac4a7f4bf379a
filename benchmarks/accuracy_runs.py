"""Our side: whole runs of the pipeline on a log at a cut, and what they predicted.

Belongs here: settings files, ``python -m tdml_assets run``, reading tables of the warehouse afterwards. Does not: what really
happened (``accuracy_truth.py``), judging.

A run is given the whole log, the rows behind the cut too, with ``as_of`` at the cut: that it looks at none of them is its own
promise, and :func:`without_later_rows` makes the log that proves it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from benchmarks.accuracy_truth import CDNOW_FILE, RETAIL_FILE, Floats
from benchmarks.measure import measure
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import ModelSpec, Recipe, table_source
from tdml_assets.engines.python import PythonEngine

ROOT = Path(__file__).resolve().parent.parent
_LIMIT_SECONDS = 900.0
_NO_REASONS = {"reasons": 0}
AUTO = "auto"
#: The CLTV workflow as it is shipped, which chooses by rehearsal, and with one fixed estimator each.
CLTV_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    AUTO: {"model": _NO_REASONS},
    **{
        name: {"model": {"estimator": name, **_NO_REASONS}}
        for name in ("two_stage_xgboost", "lifetime_xgboost", "pareto_nbd_gamma_gamma")
    },
}
#: The churn workflow in the same way.
CHURN_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    AUTO: {"model": _NO_REASONS},
    **{
        name: {"model": {"estimator": name, **_NO_REASONS}}
        for name in ("xgboost_classifier", "lifetime_xgboost_classifier")
    },
}
VARIANTS = {"cltv": CLTV_VARIANTS, "churn": CHURN_VARIANTS}
#: Of all these, the ones that are fitted to the histories of the cut too.
KNOW_THE_CUT = frozenset({AUTO, "lifetime_xgboost", "pareto_nbd_gamma_gamma", "lifetime_xgboost_classifier"})
_SCORES = {"cltv": "predicted_target", "churn": "probability"}


class WrongModelError(RuntimeError):
    """The predictions are not those of the model that was asked for."""


@dataclass(frozen=True)
class Log:
    """One log, ready for the settings' ``sources.orders``."""

    path: Path
    declaration: Mapping[str, Any]

    def at(self, path: Path) -> Log:
        """The same declaration of another file."""
        return Log(path, self.declaration)


@dataclass(frozen=True)
class Home:
    """A state folder with what the runs on it share.

    Parameters
    ----------
    log, as_of : None for the sample data, as it is shipped.
    seconds : of the runs so far, by name.
    quality : what the settings say of raw data, in addition to the defaults.
    """

    folder: Path
    log: Log | None
    as_of: date | None
    seconds: dict[str, float]
    quality: Mapping[str, Any]

    @classmethod
    def new(cls, folder: Path, log: Log | None, as_of: date | None, quality: Mapping[str, Any] | None = None) -> Home:
        """An empty one."""
        folder.mkdir(parents=True)
        return cls(folder, log, as_of, {}, quality or {})

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.folder / "state" / "warehouse.duckdb"

    def run(
        self,
        name: str,
        workflows: Mapping[str, Mapping[str, Any]],
        *,
        again: bool = False,
        upto: str = "predictions",
    ) -> None:
        """Materialise the stage ``upto`` of ``workflows`` and all it needs.

        Parameters
        ----------
        name : of the settings file and the log.
        workflows : overrides per workflow, as in the settings file.
        again : the features are there already: from the training tables on.

        Raises
        ------
        CommandFailedError
            If the run fails; with the end of its log.
        """
        wanted = " or ".join(f'+key:"{workflow}/{upto}"' for workflow in workflows)
        if again:
            begun = " or ".join(f'key:"{workflow}/training_table"+' for workflow in workflows)
            wanted = f"({wanted}) and ({begun})"
        self._execute(name, workflows, ["--select", wanted])
        for workflow, over in workflows.items() if upto == "predictions" else ():
            self._require_own_model(workflow, over.get("model", {}).get("estimator"))

    def whole_session(self, name: str, workflows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Run a session to its publication, in which a fallback scores where nothing can be trained.

        Returns
        -------
        What scored, by workflow.

        Raises
        ------
        CommandFailedError
            If the session fails; with the end of its log.
        """
        self._execute(name, workflows, [])
        scored = self.table("select workflow, model_version from monitoring.sessions where model_version is not null")
        return dict(zip(scored["workflow"], scored["model_version"], strict=True))

    def _execute(self, name: str, workflows: Mapping[str, Mapping[str, Any]], options: Sequence[str]) -> None:
        settings = {
            **self._inputs(),
            "workflows": {workflow: dict(over) for workflow, over in workflows.items()},
            "quality": dict(self.quality),
            # Of its own, so that no champion of another estimator is there to be compared with, or to score instead.
            "models_url": str(self.folder / f"models of {name}"),
        }
        config = self.folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TDML_", "DAGSTER_HOME"))}
        named = {"TDML_HOME": str(self.folder / "state"), "TDML_CONFIG": str(config)}
        cost = measure(
            [sys.executable, "-m", "tdml_assets", "run", *options],
            log=self.folder / f"{name}.log",
            folder=ROOT,
            environment={**inherited, **named},
            timeout_seconds=_LIMIT_SECONDS,
        )
        self.seconds[name] = cost.seconds

    def _inputs(self) -> dict[str, Any]:
        if self.log is None:
            return {}
        return {"as_of": self.as_of, "sources": {"orders": {"path": str(self.log.path), **self.log.declaration}}}

    def table(self, query: str) -> pd.DataFrame:
        """What a query finds in the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(query).df()

    def predicted(self, workflow: str, column: str, customers: pd.Index) -> Floats:
        """One prediction per customer, in the order of ``customers``.

        Raises
        ------
        AssertionError
            If anybody is scored twice, not at all, or at another day.
        """
        found = self.table(f'select customer_id, as_of, {column} as value from "{workflow}".predictions')
        assert (pd.to_datetime(found["as_of"]).dt.date == self.as_of).all(), f"{workflow} scored another day"
        assert not found["customer_id"].duplicated().any(), f"{workflow} scored a customer twice"
        assert set(found["customer_id"]) == set(customers), f"{workflow} scored other customers than the protocol's"
        values: Floats = found.set_index("customer_id")["value"].reindex(customers).to_numpy()
        return values

    def trained_on(self, workflow: str) -> str:
        """Which snapshots the stored model learnt from, in words."""
        found = self.table(f'select distinct snapshot_date from "{workflow}".training_table order by 1')
        return ", ".join(str(day) for day in pd.to_datetime(found["snapshot_date"]).dt.date)

    def chosen(self, workflow: str) -> str:
        """What ``auto`` chose in the latest session, in words."""
        found = self.table(
            "select option, why, seen from monitoring.estimator_choices where chosen and session_id = (select arg_max(session_id, "
            f"updated_at) from monitoring.sessions where workflow = '{workflow}') and workflow = '{workflow}'"
        )
        (row,) = found.to_dict("records")
        return f"chose {row['option']} ({row['why']}), {row['seen']}"

    def _require_own_model(self, workflow: str, estimator: str | None) -> None:
        # Where a candidate is held, the champion before it scores: that must not pass for what this run trained.
        session = f"(select arg_max(session_id, updated_at) from monitoring.sessions where workflow = '{workflow}')"
        of_session = f"workflow = '{workflow}' and session_id = {session}"
        scored = self.table(f"select model_version from monitoring.sessions where {of_session} and status = 'scored'")
        trained = self.table(f"select parameter, value from monitoring.model_params where {of_session}")
        facts = dict(zip(trained["parameter"], trained["value"], strict=True))
        own = list(scored["model_version"]) == [facts.get("model_version")]
        if not own or (estimator not in (None, AUTO) and facts.get("estimator") != estimator):
            raise WrongModelError(f"{workflow} was not scored by the model this run trained: see {self.folder}")


def cdnow(data: Path) -> Log:
    """CDNOW, declared as in ``examples/cdnow.yaml``."""
    return Log((data / CDNOW_FILE).resolve(), _declared("cdnow"))


def retail(data: Path) -> Log:
    """Online Retail, declared as in ``examples/online_retail.yaml``."""
    return Log((data / RETAIL_FILE).resolve(), _declared("online_retail"))


def judged_estimator(example: str | None, workflow: str, horizon_days: int) -> str:
    """Which estimator ``examples/<example>.yaml`` names for a workflow: that one is judged; without an example, the shipped one.

    Raises
    ------
    ValueError
        If the example predicts another horizon than the protocol, or an estimator that is not run here.
    """
    variants = VARIANTS[workflow]
    if example is None:
        return next(iter(variants))
    declared = _example(example)["workflows"][workflow] or {}
    days = declared["target"]["horizon_days"]
    estimator = (declared.get("model") or {}).get("estimator", next(iter(variants)))
    if days != horizon_days or estimator not in variants:
        raise ValueError(
            f"examples/{example}.yaml predicts {days} days of {workflow} by {estimator}, the protocol {horizon_days} days by one "
            f"of {', '.join(variants)}: bring the two together"
        )
    return str(estimator)


@dataclass(frozen=True)
class Said:
    """What one estimator said of every customer, and what it saw."""

    estimator: str
    saw: str
    score: Floats


def every_estimator(
    home: Home, horizon_days: int, customers: pd.Index, workflows: Collection[str] = tuple(VARIANTS)
) -> dict[str, list[Said]]:
    """Run workflows with every estimator; by workflow, the shipped one first."""
    wanted = {workflow: list(variants.items()) for workflow, variants in VARIANTS.items() if workflow in workflows}
    found: dict[str, list[Said]] = {workflow: [] for workflow in wanted}
    for place in range(max(map(len, wanted.values()))):
        chosen = {workflow: variants[place] for workflow, variants in wanted.items() if place < len(variants)}
        overrides = {
            workflow: {"target": {"horizon_days": horizon_days}, **over} for workflow, (_, over) in chosen.items()
        }
        home.run(" and ".join(name for name, _ in chosen.values()), overrides, again=place > 0)
        for workflow, (name, _) in chosen.items():
            what = "what they spent" if workflow == "cltv" else "whether they bought"
            saw = f"customers at {home.trained_on(workflow)} and {what} in the {horizon_days} days after each"
            if name in KNOW_THE_CUT:
                saw += ", and the histories to score, which have no target yet"
            if name == AUTO:
                saw += f"; {home.chosen(workflow)}"
            values = home.predicted(workflow, _SCORES[workflow], customers)
            found[workflow].append(Said(name, saw, values))
    return found


def _declared(example: str) -> dict[str, Any]:
    return {key: value for key, value in _example(example)["sources"]["orders"].items() if key != "path"}


def _example(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8"))
    return content


def without_later_rows(log: Log, cut: date, folder: Path) -> Log:
    """The same log with every line behind the cut physically removed."""
    path = folder / log.path.name
    raw = pd.read_parquet(log.path)
    raw[raw["InvoiceDate"] < pd.Timestamp(cut) + pd.Timedelta(days=1)].to_parquet(path, index=False)
    return log.at(path)


def lifetime_directly(home: Home, estimator: str, horizon_days: int, customers: pd.Index) -> tuple[Floats, Floats]:
    """Predictions of a lifetime learner fitted to the pipeline's features of the cut: (spend, probability to buy).

    For cuts that no labelled snapshot lies before: the workflow refuses those, the learner needs no label.
    """
    columns = ", ".join(f"{name}::float as {name}" for name in HISTORY)
    found = home.table(
        f"select customer_id, {columns} from features.customer_features where snapshot_date = '{home.as_of}' order by 1"
    )
    assert set(found["customer_id"]) == set(customers), "the features are of other customers than the protocol's"
    features = pa.Table.from_pandas(found[list(HISTORY)], preserve_index=False).replace_schema_metadata(None)
    source = table_source(features.append_column("target", pa.array(np.zeros(len(found)))), "target")
    spec = ModelSpec(estimator=estimator, horizon_days=horizon_days)
    model = PythonEngine().learner(spec).refit(source, Recipe({}, {}), spec, threads=1)
    scored = model.score(features.combine_chunks().to_batches()[0]).to_pandas().set_index(found["customer_id"])
    ordered = scored.reindex(customers)
    return ordered["predicted_target"].to_numpy(), ordered["p_buy"].to_numpy()
