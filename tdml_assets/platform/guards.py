"""What a stage asks before it starts."""

from tdml_assets.core.drift_history import read_quality_alarms
from tdml_assets.core.monitoring import DATA_QUALITY
from tdml_assets.resources.warehouse import Database


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
