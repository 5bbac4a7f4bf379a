"""Kinds of target: what each is called, how it is observed and which task learns it, one object each.

Elsewhere: the keys of ``target`` (``targets.py``), the statement that observes (``sql/training_table/``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from tdml_assets.declaration.base import object_of


@dataclass(frozen=True)
class TargetKind:
    """One kind.

    ``name``: as ``target.kind`` gives it: of this package, or the import path of the module.
    ``learned_by``: task that learns it: regression for a number, classification for 1 or 0.
    ``words``: what people call it without its horizon, from the ``Target``.
    ``observed``: what the events of one customer in the horizon come to: an SQL aggregate over ``events``, as a template below
      ``sql/`` or as the path of a file. None where it is not observed row by row after a snapshot.
    ``is_yes_no``: whether it is 1 or 0; its words then describe the event whose probability is predicted.
    ``is_absence``: whether it is 1 where nothing was observed, and 0 where 1 was.
    ``of_events``: whether the keys ``source`` and ``where`` of ``target`` choose the events; else they are orders.
    ``takes_column``: whether it needs the key ``column``.
    """

    name: str
    learned_by: str
    words: Callable[[Any], str]
    observed: str | None
    is_yes_no: bool = False
    is_absence: bool = False
    of_events: bool = False
    takes_column: bool = False

    @property
    def is_amount(self) -> bool:
        """Whether it is a number of something."""
        return self.observed is not None and not self.is_yes_no


def _source(target: Any) -> str:
    return str(target.source).replace("_", " ")


_FOLDER = "training_table/observed"
#: Those of this package; the first that a task learns is its usual one.
KINDS = {
    kind.name: kind
    for kind in (
        TargetKind("net_spend", "regression", lambda _: "spend", f"{_FOLDER}/spent.sql"),
        TargetKind("count", "regression", _source, f"{_FOLDER}/count.sql", of_events=True),
        TargetKind(
            "sum",
            "regression",
            lambda target: f"{target.column} of {_source(target)}",
            f"{_FOLDER}/sum.sql",
            of_events=True,
            takes_column=True,
        ),
        TargetKind(
            "no_purchase",
            "classification",
            lambda _: "buys nothing",
            f"{_FOLDER}/bought.sql",
            is_yes_no=True,
            is_absence=True,
        ),
        TargetKind("purchase", "classification", lambda _: "buys", f"{_FOLDER}/bought.sql", is_yes_no=True),
        TargetKind(
            "any",
            "classification",
            lambda target: f"has such {_source(target)}",
            f"{_FOLDER}/happened.sql",
            is_yes_no=True,
            of_events=True,
        ),
        TargetKind(
            "none",
            "classification",
            lambda target: f"has no such {_source(target)}",
            f"{_FOLDER}/happened.sql",
            is_yes_no=True,
            is_absence=True,
            of_events=True,
        ),
        TargetKind("unlabelled", "clustering", lambda _: "group", None),
        TargetKind("products", "recommendation", lambda _: "products bought", None),
    )
}


@cache
def kind_named(name: str) -> TargetKind:
    """Give a kind.

    Raises ``ValueError`` if there is none of that name. ``name``: a key of :data:`KINDS`, or the import path of a module that
    has a :class:`TargetKind` named ``TARGET_KIND``.
    """
    if name in KINDS:
        return KINDS[name]
    if "." not in name:
        raise ValueError(
            f"{name!r} is not known: write one of {', '.join(KINDS)}, or the import path of your own module"
        )
    return object_of(name, "TARGET_KIND", TargetKind)


def require_kind(name: str | None) -> str | None:
    """The name, if there is such a kind; it raises ``ValueError`` otherwise."""
    if name is not None:
        kind_named(name)
    return name
