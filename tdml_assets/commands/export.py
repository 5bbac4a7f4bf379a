"""The command ``export``. Elsewhere: columns, decimals and formats (``stages/audience/attribute_files.py``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from tdml_assets.commands.common import (
    FAILED,
    EmptyStateError,
    UnknownNameError,
    expected_errors,
    fail,
    read_settings,
)
from tdml_assets.commands.output import STANDARD_OUTPUT, written

if TYPE_CHECKING:
    from tdml_assets.platform.warehouse import Warehouse
    from tdml_assets.settings import Settings
    from tdml_assets.stages.audience.permitted import Permission

_BATCH_ROWS = 100_000
_TABLE = ("audience", "parent_segment_attributes")


def export(
    file: Annotated[str, typer.Argument(help="File to write, replaced if it is there; - for standard output.")],
    form: Annotated[
        str | None,
        typer.Option("--format", help="csv, json (one object per line) or parquet; else by the file's ending."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Attributes to write, with commas between; all unless given.")
    ] = None,
    decimals: Annotated[
        int | None,
        typer.Option(
            min=0, max=15, help="Decimals of numbers; unless given 4 for shares and probabilities, 2 for others."
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Do not round.")] = False,
    spreadsheet: Annotated[
        bool,
        typer.Option(
            "--spreadsheet", help='CSV for a spreadsheet: ids such as 00123 are written as ="00123" and stay.'
        ),
    ] = False,
) -> None:
    """Write the published attributes, one row per customer, to a file.

    \b
    tdml-assets export customers.csv
    tdml-assets export top.json --columns churn_probability,cltv_predicted_spend
    tdml-assets export - --format csv --columns segment
    tdml-assets export customers.csv --spreadsheet     leading zeros of ids and accents survive

    Text in CSV is safe to open in a spreadsheet. Without --spreadsheet it is for programs, and a spreadsheet drops leading zeros.
    Where sources.consent or sources.suppression is declared, customers who may not be exported are left out and counted.
    """
    settings = read_settings()
    with expected_errors():
        from tdml_assets.platform.resources import build_warehouse
        from tdml_assets.platform.statements import render
        from tdml_assets.stages.audience.attribute_files import (
            AttributeFileError,
            choose_columns,
            decimals_of,
            format_of,
            rounded,
            write_batches,
        )
        from tdml_assets.stages.audience.attributes import RESERVED_NAMES
        from tdml_assets.stages.audience.permitted import ExportRefusedError

        try:
            chosen_form = format_of(file, form)
            if spreadsheet and chosen_form != "csv":
                raise UnknownNameError(
                    f"--spreadsheet writes CSV, and the file would be {chosen_form}: name a .csv file"
                )
            warehouse = build_warehouse(settings)
            permission = _permission(settings, warehouse)
            with warehouse.read() as database:
                types = database.columns(_TABLE)
                if not types:
                    raise EmptyStateError(f"nothing is published in {settings.home} yet: tdml-assets run")
                wanted = [name.strip() for name in (columns or "").split(",") if name.strip()]
                names = choose_columns(list(types), wanted)
                fractions = [] if raw else [name for name in names if types[name] in ("DOUBLE", "FLOAT")]
                largest = database.row(render("export/largest", table=_TABLE, columns=fractions))
                places = decimals_of({name: largest[name] for name in fractions}, decimals)
                if permission is None:
                    found = database.batches(render("export/attributes", table=_TABLE, columns=names), _BATCH_ROWS)
                    left_out = {}
                else:
                    permission.refuse_faults(database)
                    found = permission.batches(database, _TABLE, names, _BATCH_ROWS)
                    left_out = permission.left_out(database, table=_TABLE)
                with written(file) as target:
                    batches = (rounded(batch, places) for batch in found)
                    rows = write_batches(batches, target, chosen_form, for_spreadsheet=spreadsheet)
        except AttributeFileError as error:
            raise UnknownNameError(str(error)) from None
        except ExportRefusedError as error:
            fail(f"nothing is exported: {error}", FAILED)
    if file != STANDARD_OUTPUT:
        attributes = len([name for name in names if name not in RESERVED_NAMES])
        typer.echo(f"{file}: {rows:,} customers x {attributes} attributes ({chosen_form})")
    if left_out:
        words = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        typer.echo(f"left out: {words}", err=file == STANDARD_OUTPUT)


def _permission(settings: Settings, warehouse: Warehouse) -> Permission | None:
    """The lists that say who may be exported, as they are now; None where none is declared."""
    from tdml_assets.platform.run_lock import hold_state
    from tdml_assets.stages.audience.permitted import read_permission
    from tdml_assets.stages.raw.permission_lists import declared_lists

    if not declared_lists(settings.sources) or not settings.warehouse_path.exists():
        return None
    with hold_state(settings.home / "run.lock", f"export-{os.getpid()}", settings.session_wait_seconds):
        return read_permission(settings, warehouse)
