"""Syncs that are killed: a process that loads the libraries once and forks a sync per line of its input.

A line is the seconds after which the sync is killed by SIGKILL, or ``inf``. The answer is ``killed``, or ``ended`` and how long it
took. Belongs here: the forks. Does not: when is killed and what must hold behind it (``activation_kills.py``).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import azure.storage.blob
import boto3
import paramiko
import psycopg
import pytd

from tdml_assets.activation.syncing import Surroundings, run_sync
from tdml_assets.declaration.destinations import read_destination
from tdml_assets.platform.retrying import Clock
from tdml_assets.platform.warehouse import Warehouse

_LIBRARIES = (azure.storage.blob, paramiko, psycopg, pytd)


def sync(folder: Path, settings: dict[str, object], endpoint: str | None) -> bool:
    """Sync once; whether it succeeded."""
    warehouse = Warehouse(
        database=str(folder / "warehouse.duckdb"), temp_directory=str(folder / "spill"), wait_seconds=10
    )

    def client() -> object:
        return boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
        )

    clock = Clock(sleep=lambda seconds: time.sleep(min(seconds, 0.05)))
    result = run_sync(
        warehouse,
        "there",
        read_destination("there", settings),
        Surroundings(folder / "scratch", clock=clock, s3_client=client),
    )
    if result.status != "succeeded":
        sys.stderr.write(f"{result.reason}\n")
    return result.status == "succeeded"


def main() -> None:
    """Fork per line of the input."""
    folder, settings, endpoint = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] or None
    for line in sys.stdin:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            # What it logs is of no use, and a pipe nobody reads would stop it.
            os._exit(0 if sync(folder, settings, endpoint) else 1)
        seconds, done = float(line), 0
        while time.monotonic() - began < seconds:
            done, code = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.002)
        if done:
            took = time.monotonic() - began
            sys.stdout.write(f"ended {took:.4f}\n" if os.waitstatus_to_exitcode(code) == 0 else "failed\n")
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            sys.stdout.write("killed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
