"""The command ``doctor``: Python, libraries, memory, disk, permissions and the state, measured and judged."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
import yaml
from packaging.requirements import Requirement

from tdml_assets.commands.common import FAILED, AsJson, print_json
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


State = Literal["ok", "warn", "fail"]
_OLDEST_PYTHON, _NEWEST_TRIED = (3, 11), (3, 13)
_LOW_MEMORY_GB, _LOW_DISK_GB, _NO_DISK_GB = 4.0, 5.0, 0.5
#: Share of the memory that the warehouse may take; the learner and Dagster need the rest.
_WAREHOUSE_SHARE = 0.75


@dataclass(frozen=True)
class Finding:
    """One line of the answer.

    ``state``: ok, warn (works, and may not for long) or fail (a run cannot succeed). ``text``: what was found. ``remedy``: what
    to do; empty where all is well.
    """

    name: str
    state: State
    text: str
    remedy: str = ""

    def line(self) -> str:
        """As it is printed."""
        return f"{self.state:<5} {self.name:<12} {self.text}" + (f": {self.remedy}" if self.remedy else "")


def judge_python(version: tuple[int, int], text: str) -> Finding:
    """The interpreter."""
    if version < _OLDEST_PYTHON:
        return Finding(
            "python", "fail", text, "install 3.11 or newer, and make .venv again with PYTHON=/path/to/python3"
        )
    if version > _NEWEST_TRIED:
        return Finding(
            "python", "warn", f"{text}, newer than the tested 3.13", "use 3.13 if a library fails to install"
        )
    return Finding("python", "ok", text)


def judge_libraries(requirements: Sequence[str], installed: Mapping[str, str | None]) -> Finding:
    """Installed versions against those the package asks for.

    ``requirements``: as the package's metadata lists them. ``installed``: version per name; None for one that is missing.
    """
    faults, checked = [], 0
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        checked += 1
        found = installed.get(wanted.name)
        if found is None:
            faults.append(f"{wanted.name} is missing")
        elif not wanted.specifier.contains(found, prereleases=True):
            faults.append(f"{wanted.name} {found} is not {wanted.specifier}")
    if faults:
        return Finding(
            "libraries", "fail", ", ".join(faults), "install the package's requirements again (make run does)"
        )
    return Finding("libraries", "ok", f"{checked} as required")


def judge_memory(total_gb: float, cores: int, warehouse_gb: float) -> Finding:
    """Memory and cores."""
    text = f"{total_gb:.1f} GB, {cores} cores; the warehouse may use {warehouse_gb:g} GB"
    if warehouse_gb > total_gb * _WAREHOUSE_SHARE:
        remedy = f"set warehouse.memory_limit_gb to {max(total_gb / 2, 0.5):.1f} or less"
        return Finding("memory", "warn", text, remedy)
    if total_gb < _LOW_MEMORY_GB:
        return Finding("memory", "warn", text, "a million order lines need about 4 GB: use a larger machine for more")
    return Finding("memory", "ok", text)


def judge_disk(free_gb: float, place: str) -> Finding:
    """Free space where the state lies."""
    text = f"{free_gb:.1f} GB free at {place}"
    if free_gb < _NO_DISK_GB:
        return Finding("disk", "fail", text, "free some, or move TDML_HOME; tdml-assets clean shows what could go")
    if free_gb < _LOW_DISK_GB:
        return Finding("disk", "warn", text, "tdml-assets clean shows what could go")
    return Finding("disk", "ok", text)


def judge_permissions(home: str, *, exists: bool, writable: bool, others_read: bool) -> Finding:
    """Whether the state folder can be written, and by nobody else read."""
    if not writable:
        return Finding(
            "permissions", "fail", f"{home} cannot be written", "correct its owner, or set another TDML_HOME"
        )
    if not exists:
        return Finding("permissions", "ok", f"{home} will be made by the first run")
    if others_read:
        return Finding(
            "permissions", "warn", f"{home} holds customers' data and others may read it", f"chmod 700 {home}"
        )
    return Finding("permissions", "ok", f"{home} is its owner's alone")


def judge_port(port: int, *, is_free: bool) -> Finding:
    """The port of the UI."""
    if is_free:
        return Finding("port", "ok", f"{port} is free for tdml-assets ui")
    return Finding("port", "warn", f"{port} is taken", f"tdml-assets ui --port {port + 1}")


def judge_telemetry(telemetry_is_off: bool) -> Finding:
    """Whether anything reports home."""
    if telemetry_is_off:
        return Finding("telemetry", "ok", "off for Dagster, dbt and Evidently")
    return Finding("telemetry", "warn", "Dagster's is not switched off in the state folder", "run tdml-assets prepare")
