"""Where the pages of sessions are, or will be: earlier stages name them in alerts.

Elsewhere: writing the files (``stages/session_report/pages.py``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tdml_assets.settings import Settings


def report_name(as_of: date, session_id: str) -> str:
    """File name of the report: the same session gives the same one."""
    return f"session-{as_of}-{session_id[:8]}.html"


LATEST = "latest.html"


def report_path(settings: Settings, workflow: str, as_of_day: date, session_id: str) -> Path:
    """Where the report of a session is, or will be: earlier stages may name it in an alert."""
    return settings.reports_folder / workflow / report_name(as_of_day, session_id)
