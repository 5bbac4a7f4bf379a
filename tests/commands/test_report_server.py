"""The report server gives pages of one folder to this machine, and nothing else to anybody."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tdml_assets.commands.report_server import make_server
from tdml_assets.settings import Settings


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    folder = tmp_path / "reports"
    (folder / "cltv").mkdir(parents=True)
    (folder / "index.html").write_text("all workflows")
    (folder / "cltv" / "latest.html").write_text("cltv")
    (folder / "cltv" / "notes.txt").write_text("private")
    (tmp_path / "secret.html").write_text("private")
    server = make_server(folder, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, path: str, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_pages_are_given(port):
    assert ask(port, "/") == (200, "all workflows")
    assert ask(port, "/cltv/latest.html") == (200, "cltv")
    assert ask(port, "/cltv/latest.html", "localhost") == (200, "cltv")


@pytest.mark.parametrize(
    "path", ["/cltv/", "/cltv", "/cltv/notes.txt", "/../secret.html", "/%2e%2e/secret.html", "/none.html"]
)
def test_nothing_else_is_given(port, path):
    status, text = ask(port, path)
    assert status == 404
    assert "private" not in text


def test_another_sites_name_is_refused(port):
    assert ask(port, "/", "evil.example")[0] == 403


def test_pages_cannot_be_changed(port):
    assert ask(port, "/index.html", method="PUT")[0] == 501


def test_only_this_machines_own_address_is_served(tmp_path):
    with pytest.raises(ValueError, match=r"0\.0\.0\.0 is not this machine's own address"):
        make_server(tmp_path, "0.0.0.0", 0)


def test_a_page_has_an_address_below_reports_url(tmp_path):
    settings = Settings(home=tmp_path, base_folder=tmp_path, reports_url="https://intranet.example/crm/")
    assert settings.report_url(tmp_path / "reports" / "cltv" / "a.html") == "https://intranet.example/crm/cltv/a.html"
    assert settings.report_url("index.html") == "https://intranet.example/crm/index.html"
