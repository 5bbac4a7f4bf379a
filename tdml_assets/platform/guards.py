"""What a stage asks before it starts: whether this session's raw data are broken."""

from tdml_assets.platform.monitoring import DATA_QUALITY
from tdml_assets.platform.statements import render
from tdml_assets.platform.statistics import Reader
from tdml_assets.platform.warehouse import Database


def read_quality_alarms(reader: Reader, session_id: str) -> list[str]:
    """What the checks of the raw data found wrong."""
    rows = reader.rows(render("data_quality/alarms", table=DATA_QUALITY.path, session_id=session_id))
    return [row["sentence"] for row in rows]


class BrokenDataError(RuntimeError):
    """The session's raw data are broken: nothing is learnt from them."""


def require_whole_data(database: Database, session_id: str) -> None:
    """Refuse to train on data that this session's checks called broken.

    An exception and not a blocking check: what looks at the data, and tells people of them, must still run.
    """
    if not database.has_table(DATA_QUALITY.path):
        return
    if alarms := read_quality_alarms(database, session_id):
        more = f" (and {len(alarms) - 1} more, see monitoring.data_quality)" if len(alarms) > 1 else ""
        raise BrokenDataError(f"nothing is trained on broken data: {alarms[0]}{more}")
