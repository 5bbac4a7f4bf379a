"""The image and compose.yaml name files, commands and settings that exist. Nothing is built here."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import typer
import yaml

from tdml_assets.commands.app import app
from tdml_assets.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
INSTANCE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "dagster.yaml").read_text(encoding="utf-8"))
START = ROOT / "docker" / "start_code.sh"
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "tdml-assets"}


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of a name, with continued lines joined."""
    text = DOCKERFILE.replace("\\\n", " ")
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith(f"{name} ")]


def test_the_image_copies_what_is_there_and_what_the_package_is_built_of() -> None:
    copied = {source for words in instructions("COPY") for source in words.split()[:-1]}
    assert {source for source in copied if not (ROOT / source).exists()} == set()
    packaging = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = packaging["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], packaging["project"]["readme"]} <= copied
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert copied <= kept


def test_the_locks_of_the_image_hold_what_the_containers_start() -> None:
    locks = [word for words in instructions("RUN") for word in words.split() if word.endswith(".lock")]
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in locks]
    names = {name for text in texts for name in re.findall(r"^([\w-]+)==", text, re.MULTILINE)}
    assert {"dagster", "dagster-webserver", "dagster-postgres", "hatchling", "editables"} <= names


def test_the_containers_share_the_state_and_the_storage() -> None:
    for service in OURS.values():
        assert "state:/state" in service["volumes"]
    assert instructions("VOLUME") == ["/state"]
    assert "TDML_HOME=/state" in instructions("ENV")[0]
    assert "DAGSTER_HOME=/state/dagster" in instructions("ENV")[0]
    declared = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]}
    assert {name for name in declared if not name.startswith(".")} == set(COMPOSE["volumes"])
    storage = INSTANCE["storage"]["postgres"]["postgres_db"]
    database = COMPOSE["services"][storage["hostname"]]["environment"]
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == (storage["username"], storage["db_name"])
    for service in OURS.values():
        assert storage["password"]["env"] in service["environment"]


def test_what_the_containers_run_exists() -> None:
    assert instructions("CMD") == [f'["{START.relative_to(ROOT)}"]']
    assert START.stat().st_mode & 0o111
    script = START.read_text(encoding="utf-8")
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"^tdml-assets ([\w-]+)", script, re.MULTILINE)) == {"prepare"} <= commands
    workspace = yaml.safe_load((ROOT / "docker" / "workspace.yaml").read_text(encoding="utf-8"))
    (server,) = [entry["grpc_server"] for entry in workspace["load_from"]]
    assert server["host"] in OURS
    assert f"--port {server['port']} --module-name tdml_assets.definitions" in script
    for name in ("webserver", "daemon"):
        assert (ROOT / OURS[name]["command"][-1]).is_file()
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
    keys = {f"TDML_{name.upper()}" for name in Settings.model_fields} | {"TDML_CONFIG", "TDML_HOME"}
    named = {name for service in OURS.values() for name in service["environment"] if name.startswith("TDML_")}
    assert named <= keys


def test_the_instance_differs_from_the_shipped_one_by_its_storage_alone() -> None:
    shipped = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    # No process starts a code server of its own.
    left_out = {"storage", "code_servers"}
    assert "code_servers" not in INSTANCE
    of_shipped, of_containers = (
        {name: value for name, value in settings.items() if name not in left_out} for settings in (shipped, INSTANCE)
    )
    assert of_shipped == of_containers
