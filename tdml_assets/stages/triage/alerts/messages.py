"""Alerts: when an episode is worth one, and in which words.

Elsewhere: the settings (``declaration/alerts.py``), sending (``channels.py``), episodes themselves
(``stages/triage/episodes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tdml_assets.stages.triage.words import CAUSES, decision_words, plain_words


@dataclass(frozen=True)
class Alert:
    """What every channel is given.

    ``key``: the episode: who receives an alert twice knows it by this. ``subject``: one line. ``text``: sentences for a person;
    no customer's value. ``fields``: label and value of the figures behind them.
    """

    key: str
    subject: str
    text: str
    fields: tuple[tuple[str, str], ...]


def pending(episodes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The episodes that need an alert now: open, not yet sent, and worth it.

    Broken data raises an alert at once, drift when it calls for a retraining: a column that exceeds its limit once is
    only reported. ``episodes``: rows of ``monitoring.drift_episodes``.
    """
    return [
        episode
        for episode in episodes
        if episode["status"] == "open"
        and episode["alerted_at"] is None
        and (episode["kind"] == "data_quality" or bool(episode["retrain"]))
    ]


def alert_of(episode: Mapping[str, Any], label: str, report: str | None, *, retrains_itself: bool = False) -> Alert:
    """Write the alert about one episode.

    ``episode``: a row of ``monitoring.drift_episodes``. ``label``: name of the workflow that people read. ``report``: path or
    address of the session report; None where there is none. ``retrains_itself``: whether the sensor that starts retrainings is
    on.
    """
    broken = episode["kind"] == "data_quality"
    words = decision_words("data_quality" if broken else "retrain", retrains_itself=retrains_itself)
    subject = _one_line(
        f"{label}: {'broken data, nothing published' if broken else 'the data moved, retraining called for'}"
    )
    cause = CAUSES.get(episode["cause"] or "none", plain_words(episode["cause"] or ""))
    fields = {
        "workflow": episode["workflow"],
        "episode": episode["episode_id"],
        "since": episode["opened_as_of"],
        "latest alarm": episode["last_as_of"],
        "sessions with an alarm": episode["alarms"],
        "cause": cause,
        "severity (1 is at the limit)": None if episode["severity"] is None else f"{episode['severity']:.2f}",
        "model": episode["model_version"],
        "report": report,
    }
    happened = _one_line(episode["sentence"] or f"An alarm since {episode['opened_as_of']}.")
    text = f"{happened}\nDecided: {words.headline}.\nWhat to do: {words.next_step}"
    return Alert(
        key=str(episode["episode_id"]),
        subject=subject,
        text=text,
        fields=tuple((name, _one_line(str(value))) for name, value in fields.items() if value is not None),
    )


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
