"""What is told, when, and that no secret is repeated."""
# ruff: noqa: DTZ001 (the warehouse stores naive UTC)

from datetime import date, datetime

import pytest
from pydantic import ValidationError

from tdml_assets.declaration.alerts import Alerts
from tdml_assets.settings import Settings, explain
from tdml_assets.stages.triage.alerts.messages import alert_of, pending

EPISODE = {
    "session_id": "s",
    "workflow": "cltv",
    "episode_id": "cltv-2026-06-23-drift",
    "kind": "drift",
    "status": "open",
    "model_version": "2026-03-01-aa",
    "opened_as_of": date(2026, 6, 23),
    "last_as_of": date(2026, 6, 30),
    "closed_as_of": None,
    "alarms": 2,
    "stable_sessions": 0,
    "retrain": True,
    "cause": "features",
    "severity": 1.637,
    "sentence": "avg_order_value moved far (average 33.4 -> 41.8, PSI 0.41, limit 0.25).",
    "alerted_at": None,
}
SECRET = "https://hooks.example.org/services/T0/B0/s3cr3t"
MAIL = {"host": "mail.example.org", "sender": "models@example.org", "recipients": ["team@example.org"]}


def test_a_retraining_is_told_with_figures_decision_and_next_step():
    alert = alert_of(EPISODE, "Customer lifetime value", "/reports/latest.html")
    assert alert.subject == "Customer lifetime value: the data moved, retraining called for"
    assert alert.text.splitlines()[0] == EPISODE["sentence"]
    assert "Decided: Retraining called for." in alert.text
    assert "What to do:" in alert.text
    fields = dict(alert.fields)
    assert fields["report"] == "/reports/latest.html"
    assert fields["severity (1 is at the limit)"] == "1.64"
    assert fields["since"] == "2026-06-23"
    assert alert.key == "cltv-2026-06-23-drift"


def test_broken_data_is_told_as_such():
    broken = {**EPISODE, "kind": "data_quality", "cause": "data", "retrain": False, "sentence": None, "severity": None}
    alert = alert_of(broken, "Churn", None)
    assert alert.subject == "Churn: broken data, nothing published"
    assert "nothing is published" in alert.text
    assert "report" not in dict(alert.fields)


def test_a_line_break_cannot_start_another_header():
    alert = alert_of({**EPISODE, "episode_id": "a\r\nb"}, "Churn\r\nBcc: x@example.org\x00", "r\nx")
    assert "\n" not in alert.subject
    assert "\r" not in alert.subject
    assert all("\n" not in value for _, value in alert.fields)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"kind": "data_quality", "retrain": False}, True),
        ({"retrain": False}, False),
        ({"retrain": None}, False),
        ({"status": "closed"}, False),
        ({"status": "resolved"}, False),
        ({"alerted_at": datetime(2026, 6, 30, 7)}, False),
    ],
)
def test_an_episode_is_told_once_and_drift_only_when_a_retraining_is_called_for(changes, told):
    assert bool(pending([{**EPISODE, **changes}])) == told


def test_the_log_is_the_only_channel_unless_others_are_named():
    assert Alerts() == Alerts(log=True, webhook=None, email=None, slack=None)


def test_missing_variables_are_named_once():
    alerts = Alerts.model_validate(
        {"webhook": {"url_env": "HOOK"}, "email": {**MAIL, "username_env": "LOGIN", "password_env": "LOGIN"}}
    )
    assert alerts.missing_variables({}) == ("HOOK", "LOGIN")
    assert alerts.missing_variables({"HOOK": "x", "LOGIN": ""}) == ("LOGIN",)
    assert alerts.missing_variables({"HOOK": "x", "LOGIN": "y"}) == ()


@pytest.mark.parametrize(
    "content",
    [
        {"webhook": {"url_env": SECRET}},
        {"webhook": {"url": SECRET}},
        {"webhook": SECRET},
        {"webhook": [SECRET]},
        {"slack": {"channel": "#a", "token_env": f"xoxb-{SECRET}"}},
        {"slack": {"channel": "#a", "token": SECRET}},
        {"email": {**MAIL, "username_env": SECRET, "password_env": SECRET}},
        {"email": {**MAIL, "password_env": {"value": SECRET}}},
        {"email": SECRET},
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(content):
    with pytest.raises(ValidationError) as raised:
        Alerts.model_validate(content)
    said = explain(raised.value, Settings, "tdml.yaml")
    assert "s3cr3t" not in said
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"email": {**MAIL, "recipients": []}}, "at least 1"),
        ({"email": {**MAIL, "recipients": ["nobody"]}}, "not a mail address"),
        ({"email": {**MAIL, "sender": "a@b\nBcc: c@d"}}, "not a mail address"),
        ({"email": {**MAIL, "username_env": "A"}}, "belong together"),
        ({"email": {**MAIL, "username_env": "A", "password_env": "B", "starttls": False}}, "readable"),
        ({"slack": {"channel": "#a", "token_env": "T", "base_url": "http://slack.example.org/api/"}}, "pattern"),
        ({"webhook": {"url_env": "lower case"}}, "name of an environment variable"),
        ({"pager": {}}, "not permitted"),
    ],
)
def test_a_wrong_section_is_refused_with_the_reason(section, words):
    with pytest.raises(ValidationError, match=words):
        Alerts.model_validate(section)
