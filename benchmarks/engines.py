"""``make bench-engines``: one pass of Hivemall's learners over rows in a Parquet file, beside scikit-learn, and scoring in SQL.

Belongs here: the rows, the passes, and the table it prints. Does not: the learners, the statements that score.

    python -m benchmarks.engines --rows 10000000
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.linear_model import SGDClassifier

from tdml_assets.engines.hivemall.stream import train_batches
from tdml_assets.engines.linear_model import BIAS, LinearModel
from tdml_assets.engines.protocol import Recipe
from tdml_assets.platform.statements import Statement
from tdml_assets.stages.predictions.in_sql import scoring_statement, weights_contract
from tdml_assets.stages.preparation.parameters import NumericColumn, Parameters

FEATURES = [f"x{place}" for place in range(12)]
_BATCH_ROWS = 250_000


def write_rows(path: Path, rows: int) -> None:
    """Twelve features between -1 and 1 and a constant, and a label that follows from four of them with noise."""
    values = ", ".join(
        f"(hash(i * 16 + {place}) % 2000001 / 1000000.0 - 1)::float AS {name}" for place, name in enumerate(FEATURES)
    )
    con = duckdb.connect()
    con.execute(
        f"COPY (SELECT *, 1.0::float AS bias, (x0 + x1 - x2 + x3 * x11 > 0)::integer AS label "
        f"FROM (SELECT {values} FROM range({int(rows)}) AS t(i))) TO '{path}' (FORMAT parquet)"
    )


def batches(path: Path) -> Iterable[pa.RecordBatch]:
    """The rows of the file, some at a time."""
    return pq.ParquetFile(path).iter_batches(_BATCH_ROWS)


def _read(path: Path) -> None:
    for _ in batches(path):
        pass


def _sklearn(path: Path) -> None:
    model = SGDClassifier(loss="log_loss")
    for batch in batches(path):
        columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in [*FEATURES, "bias"]]
        model.partial_fit(np.column_stack(columns), batch.column("label").to_numpy(), classes=np.array([0, 1]))


def _hivemall(function: str, options: str = "") -> Callable[[Path], None]:
    def train(path: Path) -> None:
        train_batches(function, lambda: batches(path), [*FEATURES, "bias"], "label", options)

    return train


def _scoring(*, wide: bool) -> Callable[[Path], None]:
    """Preparation and scores of a logistic model, one column a feature or exploded and joined; their sum is read."""
    numbers = np.random.default_rng(1).normal(size=len(FEATURES) + 1)
    weights = pa.table({"feature": [*FEATURES, BIAS], "weight": pa.array(numbers, pa.float32())})
    model = LinearModel(tuple(FEATURES), Recipe({}, {}), "", "", weights, (0.0,) * len(FEATURES), None)
    prepared = {
        "table": ["rows"],
        "parameters": Parameters(
            tuple(NumericColumn(name, 0.0, -0.9, 0.9, 0.1, 0.6) for name in FEATURES), (), "clip", {}
        ),
        "keys": ["customer_id"],
        "carried": [],
        "snapshot_date": None,
        "drop_outliers": False,
        "ordered": False,
    }
    statement: Statement = scoring_statement(model, "wf", prepared, wide=wide)
    schema, name = weights_contract("wf").path

    def score(path: Path) -> None:
        with duckdb.connect() as con:
            con.execute(
                f"CREATE VIEW rows AS SELECT * RENAME (file_row_number AS customer_id) "
                f"FROM read_parquet('{path}', file_row_number = true)"
            )
            con.execute(f"CREATE SCHEMA {schema}")
            con.register("given", weights)
            con.execute(f"CREATE TABLE {schema}.{name} AS SELECT * FROM given")
            con.sql(statement.text, params=dict(statement.parameters)).aggregate("sum(predicted_target)").fetchall()

    return score


CASES: dict[str, Callable[[Path], None]] = {
    "read only": _read,
    "train_arow": _hivemall("train_arow"),
    "train_classifier, AdaGrad, log loss": _hivemall("train_classifier", "-loss logloss -reg no -iters 1"),
    "scikit-learn SGDClassifier, log loss": _sklearn,
    "scoring: preparation and one wide expression": _scoring(wide=True),
    "scoring: preparation, items joined with weights": _scoring(wide=False),
}


def main(arguments: list[str]) -> int:
    """Run every case once after a warm-up on few rows, and print seconds, rows per second and the peak memory so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args(arguments).rows
    with tempfile.TemporaryDirectory() as folder:
        path, few = Path(folder) / "rows.parquet", Path(folder) / "few.parquet"
        write_rows(path, rows)
        write_rows(few, 1000)
        sys.stdout.write("| one pass | seconds | CPU s | million rows/s | peak GB |\n|---|---|---|---|---|\n")
        for name, train in CASES.items():
            train(few)
            started, used = time.perf_counter(), time.process_time()
            train(path)
            seconds, spent = time.perf_counter() - started, time.process_time() - used
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            sys.stdout.write(f"| {name} | {seconds:.1f} | {spent:.1f} | {rows / seconds / 1e6:.2f} | {peak:.2f} |\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
