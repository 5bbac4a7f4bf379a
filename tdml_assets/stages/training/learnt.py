"""What a training leaves, whatever the task learns from, and the immutable version that is stored of it.

Elsewhere: learning (``engines/``, ``fit.py``, ``recommendation/selection.py``), what a stored version is
(``models/bundles.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.bundle_store import BundleStore
from tdml_assets.models.bundles import Manifest, ModelFeature, describe_files, version_name
from tdml_assets.models.champions import NOT_THE_MODEL
from tdml_assets.platform.contracts import TableContract
from tdml_assets.platform.environment import code_version, library_versions
from tdml_assets.platform.per_task import StageOfTask

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Warehouse

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Learnt:
    """A candidate as it was trained and measured, ready to be stored.

    ``spec``: the workflow, with the engine that was chosen. ``as_of``, ``fingerprint``: the day of the session, and the hash of
    its raw data. ``features``, ``target``: what the model takes, and what it predicts. ``files``: of the version. ``metrics``:
    of the test. ``parameters``: what is kept in ``monitoring.model_params``. ``rows``: measured. ``sentence``: for the log.
    ``shown``: metadata of the asset, from the rows of the parameters. ``slices``: rows to keep of the session besides, without
    the key. ``described``: what learnt, where the declaration leaves it open. ``carried``: what the candidate owes to the
    champion before it. ``libraries``: version per library that takes part, besides those of every model.
    """

    spec: WorkflowSpec
    as_of: date
    fingerprint: str
    features: Sequence[ModelFeature]
    target: str
    files: Mapping[str, bytes]
    metrics: Mapping[str, float | None]
    parameters: Mapping[str, Any]
    rows: int
    sentence: str
    shown: Callable[[Rows], Mapping[str, Any]]
    slices: Mapping[TableContract, Rows] = field(default_factory=dict)
    described: Mapping[str, Any] = field(default_factory=dict)
    carried: Mapping[str, Any] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Learning(StageOfTask):
    """How a task trains.

    ``learn`` fits and measures; the warehouse is free while it fits. ``follows``: whether the champion before has a part in the
    result.
    """

    kinds: set[str]
    learn: Callable[[Warehouse, BundleStore], Learnt]
    follows: bool = False


def store_version(store: BundleStore, learnt: Learnt, session_id: str, log: logging.Logger) -> Manifest:
    """Write the version; returns what it is."""
    spec = learnt.spec
    identity: dict[str, Any] = {
        "spec": {**spec.model_dump(mode="json", exclude=NOT_THE_MODEL), **learnt.described},
        "data_fingerprint": learnt.fingerprint,
        "code_version": code_version(),
        "libraries": {**library_versions(), **learnt.libraries},
    }
    manifest = Manifest(
        workflow=spec.name,
        version=version_name(learnt.as_of, workflow=spec.name, carried=learnt.carried, **identity),
        as_of=learnt.as_of,
        features=tuple(learnt.features),
        target=learnt.target,
        engine=spec.engine_name,
        metrics=learnt.metrics,
        session_id=session_id,
        created_at=datetime.now(UTC).replace(tzinfo=None),
        files=describe_files(learnt.files),
        **identity,
    )
    store.write(manifest, learnt.files, lambda words: log.warning(f"report: {words}"))
    return manifest
