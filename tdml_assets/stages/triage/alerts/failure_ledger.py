"""Which failure was sent to which channel, in ``failures.json`` of the state folder.

Belongs here: reading and replacing the file. Not in the warehouse: a full or locked one is among the failures.
Does not: deciding who gets an alert (``failures.py``).
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import NamedTemporaryFile

from tdml_assets.stages.triage.alerts.failures import Ledger

LEDGER_FILE = "failures.json"


def read_ledger(home: Path) -> dict[str, list[str]]:
    """Channels per cause; empty if nothing was sent, or the file cannot be read: an alert sent twice is better than none."""
    try:
        content = json.loads((home / LEDGER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: [str(name) for name in sent] for key, sent in content.items() if isinstance(sent, list)}


def write_ledger(home: Path, ledger: Ledger) -> None:
    """Replace the file in one step.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    text = json.dumps({key: sorted(sent) for key, sent in ledger.items()}, indent=1, sort_keys=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=home, suffix=".tmp", delete=False) as file:
        file.write(text)
    Path(file.name).replace(home / LEDGER_FILE)
