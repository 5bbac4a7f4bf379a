"""An Evidently report about drift, drawn in a process of its own.

Elsewhere: deciding whether there is drift (``detection.py``), taking the samples (``models/reference.py``).

Why a process: importing Evidently takes seconds and much of the memory of a run, and a report that hangs must not hold
up anything. Nothing depends on the report.
"""

from __future__ import annotations

import argparse
import html as html_text
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from tdml_assets.platform.extras import MissingExtraError, require_extra

if TYPE_CHECKING:
    import pandas as pd

MAX_COLUMNS = 200
_MIN_ROWS = 50
_MAX_LEVELS = 50
_MIN_LEVEL_ROWS = 20
_OTHER = "(other)"


@dataclass(frozen=True)
class ReportResult:
    """What became of a report.

    ``status``: ``drawn``, ``nothing_to_draw`` (too few rows or no column left), ``timed_out``, ``failed`` or ``not_installed``.
    ``html``: the report; None unless drawn. ``drawn``: columns in the report. ``dropped``: reason per column that is not in it.
    ``seconds``: how long it took. ``detail``: one sentence, without values of the data.
    """

    status: Literal["drawn", "nothing_to_draw", "timed_out", "failed", "not_installed"]
    html: Path | None
    drawn: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    detail: str = ""


def write_sample(sample: pa.Table, path: Path) -> Path:
    """Write a sample where :func:`draw_report` can read it."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(sample, path)
    return path


def draw_report(
    reference: Path,
    current: Path,
    columns: Sequence[str],
    html: Path,
    *,
    as_of: date,
    timeout_seconds: float = 120.0,
    psi_limit: float = 0.25,
    max_columns: int = MAX_COLUMNS,
) -> ReportResult:
    """Draw the report of two samples; never raises because it could not be drawn.

    ``reference``, ``current``: Parquet files, at most some thousand rows each. ``columns``: what to draw, the most important
    first: what is over ``max_columns`` is left out. No ids, no free text. ``html``: the report, some 4 MB, replaced in one
    step; what is there stays if there is no new report. ``as_of``: the day the report is about. ``timeout_seconds``: after
    which the process is ended. ``psi_limit``: population stability index from which the report calls a column drifted.
    Evidently bins anew for every pair of samples, so its figures differ from ``monitoring.drift``.
    """
    try:
        require_extra("evidently", "evidently", "A page of drift")
    except MissingExtraError as error:
        return ReportResult("not_installed", None, detail=str(error))
    html.parent.mkdir(parents=True, exist_ok=True)
    partial = html.with_name(f".{html.name}.partial")
    request = {
        "reference": str(reference),
        "current": str(current),
        "columns": list(columns),
        "html": str(partial),
        "as_of": as_of.isoformat(),
        "psi_limit": psi_limit,
        "max_columns": max_columns,
    }
    started = time.monotonic()
    try:
        result = _run(request, timeout_seconds)
        if result.status == "drawn":
            if not partial.is_file() or partial.stat().st_size == 0:
                result = ReportResult("failed", None, detail="the process ended well but wrote no report")
            else:
                partial.replace(html)
    finally:
        partial.unlink(missing_ok=True)
    return ReportResult(
        status=result.status,
        html=html if result.status == "drawn" else None,
        drawn=result.drawn,
        dropped=result.dropped,
        seconds=time.monotonic() - started,
        detail=result.detail,
    )


def _run(request: Mapping[str, Any], timeout_seconds: float) -> ReportResult:
    package = Path(__file__).resolve().parents[2]
    paths = [str(package.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "DO_NOT_TRACK": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-W", "ignore", "-m", "tdml_assets.stages.drift.evidently_report", json.dumps(request)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        return ReportResult("timed_out", None, detail=f"ended after {timeout_seconds:g} s: draw fewer rows or columns")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode != 0:
        # The name of the error only: its text may quote a customer's value.
        last = (errors.strip().splitlines() or [""])[-1].split(":")[0].strip()
        named = last.rpartition(".")[2] if last.replace(".", "").replace("_", "").isalnum() else "an error"
        return ReportResult("failed", None, detail=f"the process ended with code {process.returncode} ({named})")
    answer = json.loads(output.strip().splitlines()[-1])
    return ReportResult(
        "drawn" if answer["drawn"] else "nothing_to_draw",
        None,
        tuple(answer["drawn"]),
        answer["dropped"],
        detail=answer["detail"],
    )


def choose_columns(
    reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[str], max_columns: int
) -> tuple[list[str], list[str], dict[str, str]]:
    """Separate what Evidently can draw from what makes the whole report fail.

    Returns numeric columns, text columns, reason per column left out.
    """
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    numeric: list[str] = []
    texts: list[str] = []
    dropped: dict[str, str] = {}
    for column in columns:
        sides = [frame[column] for frame in (reference, current) if column in frame]
        numbers = [is_numeric_dtype(side) or is_bool_dtype(side) for side in sides]
        if len(sides) < 2:
            dropped[column] = "missing on one side"
        elif any(side.notna().sum() == 0 for side in sides):
            dropped[column] = "no value on one side"
        elif any(numbers) and not all(numbers):
            dropped[column] = "number on one side, text on the other"
        elif len(set().union(*(side.dropna().unique() for side in sides))) < 2:
            dropped[column] = "constant"
        elif not all(numbers) and any(side.nunique() > _MAX_LEVELS for side in sides):
            dropped[column] = f"more than {_MAX_LEVELS} levels: an id or free text"
        elif len(numeric) + len(texts) >= max_columns:
            dropped[column] = f"over the limit of {max_columns} columns"
        else:
            (numeric if all(numbers) else texts).append(column)
    return numeric, texts, dropped


def _read(path: str, columns: Sequence[str]) -> pd.DataFrame:
    import numpy as np
    import pyarrow.parquet as pq

    present = set(pq.read_schema(path).names)
    frame: pd.DataFrame = pq.read_table(path, columns=[column for column in columns if column in present]).to_pandas()
    for column in frame.columns[[dtype.kind in "biuf" for dtype in frame.dtypes]]:
        frame[column] = frame[column].astype("float64").replace([np.inf, -np.inf], np.nan)
    return frame


def _harmless(
    frame: pd.DataFrame, numeric: Sequence[str], texts: Sequence[str], names: Mapping[str, str]
) -> pd.DataFrame:
    # Evidently writes text into a script element as it is, so markup is escaped here.
    safe = frame[[*numeric, *texts]].copy()
    for column in texts:
        values = safe[column].map(lambda value: html_text.escape(str(value)), na_action="ignore")
        sizes = values.value_counts()
        # A level of a few rows may be one customer's.
        safe[column] = values.where(values.isna() | values.isin(sizes.index[sizes >= _MIN_LEVEL_ROWS]), _OTHER)
    renamed: pd.DataFrame = safe.rename(columns=dict(names))
    return renamed


def _give_title(path: Path, title: str) -> None:
    """Name the page, for the tab of a browser and for screen readers: Evidently leaves its title empty."""
    page = path.read_text(encoding="utf-8")
    named = f"<title>{html_text.escape(title)}</title>"
    # Drawings inside the page have titles of their own: only the titles in the head count.
    head, end, body = page.partition("</head>")
    head = re.sub(r"<title>.*?</title>", "", head, flags=re.DOTALL)
    page = f"{head.replace('<head>', f'<head>{named}', 1)}{end}{body}"
    path.write_text(page, encoding="utf-8")


def _draw(request: Mapping[str, Any]) -> dict[str, Any]:
    columns = list(dict.fromkeys(request["columns"]))
    reference, current = (_read(request[side], columns) for side in ("reference", "current"))
    if min(len(reference), len(current)) < _MIN_ROWS:
        return {"drawn": [], "dropped": {}, "detail": f"fewer than {_MIN_ROWS} rows on a side"}
    numeric, texts, dropped = choose_columns(reference, current, columns, request["max_columns"])
    if not numeric and not texts:
        return {"drawn": [], "dropped": dropped, "detail": "no column can be drawn"}

    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    names = {column: html_text.escape(column) for column in (*numeric, *texts)}
    definition = DataDefinition(
        numerical_columns=[names[column] for column in numeric], categorical_columns=[names[column] for column in texts]
    )
    old, new = (
        Dataset.from_pandas(_harmless(frame, numeric, texts, names), data_definition=definition)
        for frame in (reference, current)
    )
    # The method is fixed: left to choose, Evidently takes another one for a column of few values.
    limit = request["psi_limit"]
    preset = DataDriftPreset(
        columns=list(names.values()), num_method="psi", cat_method="psi", num_threshold=limit, cat_threshold=limit
    )
    report = Report([preset]).run(new, old, timestamp=datetime.fromisoformat(request["as_of"]))
    # As text: given a path, it writes nothing and says nothing.
    report.save_html(str(request["html"]))
    _give_title(Path(request["html"]), f"Drift of {len(names)} columns up to {request['as_of']}")
    return {
        "drawn": list(names),
        "dropped": dropped,
        "detail": f"{len(names)} columns, {len(old.as_dataframe()):,} rows against {len(new.as_dataframe()):,}",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw one report: the process that :func:`draw_report` starts."""
    parser = argparse.ArgumentParser(
        prog="python -m tdml_assets.stages.drift.evidently_report", description=main.__doc__
    )
    parser.add_argument("request", help="JSON object: reference, current, columns, html, as_of, psi_limit, max_columns")
    request = json.loads(parser.parse_args(arguments).request)
    sys.stdout.write(json.dumps(_draw(request)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
