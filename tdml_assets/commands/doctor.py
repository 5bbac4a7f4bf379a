"""The command ``doctor``. Belongs here: looking at the machine and the state. Does not: judging it (``doctor_checks.py``)."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import closing
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from packaging.requirements import Requirement

from tdml_assets.commands.common import FAILED, AsJson, print_json
from tdml_assets.commands.doctor_checks import (
    Finding,
    judge_disk,
    judge_libraries,
    judge_memory,
    judge_permissions,
    judge_port,
    judge_python,
    judge_telemetry,
)
from tdml_assets.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from tdml_assets.settings import Settings

_PACKAGE = "tdml-assets"


def doctor(
    port: Annotated[int, typer.Option(help="Port of the UI to look at.")] = 3000,
    as_json: AsJson = False,
) -> None:
    """Check what a run needs: Python, libraries, settings, sources, memory, disk, permissions, locks, models, ports.

    \b
    tdml-assets doctor
    tdml-assets doctor --json

    \b
    Exit codes: 0 a run can succeed; 1 at least one line says fail.
    """
    findings = examine(port)
    if as_json:
        print_json([asdict(found) for found in findings])
    else:
        typer.echo("\n".join(found.line() for found in findings))
    if any(found.state == "fail" for found in findings):
        raise typer.Exit(FAILED)


def examine(port: int) -> list[Finding]:
    """Every finding, in the order in which they matter."""
    findings = [judge_python(sys.version_info[:2], f"{sys.version.split()[0]} at {sys.executable}"), _libraries()]
    try:
        settings = load_settings()
    except SettingsError as error:
        findings.append(Finding("settings", "fail", str(error)))
        return [*findings, judge_port(port, is_free=_is_free(port))]
    findings.append(Finding("settings", "ok", os.environ.get("TDML_CONFIG") or _default_settings()))
    findings += [_sources(settings), _memory(settings), _disk(settings), _permissions(settings)]
    if findings[1].state == "ok":
        # What follows needs the libraries.
        findings += [_dbt(), _state(settings), _lock(settings), _warehouse(settings), _models(settings)]
    return [*findings, judge_port(port, is_free=_is_free(port)), _telemetry(settings)]


def _libraries() -> Finding:
    try:
        requirements = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        return Finding("libraries", "fail", f"{_PACKAGE} is not installed", "make run installs it")
    installed: dict[str, str | None] = {}
    for name in {Requirement(text).name for text in requirements}:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = None
    return judge_libraries(requirements, installed)


def _default_settings() -> str:
    return "tdml.yaml" if Path("tdml.yaml").is_file() else "none: the sample is used"


def _sources(settings: Settings) -> Finding:
    from tdml_assets.stages.raw.files import require_local
    from tdml_assets.stages.raw.rules import SourceError

    if settings.uses_sample:
        return Finding("sources", "ok", "the sample, made by a run")
    try:
        require_local(settings.sources, settings.base_folder)
    except SourceError as error:
        return Finding("sources", "fail", str(error))
    return Finding("sources", "ok", "every local file is there; tdml-assets check reads them")


def _memory(settings: Settings) -> Finding:
    from tdml_assets.platform.machine import machine

    cores, total_gb = machine()
    return judge_memory(total_gb, cores, settings.warehouse.memory_limit_gb)


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _disk(settings: Settings) -> Finding:
    place = _nearest(settings.home)
    return judge_disk(shutil.disk_usage(place).free / 1e9, str(place))


def _permissions(settings: Settings) -> Finding:
    home = settings.home
    place = _nearest(home)
    others = home.exists() and bool(home.stat().st_mode & 0o077)
    return judge_permissions(
        str(home), exists=home.exists(), writable=os.access(place, os.W_OK | os.X_OK), others_read=others
    )


def _dbt() -> Finding:
    from tdml_assets.stages.features.dbt_manifest import dbt_executable

    try:
        return Finding("dbt", "ok", dbt_executable())
    except FileNotFoundError as error:
        return Finding("dbt", "fail", str(error))


def _state(settings: Settings) -> Finding:
    from tdml_assets.platform.warehouse_errors import WarehouseError
    from tdml_assets.stages.raw.rules import SourceError
    from tdml_assets.stages.raw.state_folder import check_state
    from tdml_assets.stages.raw.state_identity import StateConflictError

    try:
        check_state(settings)
    except WarehouseError:
        return Finding("state", "warn", "not compared with the orders: the warehouse does not open")
    except (StateConflictError, SourceError) as error:
        return Finding("state", "fail", str(error))
    return Finding("state", "ok", "the folder belongs to the orders of these settings, or to none yet")


def _lock(settings: Settings) -> Finding:
    from tdml_assets.commands.status import running

    holder = running(settings)
    if holder:
        return Finding("lock", "warn", f"{holder} is using the folder", "a second run waits for it")
    return Finding("lock", "ok", "nobody is using the folder")


def _warehouse(settings: Settings) -> Finding:
    from tdml_assets.platform.resources import build_warehouse
    from tdml_assets.platform.warehouse import WarehouseBusyError
    from tdml_assets.platform.warehouse_errors import WarehouseError

    path = settings.warehouse_path
    if not path.exists():
        return Finding("warehouse", "ok", "none yet")
    try:
        with build_warehouse(settings).model_copy(update={"wait_seconds": 1.0}).read():
            return Finding("warehouse", "ok", f"{path} ({path.stat().st_size / 1e6:,.0f} MB) opens")
    except WarehouseBusyError as error:
        return Finding("warehouse", "warn", str(error))
    except (WarehouseError, OSError) as error:
        return Finding("warehouse", "fail", str(error))


def _models(settings: Settings) -> Finding:
    from tdml_assets.models.blobs import BlobStoreError
    from tdml_assets.models.bundles import BundleDamagedError
    from tdml_assets.platform.resources import build_model_store

    if settings.models_url is None and not (settings.home / "models").is_dir():
        return Finding("models", "ok", "none yet")
    try:
        store = build_model_store(settings).open()
        names = store.workflows()
        for name in names:
            if store.champion(name) is not None:
                store.read_champion(name)
    except BundleDamagedError as error:
        return Finding("models", "fail", str(error), "tdml-assets versions lists those stored; promote another")
    except (BlobStoreError, OSError) as error:
        return Finding("models", "fail", str(error))
    return Finding("models", "ok", f"champions of {len(names)} workflows are whole")


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _telemetry(settings: Settings) -> Finding:
    path = settings.home / "dagster" / "dagster.yaml"
    if not path.is_file():
        return judge_telemetry(True)
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return judge_telemetry((found.get("telemetry") or {}).get("enabled") is False)
