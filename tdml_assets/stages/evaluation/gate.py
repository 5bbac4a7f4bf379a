"""Whether a candidate replaces the champion: the decision with its reason.

Elsewhere: the policy (``declaration/gate.py``), losses and their bootstrap (``paired.py``), whether two models may be
compared (``models/scope.py``), scoring the rows (``gate_asset.py``), moving the pointer (``champion_asset.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tdml_assets.declaration.gate import Gate

#: Metric of the one row that is kept where nothing was compared.
FIT_TO_SCORE = "fit_to_score"
ALL = "all"
_MOST_DECIMALS = 6


@dataclass(frozen=True)
class Comparison:
    """Both models on the same customers, in one measure of which less is better.

    ``metric``, ``slice``: as in ``monitoring.gate``.
    ``customers``: how many both were measured on.
    ``candidate``, ``champion``: value of each.
    ``passed``: whether it lets the candidate through.
    ``low``, ``high``: bounds of candidate minus champion; None where none were made.
    ``allowed``: by how much the candidate may be worse; None where the rule is another.
    ``words``: the measure for people, with ``{}`` for its value.
    ``whom``: who the customers are, for people.
    """

    metric: str
    slice: str
    customers: int
    candidate: float
    champion: float
    passed: bool
    low: float | None = None
    high: float | None = None
    allowed: float | None = None
    words: str = "{}"
    whom: str = "customers"

    @property
    def difference(self) -> float:
        """Candidate minus champion: above 0 the candidate is worse."""
        return self.candidate - self.champion

    def sentence(self, confidence: float) -> str:
        """The comparison in words, with figures."""
        digits = _decimals(self.champion, 3)
        if self.low is not None and self.high is not None:
            # Two losses may agree in three figures and still differ for certain.
            digits = max(digits, _decimals(self.high - self.low, 2))
        notes = [f"{self.difference:+,.{digits}f}"]
        if self.low is not None and self.high is not None:
            notes.append(f"{confidence * 100:g} % interval {self.low:,.{digits}f} to {self.high:,.{digits}f}")
        text = ", ".join(notes)
        if self.allowed is not None:
            text += f"; may be worse by {self.allowed:,.{_decimals(self.allowed, 2)}f}"
        return (
            f"{self.words.format(f'{self.candidate:,.{digits}f}')} against the champion's {self.champion:,.{digits}f} on the "
            f"same {self.customers:,} {self.whom} ({text})"
        )


@dataclass(frozen=True)
class Standing:
    """What a decision is made from.

    ``candidate``: its version.
    ``fit``, ``judgement``: whether the task's own judge finds it fit to score, and why; a candidate that is not never replaces.
    ``champion``: version that scores now; None for none.
    ``damage``: why the champion cannot score; None where it can.
    ``held``: why an operator wants no promotion; None where nobody said so.
    ``obstacle``: why the two cannot be compared; None where they were, or where the judge alone decides.
    ``comparisons``: the decisive one first; empty where nothing was compared.
    ``suspicious``: whether the candidate is too good to be believed, so that a person has to look at it.
    """

    candidate: str
    fit: bool
    judgement: str
    champion: str | None = None
    damage: str | None = None
    held: str | None = None
    obstacle: str | None = None
    comparisons: Sequence[Comparison] = ()
    suspicious: bool = False


@dataclass(frozen=True)
class GateDecision:
    """What becomes of a candidate.

    ``promote``: whether it scores from now on.
    ``can_score``: whether any model can score now.
    ``champion``: version that scored before; None for none.
    ``damaged``: whether there is a champion that cannot score.
    ``suspicious``: whether a person has to look at the candidate.
    ``reason``: why, for people, with figures.
    ``rows``: rows of ``monitoring.gate`` without their key, at least one.
    """

    promote: bool
    can_score: bool
    reason: str
    rows: Sequence[dict[str, Any]]
    champion: str | None = None
    damaged: bool = False
    suspicious: bool = False


def decide(standing: Standing, policy: Gate) -> GateDecision:
    """Promote or hold, and say why.

    In this order: a champion that cannot score is never replaced unseen; without a champion the task's judge decides alone;
    training the champion's own version again changes nothing; a candidate that is unfit is held; an operator's hold counts;
    where the two cannot be compared the judge decides; else every comparison must let the candidate through.
    """
    promote, reason = _verdict(standing, policy)
    can_score = promote or (standing.champion is not None and standing.damage is None)
    common = {"candidate": standing.candidate, "decision": "promote" if promote else "hold", "reason": reason}
    compared = [_row(one) | {"champion": standing.champion} | common for one in standing.comparisons]
    champion = None if standing.champion == standing.candidate else standing.champion
    alone = {"champion": champion, "metric": FIT_TO_SCORE, "slice": ALL, "passed": standing.fit, **common}
    return GateDecision(
        promote,
        can_score,
        reason,
        compared or [alone],
        champion=standing.champion,
        damaged=standing.damage is not None,
        suspicious=standing.suspicious,
    )


def _verdict(standing: Standing, policy: Gate) -> tuple[bool, str]:
    champion, judgement = standing.champion, standing.judgement
    if standing.damage is not None:
        return False, (
            f"held: the champion cannot score ({standing.damage}); it is not replaced unseen, promote a version by name"
        )
    if champion is None:
        return standing.fit, judgement
    if champion == standing.candidate:
        return True, judgement if standing.fit else f"unchanged: the champion was trained again; {judgement}"
    if standing.obstacle is not None and standing.fit and standing.held is None:
        return True, f"{judgement}; not compared with the champion {champion}: {standing.obstacle}"
    promote, reason = _against_champion(standing, policy)
    return promote, reason if promote else f"{reason}; the champion {champion} stays"


def _against_champion(standing: Standing, policy: Gate) -> tuple[bool, str]:
    if not standing.fit:
        return False, standing.judgement
    if standing.held is not None:
        return False, f"held: {standing.held}"
    failed = [one for one in standing.comparisons if not one.passed]
    if failed:
        unproven = failed[0].low is not None and failed[0].low <= 0
        start = "held: not shown to be as good as the champion, " if unproven else "held: "
        others = len(failed) - 1
        more = f"; {others} more comparison{'s' if others > 1 else ''} failed" if others else ""
        return False, start + failed[0].sentence(policy.confidence) + more
    passed = [one.sentence(policy.confidence) for one in standing.comparisons[:1]]
    return True, f"promoted: {passed[0]}" if passed else standing.judgement


def _row(one: Comparison) -> dict[str, Any]:
    return {
        "metric": one.metric,
        "slice": one.slice,
        "customers": one.customers,
        "candidate_value": one.candidate,
        "champion_value": one.champion,
        "difference": one.difference,
        "low": one.low,
        "high": one.high,
        "passed": one.passed,
    }


def _decimals(value: float, figures: int) -> int:
    """Decimals that show so many figures of a value; 0 needs none."""
    return 0 if value == 0 else min(_MOST_DECIMALS, max(0, figures - 1 - math.floor(math.log10(abs(value)))))
