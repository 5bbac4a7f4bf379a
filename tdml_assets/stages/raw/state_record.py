"""``state.json``: the identity that a state folder recorded.

Belongs here: reading and writing the file. Does not: comparing data with it (``state_folder.py``), which needs drivers
that whoever only asks whether the declaration is the recorded one need not wait for.
"""

from pathlib import Path

from tdml_assets.platform.files import replacing
from tdml_assets.settings import Settings
from tdml_assets.stages.raw.state_identity import (
    Declared,
    StateConflictError,
    StateIdentity,
    declared_orders,
    parse_identity,
)

IDENTITY_FILE = "state.json"


def asked_of(settings: Settings) -> Declared:
    """Identity of the orders that the settings want."""
    return declared_orders(settings.sources.orders, str(settings.base_folder), settings.sample)


def read_record(home: Path) -> StateIdentity | None:
    """The recorded identity; None where none is. Raises ``StateConflictError`` if the file cannot be read."""
    path = home / IDENTITY_FILE
    if not path.is_file():
        return None
    try:
        return parse_identity(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise StateConflictError(
            f"{path} cannot be read ({error}): restore it, or start anew with tdml-assets run --fresh"
        ) from None


def write_record(home: Path, identity: StateIdentity) -> None:
    """Record an identity; a reader sees the old one or the new one."""
    home.mkdir(parents=True, exist_ok=True)
    with replacing(home / IDENTITY_FILE) as file:
        file.write((identity.model_dump_json(indent=1) + "\n").encode())


def is_as_recorded(settings: Settings) -> bool:
    """Whether the declaration is the recorded one, so that only the data could differ, which their load compares."""
    recorded = read_record(settings.home)
    return recorded is not None and recorded.declared == asked_of(settings)
