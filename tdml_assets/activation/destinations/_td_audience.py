"""A parent segment's attributes, by the Audience API of Treasure Data.

Elsewhere: the table they are read from (``_td_table.py``).

The trap of the API: a PUT with ``master`` replaces every attribute, behaviour and filter by what is in its body, and what is left
out is deleted, without a way back. There is no condition either under which a PUT is taken. Therefore:

* nothing is put where our attributes are there already, which is every sync but the first;
* the body is all that a GET gave a moment before, with ours added; a body with less is never sent;
* behind the PUT the segment is read again. What was lost, ours to somebody else's PUT or theirs to this one, is put back.

An attribute that somebody adds between the GET and the PUT, which follow each other directly, cannot be seen by anybody.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tdml_assets.activation.http import Http, json_of
from tdml_assets.activation.protocol import DestinationError, TransientError

#: Collections that a PUT replaces.
COLLECTIONS = ("attributes", "behaviors", "audienceFilters")
_ROUNDS = 4
_FAILED = ("error", "canceled", "canceling")
_IDENTITY = ("name", "parentDatabaseName", "parentTableName", "parentColumn")


@dataclass(frozen=True)
class OwnAttributes:
    """The attributes over our table.

    ``parent_key``, ``foreign_key``: the customer's id in our table and in the master table. ``grouping``: folder of new
    attributes. ``types``: type of the attribute per column.
    """

    database: str
    table: str
    parent_key: str
    foreign_key: str
    grouping: str
    types: Mapping[str, str]

    def is_own(self, attribute: Mapping[str, Any]) -> bool:
        """Whether an attribute is read from our table."""
        return (attribute.get("parentDatabaseName"), attribute.get("parentTableName")) == (self.database, self.table)


def merge(audience: Mapping[str, Any], own: OwnAttributes, audience_id: str) -> tuple[dict[str, Any], list[str]]:
    """Body of a complete PUT, and the names of the attributes that it adds.

    Attributes of our table that are there keep their name and folder, which people may have changed. ``audience``: what a GET gave.
    Raises ``DestinationError`` if a name is taken by an attribute of another table, or attributes read a column that is no longer
    sent.
    """
    attributes = [dict(attribute) for attribute in audience.get("attributes") or ()]
    gone = [a["name"] for a in attributes if own.is_own(a) and a.get("parentColumn") not in own.types]
    if gone:
        raise DestinationError(
            f"the parent segment has attributes over columns that would be gone ({', '.join(map(str, gone))}): send them, or "
            "delete these attributes in Audience Studio first"
        )
    there = {a.get("parentColumn") for a in attributes if own.is_own(a)}
    missing = [name for name in own.types if name not in there]
    taken = {a.get("name") for a in attributes} & set(missing)
    if taken:
        raise DestinationError(
            f"the parent segment has attributes named {', '.join(sorted(map(str, taken)))} over other tables: give ours another "
            "name under attributes"
        )
    attributes += [
        {
            "audienceId": audience_id,
            "name": name,
            "type": own.types[name],
            "parentDatabaseName": own.database,
            "parentTableName": own.table,
            "parentColumn": name,
            "parentKey": own.parent_key,
            "foreignKey": own.foreign_key,
            "groupingName": own.grouping,
        }
        for name in missing
    ]
    return {**audience, "attributes": attributes}, missing


def lost(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """What of each collection is in ``before`` and not in ``after``; empty where nothing is missing."""
    found = {}
    for collection in COLLECTIONS:
        there = [_identity(item) for item in after.get(collection) or ()]
        missing = [item for item in before.get(collection) or () if _identity(item) not in there]
        if missing:
            found[collection] = missing
    return found


def put_back(audience: Mapping[str, Any], missing: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """What a GET gave, with what was lost."""
    return {**audience, **{name: [*(audience.get(name) or ()), *items] for name, items in missing.items()}}


def _identity(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """What an item is about; an id is given anew by every PUT."""
    if "parentColumn" in item:
        return tuple(item.get(name) for name in _IDENTITY)
    if "parentTableName" in item:
        return (item.get("name"), item.get("parentDatabaseName"), item.get("parentTableName"))
    return (json.dumps({key: value for key, value in item.items() if key != "id"}, sort_keys=True),)


class Audience:
    """One parent segment. ``address``: of the segment in the Audience API. ``api_key``: a secret."""

    def __init__(self, http: Http, address: str, api_key: str, own: OwnAttributes) -> None:
        self.address = address
        self._http, self._own = http, own
        self._id = address.rpartition("/")[2]
        self._headers = {"Authorization": f"TD1 {api_key}", "Content-Type": "application/json"}
        self._expected: Mapping[str, Any] | None = None
        self._added: list[str] = []
        self._known_runs: set[str] | None = None
        self._run: str | None = None
        self._is_complete = False

    def look(self) -> dict[str, Any]:
        """Read the segment, and whether our attributes can be merged into it."""
        _, missing = merge(self._read(), self._own, self._id)
        return {"parent_segment": self.address, "attributes_to_add": len(missing)}

    def complete(self) -> list[str]:
        """Put our attributes into the segment where they are missing; gives their names. Called again, it goes on.

        Raises ``DestinationError`` if somebody writes the segment at the same time, again and again.
        """
        for _ in range(_ROUNDS if not self._is_complete else 0):
            found = self._read()
            missing = lost(self._expected, found) if self._expected else {}
            body, added = merge(put_back(found, missing), self._own, self._id)
            if not added and not missing:
                self._is_complete = True
                break
            if "master" not in body or lost(found, body):
                raise DestinationError("the parent segment has no master table: correct parent_segment")
            self._expected = body
            self._added = list(dict.fromkeys([*self._added, *added]))
            self._ask("PUT", "", body)
        if not self._is_complete:
            raise DestinationError(
                f"the parent segment does not keep its attributes after {_ROUNDS} times: somebody else writes it; the table is in "
                "place, sync again later"
            )
        return self._added

    def run(self, *, poll_seconds: float, most_seconds: float) -> str:
        """Run the segment and wait for its end; gives its status.

        A run that goes on already may have read the table of before: its end is waited for, and another is started. Raises
        ``DestinationError`` if the run fails, or takes too long.
        """
        ends = time.monotonic() + most_seconds
        while True:
            runs = {_run_id(run): run for run in self._runs()}
            going = [name for name, run in runs.items() if _is_going(run)]
            if self._run is None and self._known_runs is not None:
                # An answer that was lost: the run that is new is ours.
                self._run = next((name for name in runs if name not in self._known_runs), None)
            if self._run is None and not going:
                self._known_runs = set(runs)
                self._run = _run_id(self._ask("POST", "/run"))
            elif self._run in runs and not _is_going(runs[self._run]):
                status = str(runs[self._run].get("status"))
                if status in _FAILED:
                    raise DestinationError(
                        f"the run of the parent segment ended with {status}: see its workflow; the table is in place"
                    )
                return status
            if time.monotonic() >= ends:
                raise DestinationError(
                    f"the run of the parent segment was not done after {most_seconds:g} s: see its workflow; the table is in place"
                )
            time.sleep(poll_seconds)

    def _read(self) -> Mapping[str, Any]:
        found = self._ask("GET", "")
        if not isinstance(found.get("attributes"), list):
            # A segment that reads as one without attributes would be put as one without.
            raise TransientError("the Audience API gives a parent segment without its attributes")
        return found

    def _runs(self) -> list[Mapping[str, Any]]:
        _, _, content = self._http.request("GET", f"{self.address}/executions", headers=self._headers, rejects=False)
        found = json_of(content)
        return found if isinstance(found, list) else []

    def _ask(self, method: str, place: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        content = json.dumps(body).encode() if body is not None else None
        _, _, answer = self._http.request(
            method, f"{self.address}{place}", body=content, headers=self._headers, rejects=False
        )
        found = json_of(answer)
        if not isinstance(found, Mapping):
            raise TransientError("the Audience API answers with something that is not JSON")
        return found


def _run_id(run: Mapping[str, Any]) -> str:
    return f"{run.get('workflowSessionId')}/{run.get('workflowAttemptId')}"


def _is_going(run: Mapping[str, Any]) -> bool:
    return run.get("finishedAt") is None and str(run.get("status")) not in (*_FAILED, "success")
