"""Values as YAML writes them in a drafted settings file."""

from __future__ import annotations

import json
from typing import Any


def text(value: str) -> str:
    """A text as YAML writes it: JSON's quoting is YAML's too, and is used where a bare word would not do."""
    is_word = value.replace("_", "").replace("-", "").replace("/", "").replace(".", "").isalnum()
    is_other = not value or value[0].isdigit() or value[0] in ".-"
    if is_word and not is_other and value.lower() not in ("yes", "no", "on", "off", "true", "false", "null", "y", "n"):
        return value
    return json.dumps(value, ensure_ascii=False)


def key_line(name: str, value: Any, why: str) -> str:
    """A key with its value, and behind it what says so."""
    shown = text(value) if isinstance(value, str) else str(value).lower()
    return f"{name}: {shown}" + (f"    # {why}" if why else "")
