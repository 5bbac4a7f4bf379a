"""Whether two sets of orders are the same, and what a refusal says."""

from datetime import date, timedelta

import pytest

from tdml_assets.declaration.sources import OrdersSource
from tdml_assets.simulation import SimulationSettings
from tdml_assets.stages.raw.state_identity import (
    Sketch,
    StateIdentity,
    compare_sketch,
    declared_orders,
    earlier_as_of_message,
    kinds_conflict,
    other_data_message,
    parse_identity,
)

FIRST = date(2024, 1, 1)
DAYS = {f"{number:016x}": FIRST + timedelta(days=number) for number in range(100)}
REMEMBERED = Sketch(first_days=DAYS)


def orders(path: str = "orders.csv", **changes: object) -> OrdersSource:
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "total"}
    declared = {"path": path, "format": "csv", "timestamp_format": "%Y-%m-%d", "currency": "GBP", "columns": columns}
    return OrdersSource.model_validate({**declared, **changes})


def is_same(found: dict[str, date]) -> bool:
    compared = compare_sketch(REMEMBERED, found)
    assert compared is not None
    return compared.is_same


def test_more_days_erased_customers_and_a_corrected_file_are_the_same_data() -> None:
    assert is_same(DAYS)
    assert is_same(dict(list(DAYS.items())[:60])), "forty customers were erased"
    corrected = {
        key: day - timedelta(days=30) if number < 30 else day for number, (key, day) in enumerate(DAYS.items())
    }
    assert is_same(corrected), "a corrected older file moved the first order of thirty"
    assert is_same({key: day + timedelta(days=1) for key, day in DAYS.items()}), "a corrected time zone"


def test_other_customers_and_equal_ids_with_other_histories_are_other_data() -> None:
    assert not is_same({})
    assert not is_same(dict(list(DAYS.items())[:20]))
    backwards = dict(zip(DAYS, reversed(DAYS.values()), strict=True))
    assert not is_same(backwards), "two shops that both number their customers from 1"


def test_a_handful_of_customers_is_too_little_to_judge() -> None:
    assert compare_sketch(Sketch(first_days=dict(list(DAYS.items())[:4])), {}) is None


def test_the_declaration_is_kept_without_secrets() -> None:
    address = "https://shop.example:8443/orders.csv?token=abc#part"
    told = declared_orders(orders(address), "/here")
    assert told.locations == ("https://shop.example:8443/orders.csv?***",)
    for path in ("data/or?ders*.csv", "s3://bucket/orders/*.csv"):
        assert declared_orders(orders(path), "/here").locations == (path,)


def test_path_mapping_and_currency_make_a_declaration_another_one() -> None:
    one = declared_orders(orders(), "/here")
    assert one == declared_orders(orders(), "/here")
    assert one != declared_orders(orders("other.csv"), "/here")
    assert one != declared_orders(orders(), "/there")
    assert one != declared_orders(orders(currency="EUR"), "/here")


def test_the_sample_and_declared_orders_never_go_together() -> None:
    sample, own = declared_orders(None, "", SimulationSettings()), declared_orders(orders(), "/here")
    assert kinds_conflict(sample, own)
    assert kinds_conflict(own, sample)
    assert not kinds_conflict(None, own)
    assert sample != declared_orders(None, "", SimulationSettings(seed=8))


def test_a_refusal_names_what_is_there_what_is_asked_and_the_commands() -> None:
    own, sample = declared_orders(orders(), "/here"), declared_orders(None, "", SimulationSettings())
    said = other_data_message(home="/h", recorded=sample, asked=own, last_session="last session: cltv", why="3 of 100")
    for part in (
        "/h",
        "the sample data",
        "last session: cltv",
        "orders from orders.csv",
        "customer_id: who",
        "3 of 100",
    ):
        assert part in said
    for command in ("run --fresh", "TDML_HOME=.tdml-other", "run --same-customers"):
        assert command in said
    assert "--same-customers" not in other_data_message(
        home="/h", recorded=sample, asked=own, last_session="", why="", can_be_same=False
    )
    back = earlier_as_of_message(home="/h", asked=FIRST, last=FIRST + timedelta(days=9), workflow="churn")
    assert "as_of 2024-01-01 is before the last session" in back
    assert "churn at 2024-01-10" in back
    assert "--fresh" in back


def test_an_identity_is_read_as_it_was_written_and_a_later_format_is_refused() -> None:
    identity = StateIdentity(declared=declared_orders(orders(), "/here"), sketch=REMEMBERED)
    assert parse_identity(identity.model_dump_json()) == identity
    later = identity.model_copy(update={"format_version": 99}).model_dump_json()
    with pytest.raises(ValueError, match="format_version is 99, this version reads 1"):
        parse_identity(later)
