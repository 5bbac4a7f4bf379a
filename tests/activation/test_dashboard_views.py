"""The views that are shipped for dashboards: they fit the table of a sync, and their role reads groups of customers alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tdml_assets.declaration.destinations import read_destination
from tests.activation.conftest import Published
from tests.activation.postgres_server import PACKAGE, Server, binaries

pytestmark = pytest.mark.skipif(binaries() is None, reason=f"apt-get install {PACKAGE}")
VIEWS = Path(__file__).resolve().parents[2] / "examples" / "postgres_dashboard.sql"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        running = Server(Path(folder))
        running.start()
        yield running
        running.stop()


def test_views_follow_a_sync_and_their_role_reads_groups_alone(server: Server, tmp_path: Path) -> None:
    published = Published(tmp_path)
    published.run(
        "create schema if not exists audience",
        "create table audience.parent_segment_attributes as select printf('%05d', n) as customer_id, date '2026-06-30' as as_of, "
        "['Champions', 'Lost customers'][n % 2 + 1] as segment_name, (n % 10 + 1)::bigint as cltv_decile, "
        "(n + 1)::double as cltv_predicted_spend, ['A', 'B'][n % 2 + 1] as churn_grade, .5 as churn_probability "
        "from range(100) as r(n)",
        "create table audience.attribute_catalog as select column_name as \"column\", 'churn' as workflow, "
        "date '2026-06-30' as as_of from (describe audience.parent_segment_attributes)",
    )
    published.environment["PG_URL"] = server.url
    section = {"kind": "postgres", "url_env": "PG_URL", "table": "marketing.customer_scores", "mode": "replace"}
    settings = read_destination("bi", section)
    with psycopg.connect(server.url) as connection:
        connection.execute("create schema marketing")
    assert published.sync(settings, name="bi").added == 100
    for _ in range(2):
        with psycopg.connect(server.url) as connection:
            connection.execute(VIEWS.read_text(encoding="utf-8"))
    published.run("update audience.parent_segment_attributes set cltv_predicted_spend = 2 * cltv_predicted_spend")
    assert published.sync(settings, name="bi").changed == 100
    with psycopg.connect(server.url.replace("user=postgres", "user=bi_reader")) as connection:
        deciles = connection.execute(
            "select cltv_decile, customers, expected_spend, share_of_spend from marketing.customers_by_value_decile order by 1"
        ).fetchall()
        assert [(row[0], row[1], row[2]) for row in deciles] == [
            (place + 1, 10, 2.0 * sum(range(place + 1, 101, 10))) for place in range(10)
        ]
        assert sum(row[3] for row in deciles) == pytest.approx(1)
        found = connection.execute(
            "select segment, customers from marketing.customers_by_segment order by 1"
        ).fetchall()
        assert found == [("Champions", 50), ("Lost customers", 50)]
        assert len(connection.execute("select * from marketing.spend_at_risk").fetchall()) == 10
        connection.rollback()
        for forbidden in ("select * from marketing.customer_scores", "create table marketing.mine (a int)"):
            with pytest.raises(psycopg.Error):
                connection.execute(forbidden)
            connection.rollback()
