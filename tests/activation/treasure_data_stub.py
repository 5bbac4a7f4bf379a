"""A strict stand-in for Treasure Data on this machine: tables, bulk imports, jobs, swap, and the Audience API.

As documented: an import has to be frozen, performed and committed, and its job is queued first; an import takes records of the
declared types and counts the others; two tables of a name cannot be; a swap changes both names; a PUT of an audience with
``master`` replaces every collection by what is in its body, and names of attributes are unique; a run is queued, and fills
``customers``.
Queries are executed by DuckDB. Whatever is asked otherwise is answered with 4xx.
"""

from __future__ import annotations

import email
import gzip
import io
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import msgpack
import pyarrow as pa

from tests.activation.loopback import Loopback, Refused

KEY = "1/td-key-canary"
_TYPES = {"string": str, "long": int, "double": (float, int)}
_ARROW = {"string": pa.string(), "long": pa.int64(), "double": pa.float64()}
_REQUIRED = (
    "name", "audienceId", "type", "parentDatabaseName", "parentTableName", "parentColumn", "parentKey", "foreignKey",
    "groupingName",
)  # fmt: skip
_ATTRIBUTE_TYPES = ("string", "number", "timestamp", "date", "string_array", "number_array", "boolean")


class TreasureData:
    """What the service holds. Tests change it between requests."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.databases: dict[str, dict[str, dict[str, Any]]] = {}
        self.imports: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.audiences: dict[int, dict[str, Any]] = {}
        self.runs: list[dict[str, Any]] = []
        self.customers: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        #: Per pattern of "METHOD path" what its next requests meet: a status, "lost" (done, and no answer), "reset".
        self.script: dict[str, list[Any]] = {}
        #: Called before or behind a PUT: what somebody else does meanwhile.
        self.before_put: list[Callable[[], None]] = []
        self.behind_put: list[Callable[[], None]] = []
        self.refused_keys: set[str] = set()
        self.run_ends = "success"

    def create_table(self, database: str, table: str, schema: list[list[str]] | None = None, rows: Any = ()) -> None:
        tables = self.databases[database]
        if table in tables:
            raise Refused(409, "exists")
        tables[table] = {"schema": schema or [], "rows": list(rows)}

    def table(self, database: str, table: str) -> dict[str, Any]:
        try:
            return self.databases[database][table]
        except KeyError:
            raise Refused(404, f"no table {database}.{table}") from None

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            for database, tables in self.databases.items():
                connection.execute(f'create schema "{database}"')
                for name, table in tables.items():
                    columns = {column[0]: _ARROW[column[1]] for column in table["schema"]} or {"time": pa.int64()}
                    given = pa.table(
                        {key: pa.array([row.get(key) for row in table["rows"]], kind) for key, kind in columns.items()}
                    )
                    connection.register("given", given)
                    connection.execute(f'create table "{database}"."{name}" as select * from given')
                    connection.unregister("given")
            return connection.execute(sql).fetchall()

    def put_audience(self, number: int, body: dict[str, Any]) -> dict[str, Any]:
        audience = self.audiences[number]
        scalars = {
            k: v for k, v in body.items() if k not in ("attributes", "behaviors", "audienceFilters", "master", "id")
        }
        if "master" not in body:
            audience.update(scalars)
            return audience
        names = [attribute.get("name") for attribute in body.get("attributes") or ()]
        if len(set(names)) != len(names):
            raise Refused(400, "VIOLATES_UNIQUENESS_CONSTRAINT")
        for attribute in body.get("attributes") or ():
            missing = [name for name in _REQUIRED if name not in attribute]
            if missing or attribute["type"] not in _ATTRIBUTE_TYPES or attribute["audienceId"] != str(number):
                raise Refused(400, f"attribute without {missing}")
            table = self.table(attribute["parentDatabaseName"], attribute["parentTableName"])
            columns = {column[0] for column in table["schema"]}
            if not {attribute["parentColumn"], attribute["parentKey"]} <= columns:
                raise Refused(400, "no such column")
        collections = {name: list(body.get(name) or ()) for name in ("attributes", "behaviors", "audienceFilters")}
        # Ids are given anew.
        for collection in collections.values():
            collection[:] = [{**item, "id": str(1000 + place)} for place, item in enumerate(collection)]
        audience.update({**scalars, **collections, "master": body["master"]})
        return audience

    def run_customers(self, number: int) -> None:
        audience = self.audiences[number]
        master = self.table(audience["master"]["parentDatabaseName"], audience["master"]["parentTableName"])
        found = {row["customer_id"]: dict(row) for row in master["rows"]}
        for attribute in audience["attributes"]:
            rows = self.table(attribute["parentDatabaseName"], attribute["parentTableName"])["rows"]
            for row in rows:
                if row[attribute["parentKey"]] in found:
                    found[row[attribute["parentKey"]]][attribute["name"]] = row[attribute["parentColumn"]]
        self.customers = found

    def answer(self, method: str, path: str, kind: str, body: bytes) -> Any:
        for pattern, name in _ROUTES:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                return getattr(self, name)(*map(unquote, found.groups()), body=body, form=_form(kind, body))
        raise Refused(404, f"no {method} {path}")

    def allowed(self, handler: BaseHTTPRequestHandler, body: bytes) -> Any:
        """Answer who has the key."""
        if handler.headers["Authorization"] != f"TD1 {KEY}":
            raise Refused(401, "no such key")
        path = urlsplit(handler.path).path
        return self.answer(handler.command, path, handler.headers.get("Content-Type", ""), body)

    # Databases and tables

    def list_databases(self, **_: Any) -> Any:
        return {"databases": [{"name": name, "count": 0, "permission": "administrator"} for name in self.databases]}

    def list_tables(self, database: str, **_: Any) -> Any:
        if database not in self.databases:
            raise Refused(404, "no database")
        return {
            "database": database,
            "tables": [
                {
                    "name": name,
                    "type": "log",
                    # Without the column of time, as documented.
                    "schema": json.dumps(table["schema"]),
                    "count": len(table["rows"]),
                    "estimated_storage_size": 0,
                }
                for name, table in self.databases[database].items()
            ],
        }

    def create(self, database: str, table: str, **_: Any) -> Any:
        self.create_table(database, table)
        return {"database": database, "table": table, "type": "log"}

    def delete(self, database: str, table: str, **_: Any) -> Any:
        self.table(database, table)
        del self.databases[database][table]
        return {"database": database, "table": table, "type": "log"}

    def swap(self, database: str, one: str, other: str, **_: Any) -> Any:
        first, second = self.table(database, one), self.table(database, other)
        self.databases[database] |= {one: second, other: first}
        return {"database": database, "table1": one, "table2": other}

    def schema(self, database: str, table: str, *, form: dict[str, str], **_: Any) -> Any:
        given = json.loads(form["schema"])
        self.table(database, table)["schema"] = [[column[0], column[1]] for column in given]
        return {"database": database, "table": table}

    # Bulk imports

    def import_of(self, name: str) -> dict[str, Any]:
        if name not in self.imports:
            raise Refused(404, "no import")
        return self.imports[name]

    def create_import(self, name: str, database: str, table: str, **_: Any) -> Any:
        self.table(database, table)
        if name in self.imports:
            raise Refused(409, "exists")
        self.imports[name] = {
            "name": name, "database": database, "table": table, "status": "uploading", "upload_frozen": False, "job_id": None,
            "valid_records": 0, "error_records": 0, "valid_parts": 0, "error_parts": 0, "parts": {}, "looks": 0,
        }  # fmt: skip
        return {"bulk_import": name}

    def upload(self, name: str, part: str, *, body: bytes, **_: Any) -> Any:
        session = self.import_of(name)
        if session["upload_frozen"]:
            raise Refused(422, "frozen")
        session["parts"][part] = body
        return {"bulk_import": name}

    def freeze(self, name: str, **_: Any) -> Any:
        self.import_of(name)["upload_frozen"] = True
        return {"bulk_import": name}

    def perform(self, name: str, **_: Any) -> Any:
        session = self.import_of(name)
        if not session["upload_frozen"]:
            raise Refused(422, "not frozen")
        schema = dict(self.table(session["database"], session["table"])["schema"])
        session["rows"] = []
        for part in session["parts"].values():
            for record in msgpack.Unpacker(gzip.GzipFile(fileobj=io.BytesIO(part)), raw=False):
                good = isinstance(record.get("time"), int) and all(
                    value is None or (name in schema and isinstance(value, _TYPES[schema[name]]))
                    for name, value in record.items()
                    if name != "time"
                )
                if good and not self.refused_keys & set(map(str, record.values())):
                    session["rows"].append(record)
                else:
                    session["error_records"] += 1
        session |= {"status": "ready", "valid_records": len(session["rows"]), "job_id": self.job(None)}
        return {"bulk_import": name, "job_id": session["job_id"]}

    def commit(self, name: str, **_: Any) -> Any:
        session = self.import_of(name)
        if session["status"] != "ready":
            raise Refused(409, "not ready")
        session["status"] = "committing"
        self.table(session["database"], session["table"])["rows"] += session["rows"]
        return {"bulk_import": name}

    def show(self, name: str, **_: Any) -> Any:
        session = self.import_of(name)
        if session["status"] == "committing":
            session["looks"] += 1
            if session["looks"] > 1:
                session["status"] = "committed"
        return {key: value for key, value in session.items() if key not in ("parts", "rows", "looks")}

    def delete_import(self, name: str, **_: Any) -> Any:
        self.import_of(name)
        del self.imports[name]
        return {"bulk_import": name}

    def list_imports(self, **_: Any) -> Any:
        return {"bulk_imports": [self.show(name) for name in self.imports]}

    # Jobs

    def job(self, result: Any) -> str:
        number = str(len(self.jobs) + 1)
        self.jobs[number] = {"looks": ["queued", "running", "success"], "result": result}
        return number

    def issue(self, database: str, *, form: dict[str, str], **_: Any) -> Any:
        return {"job": "1", "database": database, "job_id": self.job(self.query(form["query"]))}

    def job_status(self, number: str, **_: Any) -> Any:
        looks = self.jobs[number]["looks"]
        return {"job_id": number, "status": looks.pop(0) if len(looks) > 1 else looks[0]}

    def job_show(self, number: str, **_: Any) -> Any:
        return {
            "job_id": number,
            "status": self.jobs[number]["looks"][0],
            "type": "presto",
            "query": "",
            "database": "db",
        }

    def job_result(self, number: str, **_: Any) -> Any:
        if self.jobs[number]["looks"] != ["success"]:
            raise Refused(404, "not done")
        return b"".join(msgpack.packb(list(row)) for row in self.jobs[number]["result"])

    # Audience API

    def get_audience(self, number: str, **_: Any) -> Any:
        if int(number) not in self.audiences:
            raise Refused(404, "no audience")
        return self.audiences[int(number)]

    def change_audience(self, number: str, *, body: bytes, **_: Any) -> Any:
        for other in [self.before_put.pop(0)] if self.before_put else []:
            other()
        found = json.loads(json.dumps(self.put_audience(int(number), json.loads(body))))
        for other in [self.behind_put.pop(0)] if self.behind_put else []:
            other()
        return found

    def run(self, number: str, **_: Any) -> Any:
        run = {
            "workflowId": "7", "workflowSessionId": str(len(self.runs) + 1), "workflowAttemptId": str(len(self.runs) + 1),
            "audienceId": number, "createdAt": "2026-07-01T00:00:00Z", "finishedAt": None, "status": "queued",
        }  # fmt: skip
        self.runs.append(run)
        return dict(run)

    def executions(self, number: str, **_: Any) -> Any:
        given = [dict(run) for run in reversed(self.runs)]
        for run in self.runs:
            if run["status"] == "running":
                run |= {"status": self.run_ends, "finishedAt": "2026-07-01T00:01:00Z"}
                if self.run_ends == "success":
                    self.run_customers(int(number))
            elif run["status"] == "queued":
                run["status"] = "running"
        return given


def _form(kind: str, body: bytes) -> dict[str, str]:
    """Fields of a form, which td-client sends in parts."""
    if not kind.startswith("multipart/form-data"):
        return {}
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in parts
    }


_ROUTES = [
    (r"GET /v3/database/list", "list_databases"),
    (r"GET /v3/table/list/([^/]+)", "list_tables"),
    (r"POST /v3/table/create/([^/]+)/([^/]+)/log", "create"),
    (r"POST /v3/table/delete/([^/]+)/([^/]+)", "delete"),
    (r"POST /v3/table/swap/([^/]+)/([^/]+)/([^/]+)", "swap"),
    (r"POST /v3/table/update-schema/([^/]+)/([^/]+)", "schema"),
    (r"POST /v3/bulk_import/create/([^/]+)/([^/]+)/([^/]+)", "create_import"),
    (r"PUT /v3/bulk_import/upload_part/([^/]+)/([^/]+)", "upload"),
    (r"POST /v3/bulk_import/freeze/([^/]+)", "freeze"),
    (r"POST /v3/bulk_import/perform/([^/]+)", "perform"),
    (r"POST /v3/bulk_import/commit/([^/]+)", "commit"),
    (r"POST /v3/bulk_import/delete/([^/]+)", "delete_import"),
    (r"GET /v3/bulk_import/show/([^/]+)", "show"),
    (r"GET /v3/bulk_import/list", "list_imports"),
    (r"POST /v3/job/issue/presto/([^/]+)", "issue"),
    (r"GET /v3/job/status/([^/]+)", "job_status"),
    (r"GET /v3/job/show/([^/]+)", "job_show"),
    (r"GET /v3/job/result/([^/]+)", "job_result"),
    (r"GET /audiences/(\d+)", "get_audience"),
    (r"PUT /audiences/(\d+)", "change_audience"),
    (r"POST /audiences/(\d+)/run", "run"),
    (r"GET /audiences/(\d+)/executions", "executions"),
]


class Stub(Loopback):
    """The service on a port of this machine."""

    service: TreasureData

    def __init__(self) -> None:
        super().__init__(TreasureData())
