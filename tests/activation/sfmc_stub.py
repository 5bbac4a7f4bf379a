"""A strict stand-in for Marketing Cloud's asynchronous interface, in a process of its own.

As documented: a token ends, 202 only queues, a status is unknown at first, Error is not the end, results are pages of 50 that
name no row, rows that met a deadlock are there all the same, 429 asks to wait. What is asked otherwise than documented is
answered with 400.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit

LOGIN = {"grant_type": "client_credentials", "client_id": "id-canary", "client_secret": "secret-canary"}
PLACE = "/data/v1/async/dataextensions/key:Customers/rows"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: ClassVar[dict[str, Any]] = {}
    requests: ClassVar[dict[str, dict[str, Any]]] = {}

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        given = json.loads(self._body())
        if self.path == "/tell":
            self.state.update(given)
            self._answer(200, {})
        elif self.path != "/v2/token" or given != LOGIN:
            self._answer(400, {"error": "invalid_client"})
        else:
            self.state["tokens"] += 1
            self.state["left"] = self.state["uses"]
            url = f"http://{self.headers['Host']}/"
            self._answer(
                200, {"access_token": f"t{self.state['tokens']}", "expires_in": 1079, "rest_instance_url": url}
            )

    def do_PUT(self) -> None:
        body = self._body()
        if not self._is_allowed():
            return
        script = self.state["script"]
        step = script.pop(0) if script else "take"
        if isinstance(step, int):
            self._answer(step, {"errorcode": 50100}, **({"Retry-After": "3"} if step == 429 else {}))
            return
        content = json.loads(body)
        items = content.get("items")
        wrong = set(content) != {"items"} or not items or len(items) > 30_000 or len(body) > 5_000_000
        if self.path != PLACE or wrong or any("SubscriberKey" not in item for item in items):
            self._answer(400, {"requestId": "none", "resultMessages": [{"message": str(items)}]})
            return
        results = []
        for item in items:
            bad = item["SubscriberKey"] in self.state["refuses"]
            if not bad:
                self.state["rows"][item["SubscriberKey"]] = item
            results.append(
                {"errorCode": "InvalidValue", "message": f"bad: {item}", "status": "Error"} if bad else {"status": "OK"}
            )
        if step == "deadlock":
            results[0] = {
                "errorCode": "Generic",
                "message": "deadlock victim. Rerun the transaction.",
                "status": "Error",
            }
        number = f"r{len(self.requests) + 1}"
        self.requests[number] = {"results": results, "looks": ["unknown", "Pending", "Error", self.state["ending"]]}
        self.state["batches"].append(len(items))
        self._answer(202, {"requestId": number, "resultMessages": []})

    def do_GET(self) -> None:
        if self.path == "/rows":
            self._answer(200, self.state)
            return
        if not self._is_allowed():
            return
        parts = urlsplit(self.path)
        request, what = parts.path.removeprefix("/data/v1/async/").split("/")
        found = self.requests[request]
        if what == "status":
            looks = found["looks"]
            look = looks.pop(0) if len(looks) > 1 else looks[0]
            if look == "unknown":
                self._answer(404, {"message": "not found"})
                return
            has_errors = any(result["status"] == "Error" for result in found["results"])
            self._answer(200, {"status": {"requestId": request, "requestStatus": look, "hasErrors": has_errors}})
            return
        query = parse_qs(parts.query)
        page = int(query["$page"][0])
        items = found["results"][(page - 1) * 50 : page * 50]
        self._answer(200, {"page": page, "pageSize": 50, "count": len(found["results"]), "items": items})

    def _is_allowed(self) -> bool:
        """Every token is good for some requests, and ends then: in the middle of a batch."""
        self.state["left"] -= 1
        good = self.headers["Authorization"] == f"Bearer t{self.state['tokens']}" and self.state["left"] >= 0
        if not good:
            self._answer(401, {"message": "Not Authorized"})
        return good

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, content: Any, **headers: str) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Stub:
    """The running process."""

    def __enter__(self) -> Self:
        import subprocess

        self._process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def tell(self, **state: Any) -> None:
        """Set ``script``, ``refuses``, ``uses`` of a token or the ``ending`` of requests."""
        request = urllib.request.Request(f"{self.url}/tell", json.dumps(state).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()

    @property
    def state(self) -> dict[str, Any]:
        """Rows by key, sizes of batches, number of tokens."""
        with urllib.request.urlopen(f"{self.url}/rows", timeout=10) as answer:
            return json.load(answer)


def main() -> None:
    """Serve until the process ends."""
    _Handler.state = {
        "rows": {},
        "refuses": [],
        "script": [],
        "batches": [],
        "tokens": 0,
        "uses": 1000,
        "left": 0,
        "ending": "Completed",
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
