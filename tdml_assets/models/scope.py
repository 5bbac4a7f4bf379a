"""How much an evaluated fit knew, and whether a champion may be measured next to a candidate.

Elsewhere: the comparison (``stages/evaluation/paired.py``).

Only fits that knew nothing of the test window compare fairly. A champion's stored fit has learnt from labels inside it: a
weekly retraining for a horizon of 90 days shares 83 of them. So each version keeps the fit that was measured next to the final
one, and the champion's, which is older, is measured again on the candidate's test rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from tdml_assets.models.bundles import Manifest, refusing_damage

#: File of an evaluated fit that holds its scope.
SCOPE_FILE = "scope.json"
#: Parts of a specification that decide what is predicted and for which customers.
_SAME = ("task", "target")


@dataclass(frozen=True)
class Scope:
    """What an evaluated fit knew.

    ``known_until``: last day whose events it learnt from, labels included. ``by_customers``: whether it was kept from customers
    by their hash rather than from later days. ``holdout_share``: of the customers, if so.
    """

    known_until: date
    by_customers: bool = False
    holdout_share: float = 0.0

    def to_json(self) -> bytes:
        """The form kept in a model bundle."""
        return json.dumps({**asdict(self), "known_until": self.known_until.isoformat()}, sort_keys=True).encode()

    @staticmethod
    @refusing_damage(SCOPE_FILE)
    def from_json(data: bytes) -> Scope:
        """Read back what :meth:`to_json` wrote."""
        content = json.loads(data)
        return Scope(**{**content, "known_until": date.fromisoformat(content["known_until"])})


@dataclass(frozen=True)
class TestWindow:
    """What a candidate is measured on: what happened after a day, to all customers or to those held out by their hash."""

    __test__ = False

    day: date
    by_customers: bool = False
    holdout_share: float = 0.0


def obstacle(champion: Manifest, scope: Scope | None, wanted: Mapping[str, Any], window: TestWindow) -> str | None:
    """Why a champion cannot be measured next to a candidate; None where it can.

    ``scope``: of the champion's evaluated fit; None where the version has none. ``wanted``: the candidate's specification, as a
    manifest holds it. ``window``: what the candidate was measured on.
    """
    if scope is None:
        return "it was stored without the fit that was measured"
    changed = [name for name in _SAME if champion.spec.get(name) != wanted.get(name)]
    if changed:
        return f"it was trained for another {' and '.join(changed)}"
    if scope.by_customers and window.by_customers and scope.holdout_share == window.holdout_share:
        return None
    if scope.known_until > window.day:
        return f"the fit that was measured knows events up to {scope.known_until}, the test begins after {window.day}"
    return None
