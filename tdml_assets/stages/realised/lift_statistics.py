"""Treated customers against a control group: difference, interval, and how many customers it would take to tell.

Elsewhere: the interval (``lift_interval.py``), who is in the control group (``stages/audience/control.py``), what happened
(``lift.py``).

Outcomes are first brought to the same prediction: what a customer was expected to do is known from before the campaign, and the
groups differ in it by chance alone (CUPED: Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled
experiments by utilizing pre-experiment data", WSDM 2013). The slope is that of both groups together, so that exchanging the
groups does not move it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from tdml_assets.stages.realised.lift_interval import Groups, interval_of

Floats = NDArray[np.float64]

#: Share of tables without any effect in which one is shown anywhere.
FALSE_ALARMS = 0.05
#: Of that, what the whole may use; the bands share the rest.
_SHARE_OF_WHOLE = 0.5
#: Customers of a group, and outcomes among them that differ from the usual one, below which nothing is said.
FEWEST_CUSTOMERS, FEWEST_EVENTS = 20, 5
_POWER = 0.8


@dataclass(frozen=True)
class Stratum:
    """Customers who were assigned with the same chance.

    ``treated``, ``control``: outcomes, (customers,) each. ``treated_predicted``, ``control_predicted``: what was predicted for
    them, (customers,) each; NaN where it is not known, None where it is known of nobody. ``share``: chance of being in the
    control group; as seen unless given.
    """

    treated: Floats
    control: Floats
    treated_predicted: Floats | None = None
    control_predicted: Floats | None = None
    share: float | None = None

    @property
    def outcomes(self) -> Floats:
        """Of both groups, treated customers first."""
        return np.concatenate([self.treated, self.control])

    @property
    def predicted(self) -> Floats:
        """What was predicted, in the order of ``outcomes``; the mean where it is not known."""
        if self.treated_predicted is None or self.control_predicted is None:
            return np.zeros(len(self.treated) + len(self.control))
        found = np.concatenate([self.treated_predicted, self.control_predicted])
        known = found[np.isfinite(found)]
        return np.where(np.isfinite(found), found, known.mean() if len(known) else 0.0)


@dataclass(frozen=True)
class Comparison:
    """Treated customers against the control group.

    ``treated``, ``control``: number of customers. ``treated_mean``, ``control_mean``: of the outcome, strata weighted by their
    size; both groups are brought to the same mean prediction. ``difference``: treated less control. ``low``, ``high``: interval
    of the difference; None where too few customers tell nothing. ``needed``: customers, both groups together, with whom the
    wanted relative difference would be shown with a chance of 80 %; None where it cannot be said.
    """

    treated: int
    control: int
    treated_mean: float | None
    control_mean: float | None
    difference: float | None
    low: float | None
    high: float | None
    needed: int | None

    @property
    def is_shown(self) -> bool:
        """Whether chance alone does not explain the difference."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def compare_table(
    whole: Sequence[Stratum], bands: Sequence[Sequence[Stratum]], *, detect: float, seed: int
) -> tuple[Comparison, list[Comparison]]:
    """Compare the whole and every band, so that all intervals hold together with 95 %.

    Half of the 5 % is the whole's, the other half is shared by the bands: whatever is shown in a table without any effect is shown
    in at most 5 % of such tables. ``detect``: relative difference that should be detected. ``seed``: of the exchanges of groups.
    """
    of_whole = _SHARE_OF_WHOLE * FALSE_ALARMS
    of_band = (FALSE_ALARMS - of_whole) / max(1, len(bands))
    generator = np.random.default_rng(seed)
    return compare(whole, of_whole, detect, generator), [compare(band, of_band, detect, generator) for band in bands]


def compare(strata: Sequence[Stratum], alpha: float, detect: float, generator: np.random.Generator) -> Comparison:
    """Compare treated customers with the control group.

    ``strata``: those in which a group has fewer than two customers are left out. ``alpha``: chance that the interval misses the
    truth. ``detect``: relative difference that should be detected.
    """
    kept = [one for one in strata if min(len(one.treated), len(one.control)) >= 2]
    treated, control = (sum(len(getattr(one, name)) for one in kept) for name in ("treated", "control"))
    if not kept:
        treated, control = (sum(len(getattr(one, name)) for one in strata) for name in ("treated", "control"))
        return Comparison(treated, control, None, None, None, None, None, _needed_of_few(strata, alpha, detect))
    groups = _on_one_level(kept)
    events = [sum(int(getattr(one, name).sum()) for one in groups) for name in ("treated_events", "control_events")]
    if min(treated, control) < FEWEST_CUSTOMERS or min(events) < FEWEST_EVENTS:
        # As they are: a slope of few customers would bring them to a level that nobody spends.
        weighted = list(zip(groups, kept, strict=True))
        m1, m0 = (
            sum(one.weight * float(getattr(raw, name).mean()) for one, raw in weighted)
            for name in ("treated", "control")
        )
        return Comparison(treated, control, m1, m0, m1 - m0, None, None, _needed_of_few(strata, alpha, detect))
    m1, m0 = (sum(one.weight * float(getattr(one, name).mean()) for one in groups) for name in ("treated", "control"))
    low, high = interval_of(groups, alpha, FEWEST_EVENTS, generator)
    error = math.sqrt(sum(one.weight**2 * one.variance for one in groups))
    needed = _needed(treated + control, error, detect * abs(m0), alpha)
    return Comparison(treated, control, m1, m0, m1 - m0, low, high, needed)


def _on_one_level(strata: Sequence[Stratum]) -> list[Groups]:
    """Outcomes less what the prediction explains of them, with the slope of all strata and both groups together."""
    centred = [one.predicted - one.predicted.mean() for one in strata]
    spread = sum(float(x @ x) for x in centred)
    together = sum(float(x @ (one.outcomes - one.outcomes.mean())) for x, one in zip(centred, strata, strict=True))
    slope = together / spread if spread > 0 else 0.0
    total = sum(len(x) for x in centred)
    usual = _usual(np.concatenate([one.outcomes for one in strata]))
    found = []
    for x, one in zip(centred, strata, strict=True):
        size = len(one.treated)
        level = one.outcomes - slope * x
        is_event = (one.outcomes != usual).astype(np.float64)
        found.append(Groups(level[:size], level[size:], is_event[:size], is_event[size:], len(x) / total))
    return found


def _usual(outcomes: Floats) -> float:
    """The most frequent outcome: nothing spent, say."""
    values, counts = np.unique(outcomes, return_counts=True)
    return float(values[np.argmax(counts)])


def _needed(customers: int, error: float, difference: float, alpha: float) -> int | None:
    """Customers with whom a difference would be shown: the error shrinks with the root of their number."""
    if difference <= 0 or error <= 0:
        return None
    normal = NormalDist()
    detectable = (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(_POWER)) * error
    return math.ceil(customers * (detectable / difference) ** 2)


def _needed_of_few(strata: Sequence[Stratum], alpha: float, detect: float) -> int | None:
    """The same where one group is too small to be compared: from the spread of both together and the chance of being kept out."""
    outcomes = np.concatenate([one.outcomes for one in strata]) if strata else np.zeros(0)
    if len(outcomes) < 2:
        return None
    kept_out = sum(
        len(one.outcomes) * one.share if one.share is not None else len(one.control) for one in strata
    ) / len(outcomes)
    events = float(np.mean(outcomes != _usual(outcomes)))
    smaller = min(kept_out, 1 - kept_out)
    if smaller <= 0 or events <= 0:
        return None
    error = math.sqrt(float(outcomes.var(ddof=1)) / (len(outcomes) * kept_out * (1 - kept_out)))
    wanted = _needed(len(outcomes), error, detect * abs(float(outcomes.mean())), alpha)
    least = math.ceil(max(FEWEST_CUSTOMERS / smaller, FEWEST_EVENTS / (smaller * events)))
    return max(wanted or 0, least)
