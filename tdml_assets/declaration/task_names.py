"""Tasks by name: those of this package, and those that a module of a user's own adds.

Elsewhere: what a task does (``tasks/``, behind its protocol).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

TASKS = ("regression", "classification", "clustering", "recommendation")
#: Tasks that learn from one row per snapshot and customer: a task of a user's own is one of them in another form.
LEARNT_BY_ROWS = TASKS[:3]


def task_module(name: str) -> str:
    """Import path of a task's module."""
    return name if "." in name else f"tdml_assets.tasks.{name}"


@cache
def learned_by(name: str) -> str:
    """The task of this package that a task is: what engines learn, and which kinds of target and sections belong to it.

    Raises ``ValueError`` if there is none of that name. ``name``: one of :data:`TASKS`, or the import path of a module with
    ``TASK``, an object of the protocol ``tasks.Task``, ``PRESENTATION``, and ``LEARNS``, one of :data:`LEARNT_BY_ROWS`.
    """
    if name in TASKS:
        return name
    if "." not in name:
        raise ValueError(
            f"{name!r} is not known: write one of {', '.join(TASKS)}, or the import path of your own module"
        )
    try:
        module = import_module(name)
    except ImportError as error:
        raise ValueError(f"module {name} cannot be imported ({error}): correct it, or put it on PYTHONPATH") from None
    lacking = [each for each in ("TASK", "PRESENTATION", "LEARNS") if not hasattr(module, each)]
    if lacking:
        raise ValueError(f"module {name} has no {' and no '.join(lacking)}: a task needs TASK, PRESENTATION and LEARNS")
    if module.LEARNS not in LEARNT_BY_ROWS:
        raise ValueError(f"module {name}: LEARNS is {module.LEARNS!r}; write one of {', '.join(LEARNT_BY_ROWS)}")
    return str(module.LEARNS)


def require_task(name: str) -> str:
    """The name, if there is such a task; it raises ``ValueError`` otherwise."""
    learned_by(name)
    return name
