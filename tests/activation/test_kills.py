"""A sync that is killed between and inside batches is finished by the next: one row per key, with the latest value."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.activation.conftest import Published, people
from tests.activation.receiver import Receiver

SETTINGS = {"kind": "webhook", "url_env": "HOOK_URL", "secret_env": "HOOK_SECRET", "batch_rows": 2}


def test_whatever_step_a_sync_is_killed_at_the_next_ends_it(published: Published, receiver: Receiver) -> None:
    published.publish(people(6))
    steps = ["planned", "read 1", "sent 1", "marked 1", "sent 2", "finished"]
    command = [sys.executable, "-m", "tests.activation.killed_sync", str(published.folder), json.dumps(SETTINGS)]
    done = subprocess.run(
        [*command, *steps], env={**os.environ, **published.environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = published.sync()
    assert (result.status, result.added, result.unchanged) == ("succeeded", 0, 6)
    assert receiver.rows == {
        key: {"customer_id": key, "churn_probability": 0.5, "churn_grade": "A"} for key in people(6)
    }
    # What was sent twice was on its way when the process ended, and has the key that it had before.
    keys: dict[tuple[str, ...], set[str]] = {}
    for request in receiver.requests:
        keys.setdefault(tuple(request["keys"]), set()).add(request["key"])
    assert all(len(found) == 1 for found in keys.values())
    statuses = published.column("select status from activation.sync_runs")
    assert sorted(statuses) == ["interrupted"] * 6 + ["succeeded"]
    assert published.column("select count(*) from activation.sync_changelog") == [6]
