"""The words of an error, out of what Dagster or Python print of it: a step's event record, a console log, a traceback.

Elsewhere: reading the log (``commands/progress.py``), what is sent of an error (``stages/triage/alerts/failures.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ERROR_LINES = 12
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WRAPPED = re.compile(
    r"dagster\.[\w.]+Error: Error (?:occurred while [^\n]*:|executing resource_fn [^\n]*)\n*(?P<inner>.*)", re.DOTALL
)
_BLOCKED = re.compile(r"dagster\.[\w.]+CheckFailedError: [^\n]*\n(?P<checks>.*)", re.DOTALL)
_LEADERS = re.compile(r" \.{4,} ")
_CAUSE = "The above exception was caused by the following exception:"
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*(?P<name>[A-Z]\w*)(?P<rest>: .*|$)", re.DOTALL)


def error_text(body: str) -> str:
    """Find the words of the exception that an asset's code raised, without Dagster's wrapping and stack traces.

    Of a chain it is the one raised last (``raise Ours(...) from theirs``): it is the one that names the remedy. ``body``: what
    Dagster prints behind ``STEP_FAILURE``.
    """
    links = [link.split("Stack Trace:", 1)[0].strip() for link in COLOUR.sub("", body).split(_CAUSE)]
    for link in links:
        wrapped = _WRAPPED.search(link)
        text = wrapped["inner"].strip() if wrapped else link
        if not text:
            continue
        blocked = _BLOCKED.search(text)
        if blocked:
            return "stopped by a blocking check: " + ", ".join(blocked["checks"].split("\n"))
        _, found, dbt = text.partition("Errors parsed from dbt logs:")
        if found:
            return _shortened("dbt failed\n" + dbt)
        start = re.search(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:: |$)", text, re.MULTILINE)
        return _shortened(text[start.start() :] if start else text)
    return ""


def last_error(lines: Sequence[str]) -> str:
    """Find the words of the last exception in a plain Python traceback; the last lines if there is none."""
    plain = [COLOUR.sub("", line).rstrip() for line in lines]
    for index in range(len(plain) - 1, -1, -1):
        if _EXCEPTION.fullmatch(plain[index]) and ":" in plain[index]:
            return _shortened("\n".join(plain[index:]))
    return _shortened("\n".join([line for line in plain if line][-5:]))


def error_name(text: str) -> str:
    """Class of an error, or name of the blocking check, from what is printed of it; never a word of its message."""
    blocked = re.fullmatch(r"stopped by a blocking check: \S+: (?P<name>\w+)(?:, .*)?", text, re.DOTALL)
    found = blocked or re.match(r"(?P<name>[A-Za-z_]\w*(?:Error|Exception|Interrupt|Refused|Full|Exit))\b", text)
    return found["name"] if found else "dbt" if text.startswith("dbt failed") else "unknown error"


def _shortened(text: str) -> str:
    lines = [_LEADERS.sub(" ", line).rstrip() for line in text.strip().splitlines() if line.strip()]
    found = _EXCEPTION.fullmatch(lines[0]) if lines else None
    if found and found["rest"]:
        lines[0] = found["name"] + found["rest"]
    more = [f"... {len(lines) - _ERROR_LINES} further lines in the log"] if len(lines) > _ERROR_LINES else []
    return "\n".join(lines[:_ERROR_LINES] + more)
