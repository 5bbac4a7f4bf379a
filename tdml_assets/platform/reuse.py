"""When a stage need not compute again: what it would read is what it read before, and what it left is still there.

Elsewhere: reading tables and models, taking over what an earlier session left (``stages/reuse.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.platform.contracts import Column, TableContract

#: Columns that say which session wrote a row and when. They differ from session to session by their nature.
OF_SESSION = ("session_id", "run_id", "committed_at", "updated_at")

#: Packages whose code is named by their version. What comes from elsewhere may have changed without one.
_VERSIONED = ("sklearn", "xgboost", "tdml_assets")


def results_contract(schema: str) -> TableContract:
    """Contract of ``<schema>.stage_results``: what each stage was last computed from, and what it left."""
    return TableContract(
        schema,
        "stage_results",
        "One row per stage that completed: a later session takes over what it left if it would read the same.",
        (
            Column("stage", "VARCHAR", "Name of the stage.", False),
            Column(
                "identity", "VARCHAR", "SHA-256 over code, libraries, specification, settings and rows read.", False
            ),
            Column("made", "VARCHAR", "SHA-256 over the rows it left.", False),
            Column("session_id", "VARCHAR", "The latest session that holds these rows.", False),
            Column("run_id", "VARCHAR", "The attempt whose events describe them.", False),
            Column("computed_in", "VARCHAR", "The session that computed them.", False),
            Column(
                "follows", "VARCHAR", "JSON: the champion before, where it has a part in what was computed; else null."
            ),
            Column("recorded", "VARCHAR", "JSON: what the stage wrote into the session's row.", False),
        ),
        ("stage",),
    )


def hash_of(value: Any) -> str:
    """SHA-256 in hexadecimal of anything that JSON can hold; days and paths as text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def identity_of(
    stage: str,
    *,
    code: str,
    libraries: Mapping[str, str],
    spec: WorkflowSpec | None,
    settings: Mapping[str, Any],
    tables: Mapping[str, Any],
    owes: Any,
) -> str | None:
    """Name of everything that decides what a stage leaves; None where something of it is not known.

    ``code``: hash of all code. ``libraries``: version per library, the interpreter among them. ``spec``: the workflow; None for
    what belongs to none. ``settings``: those that a stage may look at. ``tables``: content per table read; None for one that is
    missing. ``owes``: what else has a part in the result, such as the champion.
    """
    if any(content is None for content in tables.values()) or (spec is not None and not is_versioned(spec)):
        return None
    described = None if spec is None else {**spec.model_dump(mode="json"), "estimator": spec.estimator}
    return hash_of([stage, code, dict(libraries), described, dict(settings), dict(tables), owes])


def is_versioned(spec: WorkflowSpec) -> bool:
    """Whether all code that learns has a version: a class of a person's own may change under the same import path."""
    paths = [spec.estimator, *(step.estimator for step in spec.model.steps)]
    return all("." not in path or path.partition(".")[0] in _VERSIONED for path in paths)


def may_be_taken_over(
    found: Mapping[str, Any] | None, identity: str | None, made: str | None, champion: Any = None
) -> bool:
    """Whether an earlier result is what would be computed now.

    A result may follow a champion, as segments keep their numbers. Then the champion must be that of then, or be the result: what
    follows itself is the same again, and a first session's result is taken over in the second, which has it as its champion.

    ``found``: row of ``stage_results``; None where the stage never completed. ``identity``: of what the stage would read now,
    but for the champion; None where it is not known. ``made``: hash of the rows that are in place now; None where some are
    missing. ``champion``: version and hash that the result would follow now; None where there is none, or it has no part.
    """
    if found is None or None in (identity, made) or (found["identity"], found["made"]) != (identity, made):
        return False
    followed, own = json.loads(found["follows"] or "null"), json.loads(found["recorded"]).get("model_version")
    now = None if champion is None else list(champion)
    return now == followed or (now is not None and now[0] == own)
