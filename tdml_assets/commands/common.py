"""What every command shares: settings, expected errors in one line, exit codes, tables and JSON."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from tdml_assets.platform.extras import MissingExtraError
from tdml_assets.settings import Settings, SettingsError, load_settings

#: Exit codes, documented in the README: 1 something failed and nothing changed, 2 wrong settings or command line, 3 done and a
#: person is needed.
FAILED, USAGE, PERSON_NEEDED = 1, 2, 3

Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Start anew: the state folder is moved to <folder>.old-<time>, nothing is deleted."),
]
SameCustomers = Annotated[
    bool,
    typer.Option(
        "--same-customers",
        help="The orders are of the same customers as before in another form: keep models and history.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def read_settings() -> Settings:
    """The settings; wrong ones end the command with exit code 2."""
    try:
        return load_settings()
    except SettingsError as error:
        fail(str(error), USAGE)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong and end the command."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


@contextmanager
def expected_errors() -> Iterator[None]:
    """Print what may go wrong in a command in its own words, without a traceback.

    Settings, sources, an unknown name and a state folder of other data are exit code 2; a busy or missing state is 1.
    """
    from tdml_assets.stages.raw.rules import SourceError
    from tdml_assets.stages.raw.state_identity import StateConflictError

    try:
        yield
    except (SettingsError, SourceError, StateConflictError, UnknownNameError) as error:
        fail(str(error), USAGE)
    except (EmptyStateError, MissingExtraError) as error:
        fail(str(error), FAILED)
    except RuntimeError as error:
        if not _is_expected(error):
            raise
        fail(str(error), FAILED)
    except OSError as error:
        fail(_place_words(error), FAILED)


def _is_expected(error: RuntimeError) -> bool:
    # Imported when something went wrong: the drivers take a second, which a command that works need not wait for.
    from tdml_assets.models.blobs import BlobConflictError, BlobStoreError
    from tdml_assets.platform.run_lock import StateBusyError
    from tdml_assets.platform.warehouse_errors import WarehouseError

    return isinstance(error, StateBusyError | WarehouseError | BlobConflictError | BlobStoreError)


def _place_words(error: OSError) -> str:
    """A full disk or missing permissions, with the remedy; else the system's words, which name the path."""
    place = error.filename or "the state folder"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no space is left for {place}: free some, then run again; results of earlier runs are as they were"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{place} may not be read or written: correct its permissions, or set another TDML_HOME"
    return str(error)


class EmptyStateError(LookupError):
    """There is no state yet, or not the part a command needs."""


class UnknownNameError(ValueError):
    """The command line names a customer, a workflow or a reason that is not there."""


def print_json(value: Any) -> None:
    """Print a value as JSON; days and decimals as text."""
    typer.echo(json.dumps(value, indent=1, default=str))


def table_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as aligned columns under their names; numbers to the right."""
    if not rows:
        return []
    names = list(rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[place]) for line in [names, *cells]) for place in range(len(names))]
    right = [all(isinstance(row.get(name), (int, float)) or row.get(name) is None for row in rows) for name in names]

    def line(texts: Sequence[str]) -> str:
        padded = [t.rjust(w) if r else t.ljust(w) for t, w, r in zip(texts, widths, right, strict=True)]
        return ("  " + "  ".join(padded)).rstrip()

    return [line(names), *map(line, cells)]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
