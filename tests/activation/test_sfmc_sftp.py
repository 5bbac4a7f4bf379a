"""Files for Marketing Cloud's imports, on a real OpenSSH server: complete when they appear, and read as they were sent."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tdml_assets.activation.erasure import erase
from tdml_assets.activation.protocol import DestinationError
from tdml_assets.activation.syncing import SyncResult
from tdml_assets.declaration.destinations import DestinationSettings, read_destination
from tdml_assets.platform.retrying import Clock
from tests.activation.conftest import NOW, Published, people
from tests.activation.sftp_server import PACKAGE, Server, binary

pytestmark = pytest.mark.skipif(binary() is None, reason=f"apt-get install {PACKAGE}")
SECTION = {
    "kind": "sfmc_sftp",
    "host": "127.0.0.1",
    "user_env": "SFMC_USER",
    "private_key_env": "SFMC_KEY",
    "file": "scores",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="sftp-") as folder:
        running = Server(Path(folder))
        running.start()
        yield running
        running.stop()


class Account:
    """An empty folder of imports, and syncs into it."""

    def __init__(self, published: Published, server: Server) -> None:
        self.published, self.server = published, server
        published.environment |= {"SFMC_USER": server.user, "SFMC_KEY": server.private_key}
        shutil.rmtree(server.root / "Import")
        (server.root / "Import").mkdir()

    def settings(self, **keys: Any) -> DestinationSettings:
        given = {"port": self.server.port, "host_key": self.server.host_key}
        return read_destination("sfmc", {**SECTION, **given, **keys})

    def sync(self, **keys: Any) -> SyncResult:
        given = {name: keys.pop(name) for name in ("failpoint", "clock") if name in keys}
        return self.published.sync(self.settings(**keys), name="sfmc", **given)

    def rows(self) -> list[list[dict[str, str]]]:
        """Rows of each file, as an import reads them; the manifest agrees."""
        found, files = [], self.server.files
        assert not [name for name in files if name.endswith(".part")]
        for name in [name for name in files if name.endswith(".csv")]:
            rows = list(csv.DictReader(io.StringIO(files[name].decode(), newline="")))
            manifest = json.loads(files[name.replace(".csv", ".manifest.json")])
            assert (manifest["file"], manifest["rows"], manifest["bytes"]) == (name, len(rows), len(files[name]))
            found.append(rows)
        return found


@pytest.fixture
def account(tmp_path: Path, server: Server) -> Account:
    return Account(Published(tmp_path), server)


def test_files_are_complete_and_hold_what_changed(account: Account) -> None:
    odd = {**people(2), "ä;3": (1e-9, 'a "quoted", text\nof two lines'), "00004": (0.25, "")}
    account.published.publish(odd)
    result = account.sync(attributes={"churn_grade": "Grade", "churn_probability": "Probability"})
    assert (result.status, result.added, result.details["files"]) == ("succeeded", 4, 1)
    (rows,) = account.rows()
    assert {row["SubscriberKey"]: (float(row["Probability"]), row["Grade"]) for row in rows} == odd
    (content,) = [text for name, text in account.server.files.items() if name.endswith(".csv")]
    assert content.startswith(b"SubscriberKey,Grade,Probability\r\n00001,A,0.5\r\n")
    assert all("2026-06-30" in name and not set(name) & set('\\/:*<>|?"') for name in account.server.files)
    account.published.publish({**odd, "00002": (0.5, "B")})
    assert account.sync(attributes={"churn_grade": "Grade", "churn_probability": "Probability"}).changed == 1
    assert sorted(len(rows) for rows in account.rows()) == [1, 4]
    # Nothing changed: an import of no row fails, so there is no file.
    before = account.server.files
    assert account.sync(attributes={"churn_grade": "Grade", "churn_probability": "Probability"}).unchanged == 4
    assert account.server.files == before


def test_a_replacement_is_one_file_of_every_row(account: Account) -> None:
    account.published.publish(people(5))
    assert account.sync(mode="replace", batch_rows=2).status == "succeeded"
    account.published.publish({**people(5), "00001": (0.5, "B")})
    assert account.sync(mode="replace", batch_rows=2).status == "succeeded"
    (rows,) = account.rows()
    assert [(row["SubscriberKey"], row["churn_grade"]) for row in rows][:2] == [("00001", "B"), ("00002", "A")]
    assert len(rows) == 5
    assert not list((account.published.folder / "scratch").iterdir())


def test_who_is_forgotten_is_in_no_file_behind_the_next_sync_of_a_replacement(account: Account) -> None:
    account.published.publish(people(3))
    (account.server.root / "Import" / "scores-2026-06-29-all.csv").write_bytes(b"SubscriberKey\r\n00002\r\n")
    (account.server.root / "Import" / "scores-weekly-all.csv").write_bytes(b"of somebody else")
    assert account.sync(mode="replace").status == "succeeded"
    declared = {"sfmc": account.settings(mode="replace")}
    (left,) = erase(account.published.warehouse, declared, "00002", account.published.around(), lambda *_: None)
    assert (left.is_done, "tdml-assets sync sfmc, which leaves them out" in left.words) == (False, True)
    # Nothing else changed: the customer alone makes a new file.
    account.published.run("delete from audience.parent_segment_attributes where customer_id = '00002'")
    assert account.sync(mode="replace").removed == 1
    assert "scores-weekly-all.csv" in account.server.files
    assert [name for name, content in account.server.files.items() if b"00002" in content] == []
    assert erase(account.published.warehouse, declared, "00002", account.published.around(), lambda *_: None) == []


def test_a_file_of_changes_stays_there_and_a_person_has_to_delete_the_customer(account: Account) -> None:
    account.published.publish(people(2))
    account.sync()
    declared = {"sfmc": account.settings()}
    (left,) = erase(account.published.warehouse, declared, "00002", account.published.around(), lambda *_: None)
    assert (left.is_done, "delete the customer there by hand" in left.words) == (False, True)


def test_a_key_with_a_colon_is_a_dead_letter_and_never_sent(account: Account) -> None:
    account.published.publish({**people(2), "a:b": (0.5, "A")})
    result = account.sync(failed_share=0.9)
    assert (result.added, result.failed) == (2, 1)
    (letter,) = account.published.rows("select customer_id, code from activation.dead_letters")
    assert letter == {"customer_id": "a:b", "code": "colon"}
    assert [len(rows) for rows in account.rows()] == [2]


def test_killed_behind_a_file_it_is_written_again_under_its_name(account: Account) -> None:
    account.published.publish(people(4))

    def stop(step: str) -> None:
        if step == "sent 1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        account.sync(failpoint=stop, batch_rows=2)
    assert len(account.rows()) == 1
    assert account.sync(batch_rows=2).status == "succeeded"
    assert sorted(row["SubscriberKey"] for rows in account.rows() for row in rows) == sorted(people(4))


def test_a_connection_that_breaks_is_made_anew(account: Account, server: Server) -> None:
    account.published.publish(people(4))
    waited: list[float] = []

    def cut(step: str) -> None:
        if step == "read 2":
            server.stop()

    def restart(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            server.start()

    result = account.sync(failpoint=cut, batch_rows=2, clock=Clock(now=lambda: NOW, sleep=restart, jitter=lambda: 0.5))
    assert (result.status, result.added, len(waited)) == ("succeeded", 4, 2)
    assert len(account.rows()) == 2


def test_another_host_a_wrong_login_and_a_missing_folder_are_named(account: Account, tmp_path: Path) -> None:
    account.published.publish(people(1))
    other = account.server.host_key[:-6] + "AAAAAA"
    assert "another key than host_key" in (account.sync(host_key=other).reason or "")
    assert "there is no folder Nowhere" in (account.sync(folder="Nowhere").reason or "")
    account.published.environment["SFMC_KEY"] = "canary-of-no-key"
    reason = account.sync().reason or ""
    assert ("SFMC_KEY holds no private key" in reason, "canary" in reason) == (True, False)
    account.published.environment["SFMC_KEY"] = Server(tmp_path / "strange").private_key
    assert "refuses the login: correct SFMC_USER and SFMC_KEY" in (account.sync().reason or "")
    assert account.server.files == {}


def test_a_dry_run_logs_in_and_writes_nothing(account: Account) -> None:
    account.published.publish(people(1))
    assert account.published.check(account.settings(), name="sfmc") == {
        "location": "sftp://127.0.0.1/Import",
        "files_there": 0,
    }
    with pytest.raises(DestinationError, match="no answer from 127.0.0.1"):
        account.published.check(account.settings(port=1), name="sfmc")
    assert account.server.files == {}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"file": "a:b"}, "names know no"),
        ({"private_key_env": None}, "name one of password_env and private_key_env"),
        ({"host_key": "none"}, "write the kind and the key"),
        ({"mode": "mirror"}, "mode mirror is not one that sfmc_sftp can do"),
    ],
)
def test_what_is_wrong_with_the_section_is_named(keys: dict[str, Any], words: str) -> None:
    given = {**SECTION, "host_key": f"ssh-ed25519 {'A' * 68}", **keys}
    with pytest.raises(ValueError, match=words):
        read_destination("sfmc", {name: value for name, value in given.items() if value is not None})
