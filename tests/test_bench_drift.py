"""The study's worlds count as the product's SQL does, and its figures come out of the product's own decisions."""

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import drift_worlds as worlds
from tdml_assets.declaration.monitor import Monitor
from tdml_assets.models.reference import Reference, build_reference, measure
from tdml_assets.platform.contracts import Column, TableContract
from tdml_assets.platform.warehouse import Database, Warehouse

NUMBERS = tuple(f"x{number}" for number in range(worlds.NUMBERS - 1))
TABLE = TableContract(
    "worlds",
    "customers",
    "Drawn customers.",
    (
        *(Column(name, "DOUBLE", "") for name in (*NUMBERS, "count", worlds.PREDICTION)),
        Column("category", "VARCHAR", ""),
    ),
)


def stored(database: Database, frame: worlds.Frame) -> None:
    columns = {name: pa.array(values) for name, values in frame.items()}
    numbers = {name: pa.array(frame[name], from_pandas=True) for name in columns if name != "category"}
    database.replace(TABLE, pa.table({**columns, **numbers}))


def rounded(reference: Reference) -> list[tuple[object, ...]]:
    return [
        (
            one.name,
            one.rows,
            one.n,
            one.edges,
            one.levels,
            one.counts,
            one.shape and (one.shape.filled, one.shape.outside),
        )
        for one in reference.columns
    ]


@pytest.mark.parametrize("world", ["normal", "lognormal"])
def test_numpy_describes_and_measures_a_world_as_the_warehouse_does(
    world: str, tmp_path: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(3)
    first, second = worlds.draw(world, rng, 1500), worlds.draw(world, rng, 900)
    warehouse = Warehouse(database=f"{tmp_path}/w.duckdb", temp_directory=f"{tmp_path}/spill")
    with warehouse.write() as database:
        stored(database, first)
        there = build_reference(database, TABLE.path, {}, list(first))
        here = worlds.reference_of(first)
        assert rounded(here) == rounded(there)
        stored(database, second)
        for mine, theirs in zip(worlds.measure_of(second, here), measure(database, TABLE.path, {}, there), strict=True):
            assert (mine.name, mine.rows, mine.n, mine.counts) == (theirs.name, theirs.rows, theirs.n, theirs.counts)
            if mine.shape and theirs.shape:
                assert mine.shape.log_mean == pytest.approx(theirs.shape.log_mean, rel=1e-9)
                assert mine.shape.log_spread == pytest.approx(theirs.shape.log_spread, rel=1e-9)


def test_calm_sessions_stay_calm_and_a_change_is_seen_and_confirmed() -> None:
    rng = np.random.default_rng(5)
    play = worlds.Play(worlds.draw("lognormal", rng, 5000), Monitor())
    stable = [play.session(worlds.draw("lognormal", rng, 5000)) for _ in range(7)]
    assert not any(worlds.is_alarm(reports) for _, reports in stable)
    change = worlds.shifted("x3", 0.5, "lognormal")
    decisions = [play.session(change(worlds.draw("lognormal", rng, 5000)))[0].decision for _ in range(2)]
    assert decisions == ["confirm", "retrain"]


def test_a_unit_change_and_an_empty_column_are_broken_data_and_no_retraining() -> None:
    rng = np.random.default_rng(6)
    for change in (worlds.dearer(["x3", "x4"], 100.0), worlds.emptied("x3")):
        play = worlds.Play(worlds.draw("lognormal", rng, 1000), Monitor())
        assert [play.session(change(worlds.draw("lognormal", rng, 1000)))[0].decision for _ in range(3)] == [
            "data_quality"
        ] * 3
