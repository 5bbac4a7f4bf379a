"""Two sessions with everything on that holds customers or compares them: lift is measured, and who is forgotten is found nowhere.

On: identities, corrected rows (``recorded_at``), page views, e-mails, customers, lists of consent and suppression, a control
group, a webhook, exports, pages. The second session has a month more of orders than the first, so that the groups of the first are
compared. Tables are listed by the warehouse, not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tdml_assets.commands.app import app, make_ready
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.settings import load_settings
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample import write_sample
from tdml_assets.stages.raw.files import collect_files
from tdml_assets.stages.raw.permission_lists import load_lists
from tdml_assets.stages.raw.tables import load_table
from tests.activation.conftest import NOW
from tests.activation.receiver import SECRET, Receiver
from tests.e2e.conftest import WAREHOUSE, Home

#: Sent, under an old id too; refused by the destination; suppressed.
ANN, OLD_ANN, DEE, EVE = "person-ann-1", "old-ann-417", "person-dee-2", "person-eve-3"
#: Values of Ann's alone.
PATH, MAIL = "/canary-path-ann", f"mail-of-{ANN}"
CUT = "2026-05-25"
SETTINGS = """
sources:
  orders:
    path: orders-*.csv
    format: csv
    currency: GBP
    timestamp_format: &form "%Y-%m-%d %H:%M:%S"
    line_key: [id, line]
    recorded_at: loaded
    columns: {customer_id: who, ordered_at: moment, amount: total, order_id: id, product_id: product}
  pageviews:
    {path: pageviews.csv, format: csv, timestamp_format: *form, columns: {customer_id: who, viewed_at: moment, path: path}}
  email_events:
    {path: emails.csv, format: csv, timestamp_format: *form, columns: {customer_id: who, sent_at: moment, event_type: what}}
  customers: {path: customers.csv, format: csv, columns: {customer_id: who, email: mail}}
  identities: {path: identities.csv, format: csv, columns: {old_id: old, person: new}}
  consent: {path: consents.csv, format: csv, columns: {customer_id: who, purpose: what, allowed: given}}
  suppression: {path: suppressed.csv, format: csv, columns: {customer_id: who, destination: where}}
audience: {control: {share: 0.3, seed: 4}}
destinations:
  files: {purpose: email}
  crm:
    {kind: webhook, url_env: HOOK_URL, secret_env: HOOK_SECRET, purpose: email, retries: {attempts: 1}, batch_rows: 200,
     identifiers: {mail: {column: email, form: email}}}
warehouse: {threads: 1}
workflows:
  churn:
    target: {horizon_days: 30}
    monitor: {report: false}
    classification: {min_negatives: 20}
    model: {estimator: xgboost_classifier}
"""
#: Tables that must hold somebody for the search to say something.
HOLDING = {
    *("raw.orders", "raw.replaced_orders", "raw.pageviews", "raw.email_events", "raw.customers", "raw.rejected_rows"),
    *(
        "raw.identity_links",
        "raw.consent",
        "raw.suppression",
        "features.customer_features",
        "features.int_known_orders",
    ),
    *("churn.training_table", "churn.predictions", "churn.prediction_history", "churn.control_history"),
    *("audience.parent_segment_attributes", "audience.control_groups"),
    *("activation.sync_state", "activation.sync_changelog"),
}


def write_files(folder: Path) -> None:
    """A shop of 300 customers, three of whom have telling names."""
    write_sample(folder / "sample", SimulationSettings(customers=300, pageviews_per_order=0.3, emails_per_month=0.1))
    with duckdb.connect() as connection:
        for name in ("orders", "pageviews", "email_events"):
            connection.execute(f"create view {name} as select * from '{folder / 'sample' / name}.parquet'")
        connection.execute(
            "create table names as select customer_id as id, case row_number() over (order by count(*) desc, customer_id) "
            f"when 1 then '{ANN}' when 2 then '{DEE}' when 3 then '{EVE}' else 'person-' || customer_id end as who "
            f"from orders where customer_id is not null and ordered_at < '{CUT}' group by customer_id"
        )
        connection.execute(
            f"create table lines as select if(who = '{ANN}' and ordered_at < '2026-01-01', '{OLD_ANN}', who) as who, "
            "ordered_at as moment, quantity * unit_price as total, order_id as id, line_number as line, product_id as product, "
            "ordered_at + interval 1 hour as loaded from orders join names on id = customer_id"
        )
        corrected = f"select * replace (total + 1 as total, timestamp '{CUT} 09:00:00' as loaded) from lines"
        known = "join names on id = customer_id"
        rows = {
            "orders-a": f"from lines where moment < '{CUT}'",
            "later": f"from lines where moment >= '{CUT}' union all {corrected} "
            f"where who in ('{ANN}', '{DEE}') and moment >= '2026-02-01' and moment < '{CUT}'",
            "pageviews": f"select who, viewed_at as moment, if(who = '{ANN}', '{PATH}', path) as path from pageviews {known}",
            "emails": f"select who, sent_at as moment, event_type as what from email_events {known}",
            "customers": "select who, 'mail-of-' || who || '@example.org' as mail from names",
            "identities": f"select '{OLD_ANN}' as old, '{ANN}' as new",
            "consents": "select who, 'email' as what, 'yes' as given from names",
            "suppressed": f"select '{EVE}' as who, null as where union all select '{ANN}', 'ads'",
        }
        for name, query in rows.items():
            options = "header, timestampformat '%Y-%m-%d %H:%M:%S'"
            connection.execute(f"copy ({query}) to '{folder / name}.csv' ({options})")
    with (folder / "orders-a.csv").open("a", encoding="utf-8") as file:
        file.write(f"{ANN},someday,1,broken-1,1,x,2026-01-01 00:00:00\n")


class Everything(Home):
    """The state folder, the destination, and the search for words."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        super().__init__(folder)
        self.receiver = receiver
        self.environment |= {"HOOK_URL": receiver.url, "HOOK_SECRET": SECRET}

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / WAREHOUSE), read_only=True) as connection:
            return connection.execute(text).fetchall()

    def tables_with(self, *words: str) -> set[str]:
        """Every table that holds a word in any column, whatever its type."""
        tables = "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
        found = set()
        for schema, name in self.rows(tables):
            holds = " or ".join(f"contains(held::varchar, '{word}')" for word in words)
            if self.rows(f'select 1 from "{schema}"."{name}" as held where {holds} limit 1'):
                found.add(f"{schema}.{name}")
        return found

    def files_with(self, *words: str) -> set[str]:
        """Every file of the state folder that holds a word, compressed columns included: folder and name."""
        found = set()
        for path in (self.folder / "home").rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                if path.suffix == ".parquet":
                    content += str(pq.read_table(path).to_pydict()).encode()
                if any(word.encode() in content for word in words):
                    found.add(f"{path.relative_to(self.folder / 'home').parts[0]}/{path.name}")
        return found

    def load(self) -> None:
        """Load the same files again, as every session does."""
        settings = load_settings(self.environment)
        cache, warehouse = settings.home / "cache", build_warehouse(settings)
        places = {"base_folder": self.folder, "cache_folder": cache, "s3_client": lambda: None}
        for name in ("orders", "pageviews", "email_events", "customers"):
            source = settings.sources.declared(name)
            found = collect_files(name, source, **places)
            with warehouse.write() as database:
                load_table(database, name, source, found, session_id="again", now=NOW, scratch_folder=cache)
        load_lists(warehouse, settings.sources, **places)

    def command(self, *words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(words), env=self.environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output


class Seen:
    """What there is after both sessions, before anybody is forgotten."""

    def __init__(self, home: Everything) -> None:
        self.lift = home.rows(
            "select treated, control, treated_mean, control_mean, low, high, sentence, band from monitoring.lift"
        )
        bought = (
            f"from raw.orders o where o.customer_id = h.customer_id and o.ordered_on between '{CUT}' and '2026-06-23'"
        )
        self.happened = home.rows(
            f"select count(*), avg(cast(not exists ({bought}) as integer)) from churn.control_history h "
            "where as_of = '2026-05-24' group by in_control_group order by in_control_group"
        )
        self.control = {row[0] for row in home.rows("from audience.control_groups where in_control_group")}
        self.sent = set(home.receiver.rows)
        self.dead = home.rows("select customer_id, reason from activation.dead_letters")
        self.tables = home.tables_with(ANN, OLD_ANN)
        self.files = home.files_with(ANN, OLD_ANN)
        self.said = [home.command(*words) for words in (("plan", "crm"), ("retry", "crm"), ("dashboard",), ("status",))]
        self.secrets = home.files_with(SECRET), home.tables_with(SECRET)
        self.told = home.files_with(ANN, OLD_ANN, MAIL, PATH), home.tables_with(MAIL), home.tables_with(PATH)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Everything, Seen]]:
    with Receiver() as receiver:
        home = Everything(tmp_path_factory.mktemp("everything"), receiver)
        (home.folder / "tdml.yaml").write_text(SETTINGS, encoding="utf-8")
        write_files(home.folder)
        make_ready(load_settings(home.environment))
        receiver.tell(refuses=[DEE])
        home.must_run("session", "later.csv>orders-b.csv", "session")
        yield home, Seen(home)


@pytest.fixture(scope="module")
def forgotten(seen: tuple[Everything, Seen]) -> Everything:
    """After Ann and Dee were forgotten."""
    home, _ = seen
    assert [home.command("forget", person)[0] for person in (ANN, DEE)] == [0, 0]
    return home


def test_groups_of_a_published_day_are_compared_when_its_horizon_has_passed(seen: tuple[Everything, Seen]) -> None:
    home, found = seen
    (whole,) = [row for row in found.lift if row[-1] == "all"]
    treated, control, treated_mean, control_mean, low, high, sentence, _ = whole
    # The means of the table are brought to the same mean prediction.
    assert found.happened == [
        (treated, pytest.approx(treated_mean, abs=0.06)),
        (control, pytest.approx(control_mean, abs=0.06)),
    ]
    assert low <= treated_mean - control_mean <= high
    assert f"{treated} customers who were sent against {control} who were kept out, over 30 days" in sentence
    assert sum(row[0] for row in found.lift) == 2 * treated, "every customer is in one band"
    reports = [path.read_text(encoding="utf-8") for path in (home.folder / "home" / "reports").rglob("session-*.html")]
    assert any("who were sent against" in text for text in reports)


def test_nobody_of_the_control_group_and_nobody_suppressed_is_sent(seen: tuple[Everything, Seen]) -> None:
    _, found = seen
    assert found.control
    assert not found.sent & {*found.control, EVE, DEE}
    assert ANN in found.sent


def test_neither_secrets_nor_values_are_in_logs_pages_plans_and_reasons(seen: tuple[Everything, Seen]) -> None:
    _, found = seen
    assert found.secrets == (set(), set())
    files, with_mail, with_path = found.told
    assert {name.partition("/")[0] for name in files} <= {"exports", "warehouse.duckdb"}
    assert with_mail == {"raw.customers"}
    assert {name.partition(".")[0] for name in with_path} <= {"raw", "staging", "features", "churn"}
    (letter,) = found.dead
    assert letter[0] == DEE
    said = " ".join([letter[1], *(text for _, text in found.said)])
    assert found.said[0][0] == 0, found.said[0]
    assert not [word for word in (SECRET, "mail-of-", PATH, ANN, DEE) if word in said]


def test_who_is_forgotten_is_in_no_table_no_file_and_not_there(
    seen: tuple[Everything, Seen], forgotten: Everything
) -> None:
    _, found = seen
    assert HOLDING - found.tables == set()
    words = (ANN, OLD_ANN, DEE, MAIL, PATH)
    assert (forgotten.tables_with(*words), forgotten.files_with(*words)) == (set(), set())
    assert not {ANN, OLD_ANN, DEE} & set(forgotten.receiver.rows)
    assert len(forgotten.receiver.rows) == len(found.sent) - 1
    forgotten.load()
    assert forgotten.rows("select count(distinct customer_id) from raw.orders")[0][0] > 200
    assert (forgotten.tables_with(*words), forgotten.files_with(*words)) == (set(), set())
