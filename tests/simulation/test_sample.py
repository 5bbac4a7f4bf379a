"""A sample on disk is whole, is what its manifest says, and is made once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tdml_assets.declaration.sources import Sources
from tdml_assets.simulation import BrokenFeed, Simulation, SimulationSettings, sample, simulate, simulate_blocks
from tdml_assets.simulation.feed import ABSURD_PRICE
from tdml_assets.simulation.sample import SampleManifest, main, write_sample
from tdml_assets.simulation.sample_sources import MAX_UNIT_PRICE, sources_of_sample

SETTINGS = SimulationSettings(customers=400, dirty_share=0.01)


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_the_files_hold_the_simulation_and_the_counted_dirt(tmp_path: Path) -> None:
    manifest = write_sample(tmp_path / "sample", SETTINGS)
    world = simulate(SimulationSettings(customers=400))
    orders = pq.read_table(tmp_path / "sample/orders.parquet")
    assert orders.slice(0, world.orders.num_rows).equals(world.orders)
    dirt = orders.slice(world.orders.num_rows).to_pandas()
    assert len(dirt) == sum(manifest.dirty_rows.values()) == pytest.approx(0.01 * world.orders.num_rows, abs=3)
    assert (dirt["customer_id"].fillna("") == "").sum() == manifest.dirty_rows["missing_customer"] > 0
    assert (dirt["ordered_at"].dt.year > 2100).sum() == manifest.dirty_rows["future_date"] > 0
    for table in ("pageviews", "email_events", "truth"):
        assert pq.read_table(tmp_path / f"sample/{table}.parquet").equals(getattr(world, table))
    customers = pd.read_csv(tmp_path / "sample/customers.csv", dtype=str)
    assert customers["customer_id"].tolist() == world.customers["customer_id"].to_pylist()
    assert customers["customer_id"][0] == "0000000001"


def test_the_manifest_counts_the_rows_of_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    written = write_sample(folder, SETTINGS)
    assert SampleManifest.model_validate_json((folder / "manifest.json").read_text()) == written
    assert {file.name for file in written.files.values()} | {"manifest.json"} == {p.name for p in folder.iterdir()}
    for file in written.files.values():
        path = folder / file.name
        rows = len(pd.read_csv(path)) if path.suffix == ".csv" else pq.read_metadata(path).num_rows
        assert (rows, path.stat().st_size) == (file.rows, file.bytes)


def test_equal_settings_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample(tmp_path / name, SETTINGS)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_sample_of_equal_settings_is_left_alone(tmp_path: Path) -> None:
    first = write_sample(tmp_path / "sample", SETTINGS)
    before = files_of(tmp_path / "sample")
    assert write_sample(tmp_path / "sample", SETTINGS.model_copy()) == first
    assert files_of(tmp_path / "sample") == before


def test_other_settings_or_an_older_format_remake_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sample"
    write_sample(folder, SETTINGS)
    remade = write_sample(folder, SETTINGS.model_copy(update={"dirty_share": 0.0}))
    assert remade.dirty_rows == {}
    assert pq.read_table(folder / "orders.parquet").equals(simulate(SimulationSettings(customers=400)).orders)
    before = files_of(folder)
    monkeypatch.setattr(sample, "FORMAT_VERSION", sample.FORMAT_VERSION + 1)
    write_sample(folder, remade.settings)
    assert files_of(folder) != before


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_sample_is_remade(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "sample"
    write_sample(folder, SETTINGS)
    path = folder / "pageviews.parquet"
    whole = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(whole[:-10])
    write_sample(folder, SETTINGS)
    assert path.read_bytes() == whole


def test_a_folder_with_anything_else_in_it_is_refused_and_kept(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", SETTINGS)
    (tmp_path / "sample/notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        write_sample(tmp_path / "sample", SimulationSettings(customers=10))
    assert (tmp_path / "sample/notes.txt").read_text() == "mine"
    (tmp_path / "real").mkdir()
    (tmp_path / "real/orders.parquet").write_text("a customer's own orders")
    with pytest.raises(FileExistsError, match=r"no manifest\.json"):
        write_sample(tmp_path / "real", SETTINGS)
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileExistsError, match="not a sample folder"):
        write_sample(tmp_path / "file", SETTINGS)


def test_a_failure_half_way_keeps_the_earlier_sample_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sample"
    write_sample(folder, SETTINGS)
    before = files_of(folder)

    def fails_after_one_block(settings: SimulationSettings) -> Iterator[Simulation]:
        yield next(simulate_blocks(settings))
        raise OSError("disk full")

    monkeypatch.setattr(sample, "simulate_blocks", fails_after_one_block)
    with pytest.raises(OSError, match="disk full"):
        write_sample(folder, SimulationSettings(customers=50))
    assert files_of(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_blocks_are_appended_to_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "simulate_blocks", lambda settings: simulate_blocks(settings, block_customers=150))
    manifest = write_sample(tmp_path / "sample", SETTINGS)
    orders = pq.read_table(tmp_path / "sample/orders.parquet").to_pandas()
    assert not orders.duplicated(["order_id", "line_number"]).any()
    assert (orders["order_id"].str[0] == "X").sum() == sum(manifest.dirty_rows.values())
    assert len(pd.read_csv(tmp_path / "sample/customers.csv")) == manifest.files["customers"].rows == 400


def test_the_declared_sources_match_the_files(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", SETTINGS)
    sources = Sources.model_validate(sources_of_sample(tmp_path / "sample", "EUR"))
    assert sources.orders is not None
    assert sources.orders.reporting == "EUR"
    for table in ("orders", "pageviews", "email_events", "customers"):
        source = sources.declared(table)
        assert source is not None
        (path,) = source.path
        names = pd.read_csv(path).columns if source.format == "csv" else pq.read_schema(path).names
        assert {*source.mapped.values(), *source.line_key} == set(names)


def test_the_price_bound_rejects_absurd_prices_but_not_a_change_of_unit() -> None:
    fault = BrokenFeed(kind="unit_change_x100", from_date=SETTINGS.start_date)
    dearest = simulate(SETTINGS.model_copy(update={"customers": 5_000, "broken_feed": fault})).orders["unit_price"]
    assert 10 * pc.max(dearest).as_py() / 3 < MAX_UNIT_PRICE < ABSURD_PRICE


def test_the_command_line_writes_orders_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--customers", "50", "--seed", "3", "--orders-only", "--out", str(tmp_path / "sample")])
    manifest = json.loads((tmp_path / "sample/manifest.json").read_text())
    assert manifest["settings"]["customers"] == 50
    assert manifest["settings"]["seed"] == 3
    assert manifest["files"]["orders"]["rows"] > 0
    assert manifest["files"]["pageviews"]["rows"] == manifest["files"]["email_events"]["rows"] == 0
    assert str(tmp_path / "sample/orders.parquet") in capsys.readouterr().out
