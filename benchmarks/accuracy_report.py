"""The page of ``make bench-accuracy`` and the rows behind it.

Belongs here: tables and sentences made of what was measured. Does not: measuring, verdicts (``accuracy_cases.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmarks.accuracy_cases import Case, Judged, Method
from benchmarks.accuracy_measures import RESAMPLES, Difference
from benchmarks.accuracy_published import KNOWN_AUC, LEAK_AUC, PARAMETERS, QUOTED
from benchmarks.accuracy_rehearsal import Rehearsal
from benchmarks.accuracy_rehearsal import table as rehearsal_table
from benchmarks.measure import Machine, Row

_DIGITS = {"mae": 2, "rmse": 1, "segments": 0, "total_bias": 3, "decile_mape": 3}
_SHORT = {
    "normalised_gini": "nGini", "total_bias": "bias", "decile_mape": "decile error", "top_decile_share": "top tenth",
    "mae": "MAE", "rmse": "RMSE", "r2": "R2", "wape": "WAPE", "spearman": "Spearman", "auc": "AUC", "log_loss": "log loss",
    "brier": "Brier", "recall_at_10": "recall@10", "repeat_recall_at_10": "repeats, recall@10",
    "new_recall_at_10": "new, recall@10", "ndcg_at_10": "NDCG@10", "hit_rate_at_10": "hit rate@10",
    "smallest_share": "smallest", "largest_share": "largest", "stability_ari": "ARI", "lowest_ari": "lowest ARI",
    "buys_variance_explained": "variance of buys explained", "spend_variance_explained": "of log spend",
}  # fmt: skip
#: Measures whose differences are worth a column of the page; the rows have all.
_COMPARED = (
    "mae", "spearman", "normalised_gini", "total_bias", "decile_mape", "auc", "log_loss", "recall_at_10",
    "new_recall_at_10", "buys_variance_explained",
)  # fmt: skip


def rows_of(
    cases: Sequence[Case], parameters: Mapping[str, float], rehearsals: Sequence[Rehearsal], facts: Sequence[Row]
) -> list[Row]:
    """Every figure, as rows of the results file.

    Ours against each baseline; against each quoted figure, which was not measured here; and every difference over resamples.
    """
    found: list[Row] = []
    for case in cases:
        for ours in case.all_ours:
            for baseline in case.baselines:
                against = f"{case.name}: {ours.name} against {baseline.name}"
                found += [
                    Row(against, name, _kept(ours.measured[name]), _kept(baseline.measured.get(name)))
                    for name in ours.measured
                    if name in baseline.measured
                ]
                for name, one in case.differences(ours, baseline).items():
                    parts = {"mean": one.mean, "low": one.low, "high": one.high}
                    found += [
                        Row(against, f"{name}_difference_{part}", _kept(value), None) for part, value in parts.items()
                    ]
                    found.append(Row(against, f"{name}_share_better", _kept(one.better), None))
            for quoted in case.quoted:
                against = f"{case.name}: {ours.name} against {quoted.method} [{quoted.tag}, quoted]"
                found += [
                    Row(against, name, _kept(ours.measured[name]), value)
                    for name, value in quoted.values.items()
                    if name in ours.measured
                ]
    for quoted in (one for one in QUOTED if one.case == PARAMETERS):
        found += [
            Row(f"{PARAMETERS}: against {quoted.method} [{quoted.tag}, quoted]", name, _kept(parameters[name]), value)
            for name, value in quoted.values.items()
        ]
    for played in rehearsals:
        found += [
            Row(f"rehearsal before {played.window.until}, {played.case}: {estimator}", name, _kept(value), None)
            for estimator, values in played.measured.items()
            for name, value in values.items()
        ]
    return [*found, *facts]


def _kept(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


def verdict_table(judged: Sequence[Judged]) -> str:
    """What is asked for, what we reach, line by line."""
    lines = ["| protocol | measure | must | good | ours | verdict |", "|---|---|---|---|---:|---|"]
    for one in judged:
        wanted = one.wanted
        name = f"size of {_name(wanted.measure)}" if wanted.absolute else _name(wanted.measure)
        cells = (
            wanted.case,
            name,
            wanted.must or "-",
            wanted.good or "-",
            _figure(wanted.measure, one.value),
            _verdict(one),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _verdict(one: Judged) -> str:
    if one.verdict == "good":
        return "met good"
    if one.verdict == "must":
        return "met must" if one.wanted.good is None else "met must, not good"
    return "**must not met**" if one.wanted.must is not None else "good not met"


def short_sentences(judged: Sequence[Judged]) -> str:
    """A sentence for everything that is missed."""
    sentences = []
    for one in judged:
        if not one.falls_short:
            continue
        wanted = one.wanted
        size = abs(one.value) if wanted.absolute else one.value
        missed = [bound for bound in (wanted.must, wanted.good) if bound is not None and not bound.holds(size)]
        asked = " and ".join(f"{'must' if bound is wanted.must else 'good'} {bound}" for bound in missed)
        said = f"{_figure(wanted.measure, one.value)} against {asked}"
        if one.interval:
            low, high = (_figure(wanted.measure, end) for end in one.interval)
            said += f" (95 % of resamples: {low} to {high})"
        if one.best_baseline:
            name, value = one.best_baseline
            said += f"; the best baseline measured here, {name}, has {_figure(wanted.measure, value)}"
        sentences.append(f"- **{wanted.case}, {_name(wanted.measure)}**: {said}. {wanted.missed}".rstrip())
    return "\n".join(sentences) if sentences else "Nothing is missed."


def case_section(case: Case) -> str:
    """Values of everybody, quoted ones included, and differences by resampling."""
    names = list(case.ours.measured)
    lines = [
        f"### {case.name}",
        "",
        f"{case.customers:,} customers. Judged: {case.judged}.",
        "",
        f"| method | {' | '.join(map(_name, names))} |",
        f"|---|{'---:|' * len(names)}",
    ]
    lines += [_line(f"**{one.name}** (ours)", one.measured, names) for one in case.all_ours]
    lines += [_line(one.name, one.measured, names) for one in case.baselines]
    lines += [_line(f"{one.method} [{one.tag}, quoted]", one.values, names) for one in case.quoted]
    return "\n".join([*lines, "", difference_table(case)])


def _line(name: str, values: Mapping[str, float], names: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(_figure(one, values.get(one)) for one in names)} |"


def difference_table(case: Case) -> str:
    """Ours minus each baseline: mean, 95 % interval, share of resamples in which ours is better."""
    names = [name for name in _COMPARED if name in case.ours.resampled]
    lines = [f"| ours minus baseline | {' | '.join(map(_name, names))} |", f"|---|{'---|' * len(names)}"]
    for ours in case.all_ours:
        for baseline in case.baselines:
            found = case.differences(ours, baseline)
            cells = [_difference(name, found[name]) if name in found else "-" for name in names]
            lines.append(f"| {ours.name} - {baseline.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def fixed_table(cases: Sequence[Case]) -> str:
    """``auto`` next to the fixed estimators, where it is judged: the differences over resamples."""
    lines = ["| protocol | auto minus | MAE | nGini | AUC | log loss |", "|---|---|---|---|---|---|"]
    for case in (one for one in cases if "auto" in one.judged):
        for fixed in case.all_ours[1:]:
            found = case.differences(case.ours, fixed)
            cells = [
                _difference(name, found[name]) if name in found else "-"
                for name in ("mae", "normalised_gini", "auc", "log_loss")
            ]
            lines.append(f"| {case.name} | {fixed.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(name: str, one: Difference) -> str:
    mean, low, high = (_figure(name, value, signed=True) for value in (one.mean, one.low, one.high))
    return f"{mean} ({low} to {high}), {one.better:.0%}"


def seen_table(cases: Sequence[Case]) -> str:
    """What every method saw."""
    lines = ["| protocol | method | saw |", "|---|---|---|"]
    lines += [f"| {case.name} | {one.name}{_mark(one)} | {one.saw} |" for case in cases for one in case.methods]
    return "\n".join(lines)


def _mark(method: Method) -> str:
    return " (ours)" if method.ours else ""


def parameter_table(parameters: Mapping[str, float]) -> str:
    """Fitted parameters next to the published ones."""
    (quoted,) = (one for one in QUOTED if one.case == PARAMETERS)
    lines = [f"| parameter | ours | {quoted.method} [{quoted.tag}, quoted] |", "|---|---:|---:|"]
    lines += [f"| {name} | {parameters[name]:.3f} | {value:g} |" for name, value in quoted.values.items()]
    return "\n".join(lines)


def leak_sentence(cases: Sequence[Case]) -> str:
    """Whether a ranking is too good to be true."""
    found = {case.name: case.ours.measured["auc"] for case in cases if "auc" in case.ours.measured}
    limits = {name: KNOWN_AUC.get(name, LEAK_AUC) for name in found}
    above = [f"{name} ({value:.3f}, {limits[name]})" for name, value in found.items() if value > limits[name]]
    if above:
        return f"**AUC above the limit of a leak: {', '.join(above)}. A leak until explained.**"
    highest = max((value for name, value in found.items() if name not in KNOWN_AUC), default=float("nan"))
    known = "".join(
        f"; {name} has {value:.3f}, where {limits[name]} is the limit, since households buy every week"
        for name, value in found.items()
        if name in KNOWN_AUC
    )
    return f"No AUC is above {LEAK_AUC}, from which on a leak would have to be assumed; the highest is {highest:.3f}{known}."


def _name(measure: str) -> str:
    return _SHORT.get(measure, measure)


def _figure(measure: str, value: float | None, *, signed: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    digits = _DIGITS.get(measure, 4)
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def page(
    cases: Sequence[Case],
    judged: Sequence[Judged],
    parameters: Mapping[str, float],
    notes: Sequence[str],
    rehearsals: Sequence[Rehearsal],
    machine: Machine,
) -> str:
    """Write the page. ``notes`` are sentences of the run."""
    met = {verdict: sum(one.verdict == verdict for one in judged) for verdict in ("good", "must", "not met")}
    musts = [one for one in judged if one.wanted.must is not None]
    reached = sum(one.verdict != "not met" for one in musts)
    return f"""# Accuracy on real orders

Written by `make bench-accuracy`; nothing here is typed in but the figures marked as quoted. The same figures:
[accuracy.json](results/accuracy.json).

Ours is the whole pipeline, from the raw file to `<workflow>.predictions`, at a cut in the past; the truth, the baselines and the
measures come from the raw files by other code. {reached} of {len(musts)} musts are met; of all {len(judged)} lines
{met["good"]} reach good, {met["must"]} their must alone, {met["not met"]} neither.

{verdict_table(judged)}

A value is compared with a bound at the digits the bound has. Drift and split checks are studied elsewhere and left out.

## What falls short, and why

{short_sentences(judged)}

## Is it honest

{chr(10).join(f"- {note}" for note in [*notes, leak_sentence(cases)])}

### Which estimator is judged

The shipped one, `auto`: each run chooses by a rehearsal of its own, on windows that end at the cut or before it; "What every method
saw" has the choice with what it looked at. The weight of the lifetime start, the steps of its trees and the share of the blend were
chosen on windows that end at the cuts; that spend needs no outlier rule was known from runs on the scored windows too. Beside every
fixed estimator, in the form of the tables below:

{fixed_table(cases)}

`auto` chooses by the mean of absolute error and Tweedie deviance. By MAE alone a fixed option may be better, and is where
an interval of the MAE lies above 0: whoever gives nearly everybody too little has a low one.

`auto` fits what it does not take once, without a refit: less than one more training
([measured](workflows.md#which-learner-estimator-auto)).

The same estimators on the window that ends at the cut, which none of the lines above is scored on:

{rehearsal_table(rehearsals, _figure, _name)}

{chr(10).join(f"- {one.sentence()}" for one in rehearsals)}

## Protocol by protocol

Differences: {RESAMPLES:,} resamples of the customers, the same ones for both sides; mean of ours minus the baseline, 95 % interval,
share of resamples in which ours is better. `[M]` was measured before on these logs with plain scripts, `[P]` is published;
both are quoted, not measured here. Lower is better for MAE, RMSE, WAPE, decile error, log loss and Brier; bias is best at 0.

{(chr(10) * 2).join(case_section(case) for case in cases)}

## Published parameters

Fitted to the 2,357 customers of the CDNOW sample, 1997-01-01 to 1997-09-30, time in weeks.

{parameter_table(parameters)}

## What every method saw

Nobody was fitted to a row behind the cut of its protocol.

{seen_table(cases)}

{machine.caption()}.
"""
