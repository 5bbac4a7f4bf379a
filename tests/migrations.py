"""Dagster's migrations, read once a process.

Every opening of an instance reads them from files, the same each time, and takes longer for it than many a run of a test.
"""

from collections.abc import Callable

from alembic.config import Config
from alembic.script import ScriptDirectory

_migrations: dict[str | None, ScriptDirectory] = {}


def read_migrations_once(read: Callable[[Config], ScriptDirectory] = ScriptDirectory.from_config) -> None:
    """Keep what was read; a process forked from this one has it too."""

    def from_config(config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in _migrations:
            _migrations[place] = read(config)
        return _migrations[place]

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign, assignment]
