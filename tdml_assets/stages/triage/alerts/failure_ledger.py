"""Who was told of which failure, in ``failures.json`` of the state folder.

Belongs here: reading and replacing the file. Not in the warehouse: a full or locked one is among the failures.
Does not: deciding whom to tell (``failures.py``).
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import NamedTemporaryFile

from tdml_assets.stages.triage.alerts.failures import Ledger

LEDGER_FILE = "failures.json"


def read_ledger(home: Path) -> dict[str, list[str]]:
    """Channels told per cause; empty where nobody was told, or the file cannot be read: told twice is better than never."""
    try:
        content = json.loads((home / LEDGER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: [str(name) for name in told] for key, told in content.items() if isinstance(told, list)}


def write_ledger(home: Path, ledger: Ledger) -> None:
    """Replace the file in one step.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    text = json.dumps({key: sorted(told) for key, told in ledger.items()}, indent=1, sort_keys=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=home, suffix=".tmp", delete=False) as file:
        file.write(text)
    Path(file.name).replace(home / LEDGER_FILE)
