"""Every channel against a real server on loopback: what arrives, what is tried again, what is never said."""

import json
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tdml_assets.declaration.alerts import Alerts
from tdml_assets.platform.retrying import Clock
from tdml_assets.stages.triage.alerts.channels import RETRIES, alert_channels, send_alert, warnings_of
from tdml_assets.stages.triage.alerts.messages import Alert

ALERT = Alert(
    key="cltv-2026-06-23-drift",
    subject="Kundenwert: die Daten haben sich bewegt → retrain",
    text="avg_order_value moved far (PSI 0.41, limit 0.25).\nDecided: retrain.\nWhat to do: look <!channel> & wait.",
    fields=(("severity", "1.64"), ("report", "/reports/latest.html")),
)
SECRET = "s3cr3t-token"


class Log(list[str]):
    def warning(self, msg: str, /) -> None:
        self.append(msg)


class Answering:
    """An HTTP server that answers requests in turn: a status, with headers and a body or not, or a pause before it."""

    def __init__(self, script: list[Any]) -> None:
        self.script, self.seen = list(script), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.path, dict(self.headers), body))
                step = outer.script.pop(0) if outer.script else 200
                status, headers, content = step if isinstance(step, tuple) else (step, {}, b"")
                if status == "silence":
                    time.sleep(1.5)
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    opened = []

    def start(*script: Any) -> Answering:
        server = Answering(list(script))
        running = serving(server.server)
        running.__enter__()
        opened.append(running)
        return server

    yield start
    for running in opened:
        running.__exit__(None, None, None)


class Mailbox(socketserver.StreamRequestHandler):
    """Forty lines of SMTP."""

    def handle(self) -> None:
        server: Any = self.server
        recipients: list[str] = []
        self._say("220 mailbox")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            verb = line.split(" ", 1)[0].upper()
            server.commands.append(line)
            if verb in ("EHLO", "HELO"):
                extensions = ["mailbox"]
                extensions += ["STARTTLS"] if server.context and not isinstance(self.connection, ssl.SSLSocket) else []
                extensions += ["AUTH PLAIN"] if isinstance(self.connection, ssl.SSLSocket) else []
                for place, one in enumerate(extensions):
                    self._say(f"250{' ' if place == len(extensions) - 1 else '-'}{one}")
            elif verb == "STARTTLS":
                self._say("220 go on")
                try:
                    self.connection = server.context.wrap_socket(self.connection, server_side=True)
                except (ssl.SSLError, OSError):
                    return
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
            elif verb == "RCPT":
                code = server.refuses.get(line.split("<")[1].rstrip(">"), 250)
                recipients += [line] if code == 250 else []
                self._say(f"{code} done")
            elif verb == "DATA":
                self._say("354 go on")
                text = ""
                while (part := self.rfile.readline().decode()) not in (".\r\n", ""):
                    text += part
                server.mails.append(text)
                self._say(f"{server.answers.pop(0) if server.answers else 250} done")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("235 welcome" if verb == "AUTH" else "250 done")

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(answers: list[int] = (), refuses: dict[str, int] | None = None, context: Any = None) -> Iterator[Any]:
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    server: Any = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)
    server.daemon_threads = True
    server.commands, server.mails, server.answers = [], [], list(answers)
    server.refuses, server.context = refuses or {}, context
    with serving(server):
        yield server


def mail_settings(server: Any, **more: Any) -> dict[str, Any]:
    place = {"host": "localhost", "port": server.server_address[1], "starttls": False, "timeout_seconds": 5}
    return {**place, "sender": "models@example.org", "recipients": ["a@example.org", "b@example.org"], **more}


def tell(section: dict[str, Any], environment: dict[str, str], pauses: list[float] | None = None) -> Any:
    """Send :data:`ALERT` through the only channel of a section, without waiting; the delivery."""
    (channel,) = alert_channels(Alerts.model_validate({"log": False, **section}), environment, Log())
    if hasattr(channel, "clock"):
        waiting = (pauses if pauses is not None else []).append
        object.__setattr__(channel, "clock", Clock(sleep=waiting, jitter=lambda: 1.0))
    (delivery,) = send_alert([channel], ALERT)
    for secret in environment.values():
        assert secret not in repr(channel)
        assert secret not in repr(delivery)
    return delivery


def test_a_webhook_is_tried_until_it_takes_the_alert(answering):
    server, pauses = answering(500, 500, 200), []
    delivery = tell({"webhook": {"url_env": "HOOK"}}, {"HOOK": f"{server.url}/hook"}, pauses)
    assert (delivery.channel, delivery.sent, delivery.attempts) == ("webhook", True, 3)
    assert pauses == [0.5, 1.0]
    assert len(server.seen) == 3
    path, headers, body = server.seen[-1]
    content = json.loads(body)
    assert path == "/hook"
    assert headers["Idempotency-Key"] == ALERT.key
    assert "Authorization" not in headers
    assert content["subject"] == ALERT.subject
    assert content["fields"] == {"severity": "1.64", "report": "/reports/latest.html"}
    assert content["text"].startswith(ALERT.subject)


def test_a_webhook_that_refuses_is_not_tried_again(answering):
    server = answering(400)
    delivery = tell({"webhook": {"url_env": "HOOK"}}, {"HOOK": server.url})
    assert (delivery.sent, delivery.attempts, len(server.seen)) == (False, 1, 1)
    assert "answer 400" in delivery.detail


def test_a_webhook_that_keeps_failing_is_given_up(answering):
    server, pauses = answering((503, {"Retry-After": "3"}, b""), 500, 500, 500, 200), []
    delivery = tell({"webhook": {"url_env": "HOOK"}}, {"HOOK": server.url}, pauses)
    assert (delivery.sent, delivery.attempts, len(server.seen)) == (False, RETRIES.attempts, RETRIES.attempts)
    assert pauses == [3.0, 1.0, 2.0]


def test_a_run_does_not_wait_for_a_webhook_that_asks_for_hours(answering):
    server, pauses = answering((429, {"Retry-After": "9999"}, b""), 200), []
    delivery = tell({"webhook": {"url_env": "HOOK"}}, {"HOOK": server.url}, pauses)
    assert (delivery.sent, delivery.attempts, pauses) == (False, 1, [])
    assert delivery.detail == "the address in HOOK answers 429"


def test_a_webhook_that_is_silent_is_waited_for_only_so_long(answering):
    server = answering(*[("silence", {}, b"")] * RETRIES.attempts)
    started = time.monotonic()
    delivery = tell({"webhook": {"url_env": "HOOK", "timeout_seconds": 0.2}}, {"HOOK": server.url})
    assert time.monotonic() - started < 3
    assert not delivery.sent
    assert "no answer from the address in HOOK" in delivery.detail


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_takes_no_token_along(answering, status):
    other = answering()
    server = answering((status, {"Location": f"{other.url}/elsewhere"}, b""))
    section = {"webhook": {"url_env": "HOOK", "token_env": "TOKEN"}}
    delivery = tell(section, {"HOOK": server.url, "TOKEN": SECRET})
    assert not delivery.sent
    assert "redirects" in delivery.detail
    assert other.seen == []
    assert server.seen[0][1]["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "address", ["hooks.example.org/x", "ftp://x/y", "http://", "https://a b/\x00", "http://[::1/x"]
)
def test_what_is_not_an_address_is_named_by_its_variable_only(address):
    delivery = tell({"webhook": {"url_env": "HOOK"}}, {"HOOK": address})
    assert not delivery.sent
    assert "HOOK" in delivery.detail


def test_a_token_is_not_sent_readable_to_another_machine():
    section = {"webhook": {"url_env": "HOOK", "token_env": "TOKEN"}}
    delivery = tell(section, {"HOOK": "http://hooks.example.org/x", "TOKEN": SECRET})
    assert (delivery.sent, delivery.attempts) == (False, 1)
    assert "readable" in delivery.detail


def test_a_closed_port_is_a_failure_in_words(answering):
    server = answering()
    server.server.server_close()
    delivery = tell({"webhook": {"url_env": "HOOK"}}, {"HOOK": server.url})
    assert (delivery.sent, delivery.attempts) == (False, RETRIES.attempts)


def test_a_mail_arrives_with_subject_text_and_figures():
    with mail_server() as server:
        delivery = tell({"email": mail_settings(server)}, {})
    assert delivery.sent, delivery.detail
    mail = message_from_string(server.mails[0], policy=policy.default)
    assert mail["Subject"] == ALERT.subject
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.org>")
    assert "What to do: look <!channel> & wait." in mail.get_content()
    assert "severity: 1.64" in mail.get_content()
    assert sum(command.upper().startswith("RCPT") for command in server.commands) == 2


def test_a_mail_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not():
    with mail_server(answers=[451, 250]) as server:
        assert tell({"email": mail_settings(server)}, {}).attempts == 2
        ids = {message_from_string(text)["Message-ID"] for text in server.mails}
    assert len(ids) == 1
    with mail_server(answers=[554]) as server:
        delivery = tell({"email": mail_settings(server)}, {})
    assert (delivery.sent, delivery.attempts) == (False, 1)
    assert "554" in delivery.detail


def test_refused_recipients_are_counted_and_not_named():
    with mail_server(refuses={"b@example.org": 550}) as server:
        delivery = tell({"email": mail_settings(server)}, {})
    assert delivery.sent
    assert delivery.detail == "1 of 2 recipients were refused"
    with mail_server(refuses={"a@example.org": 550, "b@example.org": 450}) as server:
        delivery = tell({"email": mail_settings(server)}, {})
    assert (delivery.sent, delivery.attempts) == (False, 1)
    assert "example.org" not in delivery.detail


def test_without_encryption_at_the_other_end_no_login_is_sent():
    with mail_server() as server:
        section = mail_settings(server, starttls=True, username_env="LOGIN", password_env="PASSWORD")
        delivery = tell({"email": section}, {"LOGIN": "us3r", "PASSWORD": SECRET})
    assert not delivery.sent
    assert "STARTTLS" in delivery.detail
    assert not [command for command in server.commands if command.startswith("AUTH")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    try:
        subprocess.run([*command, *names], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the program openssl")
    return certificate, key


@pytest.mark.parametrize("trusted", [True, False])
def test_a_login_is_sent_only_to_a_server_whose_certificate_is_trusted(certificate, trusted, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with mail_server(context=context) as server:
        section = mail_settings(server, starttls=True, username_env="LOGIN", password_env="PASSWORD")
        delivery = tell({"email": section}, {"LOGIN": "us3r", "PASSWORD": SECRET})
    logins = [command for command in server.commands if command.startswith("AUTH")]
    assert (delivery.sent, len(logins), len(server.mails)) == ((True, 1, 1) if trusted else (False, 0, 0)), delivery
    if not trusted:
        assert delivery.attempts == 1
        assert "not trusted" in delivery.detail


@pytest.mark.parametrize("trusted", [True, False])
def test_a_webhook_is_trusted_by_the_authorities_of_the_machine(answering, certificate, trusted, monkeypatch):
    server = answering(200)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    delivery = tell({"webhook": {"url_env": "HOOK"}}, {"HOOK": f"https://localhost:{server.server.server_port}/x"})
    assert (delivery.sent, delivery.attempts, len(server.seen)) == (trusted, 1, int(trusted)), delivery
    if not trusted:
        assert delivery.detail == (
            "the certificate of the address in HOOK is not trusted: correct it, or install its authority"
        )


def slack_settings(server: Answering) -> dict[str, Any]:
    return {"channel": "#models", "token_env": "SLACK_TOKEN", "base_url": f"{server.url}/api/", "timeout_seconds": 2}


def slack_body(seen: tuple[str, dict[str, str], bytes]) -> dict[str, Any]:
    _, headers, body = seen
    if headers["Content-Type"].startswith("application/json"):
        return dict(json.loads(body))
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def test_slack_takes_the_message_after_it_was_busy(answering):
    ok = (200, {"Content-Type": "application/json"}, b'{"ok": true, "ts": "1"}')
    busy = (429, {"Content-Type": "application/json", "Retry-After": "2"}, b'{"ok": false, "error": "ratelimited"}')
    server, pauses = answering(busy, ok), []
    delivery = tell({"slack": slack_settings(server)}, {"SLACK_TOKEN": SECRET}, pauses)
    assert (delivery.sent, delivery.attempts, pauses) == (True, 2, [2.0]), delivery
    path, headers, _ = server.seen[-1]
    assert path == "/api/chat.postMessage"
    assert headers["Authorization"] == f"Bearer {SECRET}"
    content = slack_body(server.seen[-1])
    assert content["channel"] == "#models"
    assert "&lt;!channel&gt; &amp; wait" in content["text"]
    assert "• severity: 1.64" in content["text"]


def test_slack_says_why_it_refuses_and_is_not_asked_again(answering):
    server = answering((200, {"Content-Type": "application/json"}, b'{"ok": false, "error": "channel_not_found"}'))
    delivery = tell({"slack": slack_settings(server)}, {"SLACK_TOKEN": SECRET})
    assert (delivery.sent, delivery.attempts, len(server.seen)) == (False, 1, 1)
    assert "channel_not_found" in delivery.detail
    assert "invite the bot" in delivery.detail


def test_slack_out_of_reach_or_out_of_order_is_a_failure_in_words(answering):
    closed = answering()
    closed.server.server_close()
    assert tell({"slack": slack_settings(closed)}, {"SLACK_TOKEN": SECRET}).attempts == RETRIES.attempts
    broken = answering(*[(503, {"Content-Type": "text/html"}, b"<html>busy</html>")] * RETRIES.attempts)
    delivery = tell({"slack": slack_settings(broken)}, {"SLACK_TOKEN": SECRET})
    assert (delivery.sent, delivery.attempts) == (False, RETRIES.attempts)
    other = answering((200, {"Content-Type": "text/html"}, b"<html>welcome</html>"))
    delivery = tell({"slack": slack_settings(other)}, {"SLACK_TOKEN": SECRET})
    assert (delivery.sent, delivery.attempts) == (False, 1)
    assert "correct alerts.slack.base_url" in delivery.detail


def test_the_log_is_one_warning_on_one_line():
    log = Log()
    (delivery,) = send_alert(alert_channels(Alerts(), {}, log), ALERT)
    assert delivery.sent
    assert len(log) == 1
    assert "\n" not in log[0]
    assert "severity: 1.64" in log[0]


def test_an_unset_variable_is_named_and_the_other_channels_are_told(answering):
    server, log = answering(200), Log()
    section = {"slack": slack_settings(server), "webhook": {"url_env": "HOOK"}}
    channels = alert_channels(Alerts.model_validate(section), {"HOOK": server.url}, log)
    deliveries = send_alert(channels, ALERT)
    assert [(one.channel, one.sent) for one in deliveries] == [("log", True), ("webhook", True), ("slack", False)]
    (said,) = warnings_of(deliveries, ALERT)
    assert "SLACK_TOKEN" in said
    assert "the next session tries again" in said
