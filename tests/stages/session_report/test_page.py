"""The session report says what the tables hold, copes with every gap, and lets no text break out of the page."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

from tdml_assets.declaration.workflow import WorkflowSpec
from tdml_assets.models.reference import ColumnReference, Reference
from tdml_assets.platform import monitoring, svg
from tdml_assets.platform.report_paths import report_name
from tdml_assets.platform.warehouse import Database, Warehouse
from tdml_assets.stages.drift.detection import BROKEN, DRIFTED, Status
from tdml_assets.stages.session_report.drift_figures import short
from tdml_assets.stages.session_report.figures import Line, Panel, metric_panel
from tdml_assets.stages.session_report.page import render_report
from tdml_assets.stages.session_report.reading import prediction_references, read_facts
from tdml_assets.stages.session_report.sections import measure_rows
from tdml_assets.stages.triage.decision import Cause, DecisionName
from tdml_assets.stages.triage.words import CAUSES, DECISIONS, STATUSES, decision_words
from tests.report_history import COLUMNS, HORIZON_DAYS, LAST, REFERENCE, session_id, spec, write_history

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x00\u202e"
_VOID = {"meta", "br", "wbr", "img", "link", "hr", "input"}
_SECTIONS = ["decision", "metrics", "model", "drift", "spikes", "predictions", "quality", "gate", "episodes"]


class Page(HTMLParser):
    """Elements, ids and text of a page; complains about what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.sections: dict[str, str] = {}
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        name = dict(attrs).get("id")
        if name:
            self.ids.append(name)
        if tag not in _VOID:
            self._open.append((tag, name if tag == "section" else None))

    def handle_endtag(self, tag):
        opened, _ = self._open.pop()
        assert opened == tag, f"{opened} is closed by {tag}"

    def handle_data(self, data):
        for tag, name in self._open:
            if tag == "section" and name:
                self.sections[name] = self.sections.get(name, "") + data


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    warehouse = Warehouse(database=str(tmp_path / "w.duckdb"), temp_directory=str(tmp_path / "tmp"), threads=1)
    with warehouse.write() as opened:
        yield opened


def report(database: Database, this: str, as_of: date = LAST, **more) -> tuple[Page, str]:
    text = render_report(read_facts(database, more.pop("spec", spec()), this, as_of, (REFERENCE,), **more))
    return Page(text), text


def test_the_level_of_the_predictions_is_a_line_of_the_page(database):
    session = write_history(database)
    assert "Total of the predictions" not in report(database, session)[1]
    row = {"kind": "amount", "corrected": True, "basis": "season", "basis_date": date(2025, 6, 30), "basis_gap": 0.131}
    row |= {"gap": 0.113, "ageing": 0.02, "customers": 10, "uncorrected_total": 1_000.0, "total": 1_120.0}
    row |= {"expected_total": 1_120.0, "low_total": 1_008.0, "high_total": 1_288.0}
    database.replace_slice(
        monitoring.LEVEL,
        {"session_id": session, "workflow": spec().name},
        [{"session_id": session, "workflow": spec().name, **row}],
    )
    shown = report(database, session)[0].sections["metrics"]
    assert "Total of the predictions: raised by 12%" in shown
    assert "between 10% below and 15% above it in 80% of cases." in shown


def test_a_history_is_shown_in_every_section(database):
    page, text = report(database, write_history(database))
    assert [name for name in page.ids if name in _SECTIONS] == _SECTIONS
    assert "avg_order_value moved far for the second session in a row" in page.sections["decision"]
    assert DECISIONS["retrain"].next_step in page.sections["decision"]
    assert "realised" in page.sections["metrics"]
    assert "not realised yet" in page.sections["metrics"]
    assert "raw.orders.unit_price" in page.sections["quality"]
    assert "3.1 % better" in page.sections["gate"]
    assert "cltv-" not in page.sections["episodes"]
    assert "email_events is empty since 21 April" in page.sections["episodes"]
    assert 'class="empty"' not in text


def test_lift_says_which_bands_are_too_small_and_how_many_customers_it_takes(database):
    write_history(database)
    this, day = session_id(LAST), LAST - timedelta(days=HORIZON_DAYS)
    common = {
        "session_id": "earlier",
        "workflow": spec().name,
        "as_of": day,
        "outcome": "spend",
        "horizon_days": HORIZON_DAYS,
    }
    known = {
        "treated": 900,
        "control": 100,
        "treated_mean": 12.0,
        "control_mean": 10.0,
        "difference": 2.0,
        "low": 0.5,
        "high": 3.5,
    }
    few = {**known, "treated": 90, "control": 10, "low": None, "high": None}
    rows = [
        {**common, "band": "all", **known, "is_shown": True, "needed": 800, "sentence": "spend 12 against 10"},
        {
            **common,
            "band": "decile 01",
            **few,
            "is_shown": False,
            "needed": 43_210,
            "sentence": "too few customers to tell",
        },
    ]
    database.ensure(monitoring.LIFT)
    database.replace_slice(monitoring.LIFT, {"session_id": "earlier", "workflow": spec().name}, rows)
    _, text = report(database, this)
    section = text[text.index('<section id="lift">') :]
    section = section[: section.index("</section>")]
    assert "spend 12 against 10" in section
    assert [word in section for word in ("shown", "too few to tell", "43,210", "decile 01")] == [True] * 4


def test_pictures_say_in_words_what_they_show_and_ids_are_unique(database):
    page, text = report(database, write_history(database))
    assert len(page.ids) == len(set(page.ids))
    pictures = [name for name in page.ids if f"{name}-title" in page.ids]
    measures = ["measure0", "measure1", "measure2", "measure3", "calibration", "gain", "importances"]
    assert pictures == [*measures, "heat-map", "spike-history", "distribution0"]
    for name in pictures:
        assert f'id="{name}" aria-labelledby="{name}-title {name}-desc"' in text
        assert re.search(rf'<desc id="{name}-desc">[^<]{{10,}}</desc>', text)


def test_the_page_has_no_script_and_loads_nothing(database):
    page, text = report(database, write_history(database))
    assert not page.tags.keys() & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert [value for name, value in page.attributes if name == "href"] == ["../index.html"]
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[^\"' <]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "url(" not in text
    assert "@import" not in text


def test_equal_tables_give_equal_bytes(database):
    this = write_history(database)
    assert report(database, this)[1] == report(database, this)[1]


def test_the_first_session_says_of_every_section_that_there_is_nothing_yet(database):
    page, text = report(database, "only")
    assert text.count('class="empty"') == 8
    assert "This session was not judged" in page.sections["decision"]
    assert "No model was measured yet" in page.sections["metrics"]
    assert "Nothing to compare with yet" in page.sections["drift"]
    assert "Nothing to compare with yet" in page.sections["spikes"]
    assert "was not checked" in page.sections["quality"]
    assert "nothing to be compared with" in page.sections["gate"]
    assert "None so far" in page.sections["episodes"]


def test_a_first_session_with_figures_has_them_in_a_table(database):
    page, _ = report(database, write_history(database, sessions=1, decision="nothing"))
    assert "heat-map" in page.ids
    assert "measure0" not in page.ids
    assert "error per customer" in page.sections["metrics"]
    assert "better" in page.sections["metrics"]
    assert f"No session is {HORIZON_DAYS} days old yet" in page.sections["metrics"]


def test_only_the_last_sessions_and_the_farthest_columns_are_side_by_side(database):
    this = write_history(database)
    facts = read_facts(database, spec(), this, LAST, ())
    assert len(facts.sessions) == 24
    assert [session.as_of for session in facts.sessions] == [
        LAST - timedelta(days=7 * age) for age in range(23, -1, -1)
    ]
    assert facts.session.session_id == this
    shown = {fact.column_name for fact in facts.drift}
    assert 25 <= len(shown) <= 30 < len(COLUMNS)
    assert {"avg_order_value", "last_order_value", "spend_30d", "predicted_target"} <= shown
    own = [fact for fact in facts.drift if fact.session_id == this]
    first = sorted(own, key=lambda fact: fact.far)[:5]
    assert sorted(fact.status for fact in first[:4]) == ["far"] * 4
    assert len({metric.as_of for metric in facts.metrics}) == 60


def test_realised_measures_stand_at_the_day_of_the_session_that_predicted(database):
    facts = read_facts(database, spec(), write_history(database), LAST, ())
    realised = [
        metric.as_of for metric in facts.metrics if metric.evaluation_table == "realised" and metric.metric == "mae"
    ]
    assert max(realised) <= LAST - timedelta(days=HORIZON_DAYS)
    assert realised == sorted(realised)


def test_a_measure_is_better_only_where_its_paired_interval_says_so(database):
    this = write_history(database, sessions=2)
    facts = read_facts(database, spec(), this, LAST, ())
    (mae,) = [row for row in measure_rows(facts) if row.verdict == "better" and "error" in row.words]
    key = {"session_id": this, "workflow": "cltv", "evaluation_table": "test"}
    ends = [{**key, "metric": name, "value": value} for name, value in (("mae_gain_low", -1.0), ("mae_gain_high", 9.0))]
    database.insert(monitoring.MODEL_METRICS, ends)
    again = measure_rows(read_facts(database, spec(), this, LAST, ()))
    assert [row.verdict for row in again if row.words == mae.words] == ["equal"]


def test_features_of_no_weight_are_not_listed(database):
    this = write_history(database, sessions=2)
    key = {"session_id": this, "workflow": "cltv"}
    weights = {"recency_days": 0.7, "tenure_days": 0.3, "category__books": 0.0001, "days_overdue": 0.0}
    rows = [
        {**key, "stage": "expected", "feature": one, "weight": 0.0, "shap": value} for one, value in weights.items()
    ]
    database.replace_slice(monitoring.FEATURE_IMPORTANCES, key, rows)
    shown = [one.feature for one in read_facts(database, spec(), this, LAST, ()).model.importances]
    assert shown == ["recency_days", "tenure_days"]


def test_a_report_on_an_earlier_session_knows_nothing_later(database):
    write_history(database)
    number, earlier = 40, LAST - timedelta(days=7 * 19)
    facts = read_facts(database, spec(), session_id(number), earlier, ())
    assert facts.session.as_of == earlier
    assert not facts.is_latest
    assert max(session.as_of for session in facts.sessions) == earlier
    realised = [metric.as_of for metric in facts.metrics if metric.evaluation_table == "realised"]
    assert max(realised) <= earlier - timedelta(days=HORIZON_DAYS)
    assert all(episode["opened_as_of"] <= earlier for episode in facts.episodes)


def test_of_several_sessions_of_a_day_the_given_one_stands_for_it(database):
    this = write_history(database, sessions=3)
    row = {"as_of": LAST, "run_id": "r", "engine": "python", "model_version": "m", "status": "scored"}
    for name, status in (("a-later-one", "scored"), ("a-killed-one", "abandoned")):
        key = {"session_id": name, "workflow": "cltv"}
        database.replace_slice(monitoring.SESSIONS, key, [{**key, **row, "status": status}])
    assert [one.session_id for one in read_facts(database, spec(), this, LAST).sessions][-1] == this
    assert len(read_facts(database, spec(), this, LAST).sessions) == 3
    assert [one.session_id for one in read_facts(database, spec(), "a-later-one", LAST).sessions][-1] == "a-later-one"


@pytest.mark.parametrize("decision", [*DECISIONS, "something_new"])
def test_every_decision_has_a_headline_and_a_next_step(database, decision):
    page, text = report(database, write_history(database, sessions=2, decision=decision))
    headline = DECISIONS[decision].headline if decision in DECISIONS else "something new"
    assert headline in page.sections["decision"]
    assert "What to do:" in page.sections["decision"]
    assert ("nothing is published from this data" in text) == (decision == "data_quality")


def test_text_of_the_tables_cannot_break_out_of_the_page(database):
    this = write_history(database, sessions=4, sentence=HOSTILE)
    key = {"session_id": this, "workflow": "cltv"}
    column = {"kind": "prediction", "column_name": HOSTILE, "psi": 0.5, "psi_previous": 0.2, "status": HOSTILE, "n": 9}
    database.replace_slice(monitoring.DRIFT, key, [{**key, **column}])
    database.replace_slice(monitoring.LABEL_STATS, key, [{**key, "prediction_category": HOSTILE, "count": 3}])
    check = {"check_name": HOSTILE, "source": HOSTILE, "status": HOSTILE, "sentence": HOSTILE}
    database.replace_slice(monitoring.DATA_QUALITY, {**key, "workflow": "all"}, [{**key, "workflow": "all", **check}])
    gate = {"metric": HOSTILE, "slice": HOSTILE, "reason": HOSTILE, "candidate": HOSTILE, "decision": HOSTILE}
    database.replace_slice(monitoring.GATE, key, [{**key, **gate}])
    session = {"as_of": LAST, "model_version": HOSTILE, "engine": HOSTILE, "note": HOSTILE, "status": "scored"}
    database.replace_slice(monitoring.SESSIONS, key, [{**key, **session}])
    counts = {"as_of": LAST, "kind": "prediction", "column_name": HOSTILE, "counts": "[3, 4, 0]"}
    database.replace_slice(monitoring.DRIFT_BINS, key, [{**key, **counts}])
    levels = ColumnReference(HOSTILE, False, 9, 9, None, None, None, None, (), (HOSTILE,), (5, 4, 0), None)
    facts = read_facts(database, spec(label=HOSTILE), this, LAST, (levels,))
    page = Page(render_report(facts))
    assert not page.tags.keys() & {"script", "img"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for section in ("decision", "drift", "predictions", "quality", "gate"):
        assert "<script>alert(1)" in page.sections[section], section


def test_every_decision_cause_and_status_has_words():
    assert set(DECISIONS) == set(get_args(DecisionName))
    assert set(CAUSES) >= set(get_args(Cause))
    assert set(STATUSES) == set(get_args(Status))
    assert {name for name, words in STATUSES.items() if words.alarm} == {*BROKEN, *DRIFTED}
    assert {name for name, words in STATUSES.items() if words.sign == "square"} == set(BROKEN)
    assert max(len(words.words) for words in STATUSES.values()) <= 24, "there is room for no more next to the heat map"


def test_a_session_whose_columns_are_compared_with_nothing_shows_no_comparison(database):
    this = write_history(database, sessions=2, decision="nothing")
    first = {"session_id": this, "workflow": "cltv", "kind": "feature", "status": "first", "severity": 0.0}
    columns = [{**first, "column_name": name, "avg_val": 3.0} for name in ("total_spend", "total_orders")]
    database.replace_slice(monitoring.DRIFT, {"session_id": this, "workflow": "cltv"}, columns)
    facts = read_facts(database, spec(), this, LAST, ())
    assert facts.has_nothing_earlier
    assert "nothing to compare with yet" in render_report(facts)


@pytest.mark.parametrize(("is_on", "words"), [(True, "starts by itself while the Dagster daemon"), (False, "make run")])
def test_a_retraining_starts_by_itself_only_where_the_sensor_is_on(database, is_on, words):
    this = write_history(database, sessions=2, decision="retrain")
    facts = read_facts(database, spec(), this, LAST, (), retrains_itself=is_on)
    assert words in render_report(facts)
    assert words not in decision_words("retrain", retrains_itself=not is_on).next_step


def test_bins_of_another_reference_are_shown_without_a_comparison(database):
    this = write_history(database, sessions=2)
    other = ColumnReference("predicted_target", True, 10, 10, 1.0, 1.0, 0.0, 2.0, (1.0,), (), (5, 5, 0), None)
    text = render_report(read_facts(database, spec(), this, LAST, (other,)))
    predictions = text[text.index('id="predictions"') :]
    assert "bin 1" in predictions
    assert 'class="bar before"' not in predictions


def test_columns_without_a_value_or_with_a_huge_one_are_drawn(database):
    this = write_history(database, sessions=3)
    key = {"session_id": this, "workflow": "cltv"}
    rows = [
        {"kind": "feature", "column_name": "huge", "psi": 4e7, "psi_previous": 9e6, "status": "spike"},
        {"kind": "feature", "column_name": "gone", "status": "all_null"},
        {"kind": "feature", "column_name": "few", "status": "too_few"},
        {"kind": "feature", "column_name": "unnamed"},
    ]
    database.replace_slice(monitoring.DRIFT, key, [{**key, **row} for row in rows])
    page, _ = report(database, this)
    assert "lost all values" in page.sections["drift"]
    assert "9999" in page.sections["drift"]


@pytest.mark.parametrize("task", ["classification", "clustering", "recommendation"])
def test_every_task_has_a_report(database, task):
    content = {"name": "cltv", "task": task, **({"target": {"kind": "purchase"}} if task == "classification" else {})}
    page, _ = report(database, write_history(database, sessions=3), spec=WorkflowSpec.model_validate(content))
    assert page.sections["drift"]


def test_first_products_are_named_and_compared_with_the_day_the_model_went_live(database):
    this = write_history(database, sessions=2)
    key = {"session_id": this, "workflow": "cltv"}
    shown = {"as_of": LAST, "kind": "prediction", "column_name": "first_choice", "counts": "[30, 10, 5, 0]"}
    database.replace_slice(monitoring.DRIFT_BINS, key, [{**key, **shown}])
    database.replace_slice(monitoring.LABEL_STATS, key, [{**key, "prediction_category": "repeat", "count": 45}])
    levels = ColumnReference(
        "first_choice", False, 40, 40, None, None, None, None, (), ("P1", "P2"), (20, 20, 0, 0), None
    )
    files = {"reference_habits.json": Reference((levels,)).to_json().encode()}
    facts = read_facts(
        database, WorkflowSpec(name="cltv", task="recommendation"), this, LAST, prediction_references(files)
    )
    said = Page(render_report(facts)).sections["predictions"]
    assert "P166.7% (50.0%)" in said.replace("P1P1", "P1")
    named = replace(facts, model=replace(facts.model, level_names={"P1": "Tea (P1)"}))
    assert "Tea (P1)" in Page(render_report(named)).sections["predictions"]
    assert "First product shown, 45 customers" in said
    assert "bought by the customer before" in said
    assert "bin 1" not in said


def test_groups_are_shown_by_number_with_their_profile_and_not_as_an_axis(database):
    this = write_history(database, sessions=2)
    key = {"session_id": this, "workflow": "cltv"}
    bins = {"as_of": LAST, "kind": "prediction", "column_name": "cluster", "counts": "[4, 0, 6, 10, 0]"}
    database.replace_slice(monitoring.DRIFT_BINS, key, [{**key, **bins}])
    edges = (1.0, 1.9999999999999998, 2.0)
    reference = ColumnReference("cluster", True, 20, 20, 2.2, 0.8, 1.0, 3.0, edges, (), (5, 0, 5, 10, 0), None)
    facts = read_facts(database, WorkflowSpec(name="cltv", task="clustering"), this, LAST, (reference,))
    group = {"label": "1", "customers": 4, "share": 0.2, "spend_share": 0.7, "means": {"total_spend": 1620.4}}
    facts = replace(facts, model=replace(facts.model, groups=(group,)))
    page = Page(render_report(facts))
    for words in ("group 1", "group 2", "group 3 or higher"):
        assert words in page.sections["predictions"], words
    assert "1 to 2" not in page.sections["predictions"]
    assert "mean total spend" in page.sections["model"]
    assert "1,620" in page.sections["model"]


def test_the_same_day_again_is_not_called_the_first_session(database):
    this = write_history(database, sessions=1, decision="nothing")
    facts = replace(read_facts(database, spec(), this, LAST, (REFERENCE,)), trained_here=False)
    same = tuple(replace(fact, psi=0.0, psi_previous=0.0) for fact in facts.drift)
    facts = replace(facts, drift=same, statuses=(("ok", facts.watched),))
    page = Page(render_report(facts))
    assert "The same day as in the first session" in page.sections["decision"]
    assert "saw the day again that the first session saw" in page.sections["drift"]
    assert "this is the first session" not in page.sections["drift"]
    assert "on the day of the first session" in render_report(facts)


def test_a_first_session_says_that_there_is_nothing_to_compare_with(database):
    this = write_history(database, sessions=1, decision="nothing")
    facts = read_facts(database, spec(), this, LAST, (REFERENCE,), this)
    page = Page(render_report(facts))
    assert "The first session: nothing to compare with yet" in page.sections["decision"]
    assert "No drift" not in page.sections["decision"]
    assert "Nothing to compare with yet" in page.sections["drift"]
    assert "heat-map" not in page.ids
    assert "50% of the customers have up to" in page.sections["predictions"]
    later = read_facts(
        database, spec(), write_history(database, sessions=2, decision="nothing"), LAST, (REFERENCE,), this
    )
    assert "Nothing to compare with yet" not in Page(render_report(later)).sections["drift"]


def test_a_first_model_is_said_to_have_nothing_to_be_compared_with(database):
    this = write_history(database, sessions=1)
    key = {"session_id": this, "workflow": "cltv"}
    row = {"candidate": "v1", "metric": "fit_to_score", "slice": "all", "passed": True, "decision": "promote"}
    database.replace_slice(monitoring.GATE, key, [{**key, **row, "reason": "promoted: normalised Gini 0.797"}])
    page, text = report(database, this)
    assert "Promoted: normalised Gini 0.797" in page.sections["gate"]
    assert "It is the first model of this workflow" in page.sections["gate"]
    assert "fit_to_score" not in text[text.index('id="gate"') :]


def test_a_candidate_that_an_earlier_session_made_is_said_to_be_the_model_in_use(database):
    this = write_history(database, sessions=2)
    (made,) = {one.model_version for one in read_facts(database, spec(), this, LAST, ()).sessions}
    key = {"session_id": this, "workflow": "cltv"}
    row = {"candidate": made, "metric": "fit_to_score", "slice": "all", "passed": True, "decision": "promote"}
    database.replace_slice(monitoring.GATE, key, [{**key, **row, "reason": "promoted: normalised Gini 0.797"}])
    page, _ = report(database, this)
    assert "It is the model in use already: an earlier session made it from the same rows." in page.sections["gate"]


def test_the_test_of_the_model_and_its_features_are_drawn_in_words(database):
    page, _ = report(database, write_history(database))
    assert "total spend, last 90 days77.5%" in page.sections["model"].replace("total spend, last 90 daystotal", "total")
    assert "most ordered category22.5%" in page.sections["model"].replace("most ordered categorymost", "most")
    assert "the best 10% hold 56%" in page.sections["model"]
    assert "predicted 157.04" in page.sections["model"]


def test_quiet_checks_are_folded_and_counted_as_in_the_terminal(database):
    page, text = report(database, write_history(database))
    assert page.tags["details"] == 1
    assert "7 had enough data to judge, 1 had too little" in page.sections["quality"]
    assert "of 7 judged, 1 had too little data" in text
    broken, _ = report(database, write_history(database, decision="data_quality"))
    assert "1 of 8 checks alarm" in broken.sections["quality"]
    assert "The 7 checks without a finding" in broken.sections["quality"]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, WCAG 2.1 (1 to 21)."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_have_enough_contrast(database):
    style = report(database, "only")[1].partition("<style>")[2].partition("</style>")[0]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", style))
    for name in ("ink", "soft", "blue", "orange", "red", "green"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    cells = dict(re.findall(r"rect\.(heat\d) \{ fill: (#[0-9a-f]+)", style))
    assert len(cells) == 6
    for name, cell in cells.items():
        own = re.search(rf"\.value\.{name}[^{{}}]*\{{ fill: (#[0-9a-f]+)", style)
        assert contrast(own[1] if own else colours["ink"], cell) >= 4.5, name
    for name in ("context", "naive"):
        line = re.search(rf"\.{name} \{{ stroke: (#[0-9a-f]+)", style)
        assert line
        assert contrast(line[1], colours["paper"]) >= 2.9, name


def test_names_break_at_their_joints_and_numbers_do_not():
    assert svg.breakable("raw.email_events is 39.7% <") == "raw.<wbr>email_<wbr>events is 39.7% &lt;"


def test_the_name_of_a_report_is_of_its_day_and_session():
    assert report_name(date(2026, 6, 30), "7578b117-cd20-4f2a") == "session-2026-06-30-7578b117.html"


def test_references_are_read_from_the_files_of_a_champion():
    files = {"reference_predictions.json": Reference((REFERENCE,)).to_json().encode(), "model.json": b"{}"}
    assert prediction_references(files) == (REFERENCE,)
    assert prediction_references({}) == ()


def test_an_element_escapes_plain_text_and_keeps_markup():
    inner = svg.element("b", "a < b")
    assert svg.element("i", inner, "<x>", title='"&') == '<i title="&quot;&amp;"><b>a &lt; b</b>&lt;x&gt;</i>'
    assert svg.escaped("a\x00b\u202ec") == "a\ufffdb\ufffdc"


def test_a_coordinate_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="leave the point out"):
        svg.element("rect", x=float("nan"))


def test_ticks_are_round_and_within_the_scale():
    assert svg.ticks(0.803, 0.851, 4) == [0.82, 0.84]
    assert svg.tick_words([27.5, 30.0]) == ["27.5", "30.0"]
    assert svg.tick_words([0.0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
    assert svg.tick_words([1000.0, 2000.0]) == ["1,000", "2,000"]
    assert svg.ticks(3, 3) == [3]
    labels = svg.date_ticks(date(2025, 1, 15), date(2026, 6, 30), 5)
    assert [words for _, words in labels] == ["Jul 2025", "Jan 2026"]
    assert len(svg.date_ticks(date(2026, 6, 1), date(2026, 6, 30), 5)) == 5


def test_labels_are_spread_apart_within_their_bounds():
    places = svg.spread([50, 50, 51, 10], 15, 0, 70)
    assert sorted(places) == pytest.approx([10, 40, 55, 70])
    assert places[3] == 10


def test_distances_are_written_in_four_characters():
    assert [short(value) for value in (0.004, 0.31, 0.999, 2.55, 14.2, 123456)] == [
        ".00",
        ".31",
        "1.0",
        "2.5",
        "14",
        "9999",
    ]


def test_what_cannot_be_drawn_is_refused_by_name():
    with pytest.raises(ValueError, match="'star' is not a mark"):
        svg.mark("star", 0, 0, 1, "x")
    panel = Panel("empty", "Nothing", (Line("test", "test", None, ()),), LAST, None, (), str)
    with pytest.raises(ValueError, match="empty: no line has a point"):
        metric_panel(panel)
