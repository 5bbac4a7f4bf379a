"""Web sources against real servers that misbehave: redirects, dripping answers, torn headers, signed addresses."""

import gzip
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from tdml_assets.platform.retrying import Clock
from tdml_assets.stages.raw import transport as source_transport
from tdml_assets.stages.raw.rules import SourceError
from tests.stages.raw.test_files import collect, web

GOOD = (200, {"ETag": '"v1"'}, b"a,b\n1,2\n")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(source_transport, "CLOCK", Clock(sleep=lambda seconds: None))


@contextmanager
def raw_server(*, drip: bytes, opening: bytes = b""):
    """A server that answers everybody with ``opening`` and then ``drip``, a byte at a time, for ever."""
    server, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def answer():
        while not stop.is_set():
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(65536)
                    client.sendall(opening)
                    while not stop.wait(0.02):
                        client.sendall(drip)
                except OSError:
                    continue

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_a_redirect_on_the_same_host_is_followed(tmp_path):
    with web((302, {"Location": "/there.csv?sig=SECRET"}, b""), GOOD) as (url, handler):
        assert collect(tmp_path, f"{url}/a.csv").files[0].name == f"{url}/a.csv"
        assert handler.served == 2


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:1/b.csv?sig=SECRET",
        "ftp://127.0.0.1/SECRET.csv",
        "http://u:SECRET@127.0.0.1/b.csv",
        "file:///SECRET",
    ],
)
def test_a_redirect_elsewhere_is_refused_by_its_host_alone(tmp_path, location):
    with web((302, {"Location": location}, b"x" * 10_000), GOOD) as (url, handler):
        with pytest.raises(SourceError, match=r"/a\.csv redirects .*put the final") as caught:
            collect(tmp_path, f"{url}/a.csv?sig=SECRET")
        assert handler.served == 1
    assert "SECRET" not in str(caught.value)


def test_a_redirect_in_a_circle_ends(tmp_path):
    with web((302, {"Location": "/a.csv"}, b"")) as (url, _), pytest.raises(SourceError, match="redirects in a circle"):
        collect(tmp_path, f"{url}/a.csv")


@pytest.mark.parametrize(
    ("opening", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"H"),
    ],
)
def test_an_answer_that_drips_in_ends_at_the_deadline_with_the_key_to_raise(tmp_path, opening, drip):
    start = time.monotonic()
    said = r"did not arrive within 0\.4 seconds: raise max_fetch_seconds"
    with raw_server(opening=opening, drip=drip) as url, pytest.raises(SourceError, match=said):
        collect(tmp_path, f"{url}/a.csv", max_fetch_seconds=0.4)
    assert time.monotonic() - start < 10
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "٣"])
def test_a_length_that_is_not_a_number_is_said_to_be_none(tmp_path, length):
    opening = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()
    said = r"a\.csv: the server's Content-Length is not a number"
    with raw_server(opening=opening, drip=b"x") as url, pytest.raises(SourceError, match=said):
        collect(tmp_path, f"{url}/a.csv")


def test_an_address_with_blanks_and_letters_beyond_ascii_is_asked_for_and_its_signature_never_shown(tmp_path):
    address = "/é ü.csv?sig=SEC RET&x=%2B"
    with web(GOOD) as (url, _):
        assert collect(tmp_path, url + address).files[0].path.read_bytes() == GOOD[2]
    with pytest.raises(SourceError, match="no answer from the server") as caught:
        collect(tmp_path, url + address)
    assert "SEC" not in str(caught.value)
    assert "RET" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_an_ending_too_long_for_a_file_name_is_left_out(tmp_path):
    with web(GOOD) as (url, _):
        assert collect(tmp_path, f"{url}/a.{'x' * 3_000}").files[0].path.read_bytes() == GOOD[2]


@pytest.mark.parametrize("path", ["x" * 5_000, "~nobody-of-that-name/a.csv", "a.csv/b.csv", "x" * 300 + "*"])
def test_a_path_that_cannot_be_is_refused_by_its_key(tmp_path, path):
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(SourceError, match=r"sources\.orders\.path"):
        collect(tmp_path, path)


def test_a_server_that_asks_to_wait_is_waited_for_and_not_beyond_the_deadline(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(source_transport, "CLOCK", Clock(sleep=waited.append))
    with web((503, {"Retry-After": "7"}, b""), GOOD) as (url, _):
        assert collect(tmp_path, f"{url}/a.csv").files[0].path.read_bytes() == GOOD[2]
    assert waited == [7.0]
    said = r"could not be fetched in 1 attempts: the server answered 503"
    with web((503, {"Retry-After": "7"}, b""), GOOD) as (url, _), pytest.raises(SourceError, match=said):
        collect(tmp_path, f"{url}/b.csv", max_fetch_seconds=5)


def test_a_packed_file_stays_packed_where_the_server_calls_it_an_encoding(tmp_path):
    packed = gzip.compress(GOOD[2])
    with web((200, {"Content-Encoding": "gzip", "ETag": '"v1"'}, packed)) as (url, _):
        assert collect(tmp_path, f"{url}/a.csv.gz").files[0].path.read_bytes() == packed


def test_a_proxy_of_the_environment_is_asked(tmp_path, monkeypatch):
    with web(GOOD) as (proxy, handler):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        found = collect(tmp_path, "http://shop.example/a.csv").files[0]
        assert (found.name, handler.served) == ("http://shop.example/a.csv", 1)
