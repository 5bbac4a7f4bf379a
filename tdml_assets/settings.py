"""``tdml.yaml`` and the environment become one frozen, validated ``Settings``.

Elsewhere: the declaration of sources (``declaration/sources.py``) and of workflows (``declaration/workflow.py``).

The file is named by ``TDML_CONFIG`` (default ``tdml.yaml``), the state folder by ``TDML_HOME`` (default ``.tdml``, and
``.tdml/sample-state`` where no orders are declared). Every other key can be overridden by the environment: ``TDML_AS_OF``,
``TDML_WAREHOUSE__MEMORY_LIMIT_GB``, and so on; values are YAML.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tdml_assets.declaration.addresses import has_credentials, redacted, redacted_text
from tdml_assets.declaration.alerts import Alerts
from tdml_assets.declaration.audience import AudienceSettings
from tdml_assets.declaration.declared_destinations import Destinations
from tdml_assets.declaration.destinations import DestinationSettings
from tdml_assets.declaration.quality import QualityPolicy
from tdml_assets.declaration.retention import Retention
from tdml_assets.declaration.sources import Sources
from tdml_assets.settings_yaml import UnreadableYamlError, read_yaml
from tdml_assets.simulation import SimulationSettings
from tdml_assets.simulation.sample_sources import sources_of_sample

_PREFIX = "TDML_"
_NOT_KEYS = {"TDML_HOME", "TDML_CONFIG"}
#: State folder unless TDML_HOME names one, and the one inside it that the sample has for itself: what is learnt from simulated
#: customers must not be there when a team's own orders come.
DEFAULT_HOME = ".tdml"
SAMPLE_HOME = "sample-state"
_KEYS_REMEDY = "keys belong into the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
#: Under ``workflows``: all that are declared and not named next to it.
EVERY_OTHER = "*"


class SettingsError(ValueError):
    """The settings cannot be used: names the file, the key, the value and the remedy; never a secret of an address."""

    def __init__(self, message: str) -> None:
        super().__init__(redacted_text(message))


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class WarehouseSettings(_Frozen):
    """The DuckDB file."""

    memory_limit_gb: float = Field(
        default=2.0, gt=0, le=1e6, description="Memory DuckDB may use before it spills, in GB."
    )
    threads: int | None = Field(default=None, ge=1, le=1024, description="Threads; every core unless given.")
    max_temp_gb: float = Field(default=50.0, gt=0, le=1e9, description="Disk that spilled data may use, in GB.")
    wait_seconds: float = Field(
        default=30.0, ge=0, description="How long to wait for another process that holds the file."
    )


class S3Settings(_Frozen):
    """Where S3 is. Credentials come from the environment or the machine's role, never from a file here."""

    endpoint_url: str | None = Field(default=None, description="Of an S3-compatible store; AWS unless given.")
    region_name: str | None = Field(default=None, description="Region of the buckets.")

    @field_validator("endpoint_url")
    @classmethod
    def _no_credentials(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if not re.match(r"https?://[^/]", value):
            raise ValueError("write the address of the store, such as https://s3.example.org")
        if has_credentials(value) or "?" in value or "#" in value:
            raise ValueError(f"write https://host alone: {_KEYS_REMEDY}")
        return value


class Settings(_Frozen):
    """Everything that can be set. Made by :func:`load_settings`."""

    home: Path = Field(description="Folder of all state.")
    base_folder: Path = Field(description="Folder that relative paths in the file start from: the file's own.")
    sources: Sources = Sources()
    sample: SimulationSettings = Field(
        default_factory=SimulationSettings, description="Sample data, made when no orders are declared."
    )
    as_of: Literal["latest"] | date = Field(
        default="latest", description="Last day whose data the sessions read; latest: the last that the orders support."
    )
    workflows: dict[str, dict[str, Any]] | None = Field(
        default=None,
        description="Workflows that run, with keys of theirs to override; '*' stands for all others. All that are declared unless "
        "given.",
    )
    warehouse: WarehouseSettings = WarehouseSettings()
    dbt_runner: Literal["compiled", "dbt"] = Field(
        default="compiled",
        description="Who builds the dbt project's tables: the statements that dbt compiled, run in the session's own process, or "
        "dbt itself (dbt build), which takes some seconds longer to start. The tables are the same.",
    )
    models_url: str | None = Field(
        default=None, description="Folder or s3:// URL of model bundles; <home>/models unless given."
    )
    exports_url: str | None = Field(
        default=None, description="Folder or s3:// URL of exports; <home>/exports unless given."
    )
    reports_url: str = Field(
        default="http://127.0.0.1:3001",
        description="Address of the reports folder, for links from the Dagster UI. `tdml-assets ui` serves it there if it is "
        "this machine's own; give the address of your web server if that serves the folder.",
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$",
    )
    s3: S3Settings = S3Settings()
    tier: Literal["tier1", "tier2", "machine"] = Field(
        default="machine", description="CPU, memory and disk an engine may use."
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        default="cpu",
        description="Where XGBoost trains: cpu; cuda, a GPU of NVIDIA, which needs the full build of xgboost; auto, cuda where "
        "there is one. Scores come from the CPU.",
    )
    own_process_above_mb: int = Field(
        default=250,
        ge=0,
        description="MB of rows to learn from above which the kernel keeps a training within its tier.",
    )
    trusted_types: tuple[str, ...] = Field(
        default=(),
        description="Types of your own that a stored scikit-learn model may hold, such as shop.models.Blend.",
    )
    destinations: Destinations = Destinations()
    audience: AudienceSettings = Field(
        default_factory=AudienceSettings, description="Who is kept out of activation, to measure it."
    )
    quality: QualityPolicy = Field(default_factory=QualityPolicy, description="Where raw data count as broken.")
    alerts: Alerts = Field(default_factory=Alerts, description="Who gets an alert about an episode.")
    retention: Retention = Field(
        default_factory=Retention,
        description="How much of earlier sessions is kept: pages, logs, runs, model versions.",
    )
    session_wait_seconds: float = Field(
        default=600.0,
        ge=0,
        description="How long a run waits for another run on the same state folder before it gives up.",
    )

    @field_validator("workflows", mode="before")
    @classmethod
    def _list_or_mapping(cls, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return {name: {} for name in value}
        if isinstance(value, dict):
            return {name: overrides or {} for name, overrides in value.items()}
        return value

    @field_validator("as_of", mode="before")
    @classmethod
    def _latest_or_a_day(cls, value: Any) -> Any:
        if isinstance(value, str) and value != "latest":
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise ValueError("write latest, or a day such as 2026-06-30") from None
        if value != "latest" and not isinstance(value, date):
            raise ValueError("write latest, or a day such as 2026-06-30")
        return value

    @field_validator("models_url", "exports_url")
    @classmethod
    def _folder_or_s3(cls, value: str | None) -> str | None:
        if value is None or not re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:/", value):
            return value
        if value.startswith("s3://") and has_credentials(value):
            raise ValueError(f"write s3://bucket/prefix alone: {_KEYS_REMEDY}")
        if not re.fullmatch(r"s3://[^/?#]+(/[^?#]*)?", value):
            raise ValueError("write a folder, or s3://bucket/prefix: no other store is known")
        return value

    @property
    def uses_sample(self) -> bool:
        """Whether no orders are declared, so that sample data is made."""
        return self.sources.orders is None

    @property
    def effective_sources(self) -> Sources:
        """The declared sources, or those of the sample data."""
        return _sample_sources(self.sample_folder, self.sample.currency) if self.uses_sample else self.sources

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def sample_folder(self) -> Path:
        """Where sample data is written."""
        return self.home / "sample"

    def report_url(self, path: Path | str) -> str:
        """Address of a page; ``path`` is below the reports folder."""
        below = Path(path)
        if below.is_absolute():
            below = below.relative_to(self.reports_folder)
        return f"{self.reports_url.rstrip('/')}/{below.as_posix()}"

    @property
    def reports_folder(self) -> Path:
        """Where HTML reports are written."""
        return self.home / "reports"

    @property
    def effective_models_url(self) -> str:
        """Where model bundles are kept."""
        return _resolve(self.models_url, self.base_folder) or str(self.home / "models")

    @property
    def effective_exports_url(self) -> str:
        """Where exports are written."""
        return _resolve(self.exports_url, self.base_folder) or str(self.home / "exports")


# Asked for dozens of times while the definitions are built, and validated each time otherwise.
@cache
def _sample_sources(folder: Path, currency: str) -> Sources:
    return Sources.model_validate(sources_of_sample(folder, currency=currency))


def _resolve(url: str | None, base_folder: Path) -> str | None:
    if url is None or "://" in url:
        return url
    return str((base_folder / url).resolve())


def load_settings(environment: Mapping[str, str] | None = None, *, working_folder: Path | None = None) -> Settings:
    """Read the settings file and the environment.

    Raises ``SettingsError`` if the file is missing or is not YAML, or a key is unknown or wrong; every fault is named at once.
    ``environment``: variables to read; the process's own unless given. ``working_folder``: folder that ``TDML_CONFIG`` and
    ``TDML_HOME`` start from; the current one unless given.
    """
    environment = os.environ if environment is None else environment
    folder = (working_folder or Path.cwd()).resolve()
    named = environment.get("TDML_CONFIG")
    path = folder / (named or "tdml.yaml")
    if path.is_file():
        content = _read_yaml(path)
    elif named:
        raise SettingsError(f"TDML_CONFIG names {path}, which is not a file: correct the path or unset TDML_CONFIG")
    else:
        content = {}
    for key in ("home", "base_folder"):
        if key in content:
            raise SettingsError(f"{path.name}: {key}: not a key of the file; the state folder is set by TDML_HOME")
    overrides = _override(content, environment)
    content["home"] = (folder / (environment.get("TDML_HOME") or DEFAULT_HOME)).resolve()
    content["base_folder"] = path.parent
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        note = f"\nset by the environment: {', '.join(overrides)}" if overrides else ""
        raise SettingsError(explain(error, Settings, str(path.name)) + note) from None
    if settings.uses_sample and not environment.get("TDML_HOME"):
        return settings.model_copy(update={"home": settings.home / SAMPLE_HOME})
    return settings


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): correct its permissions") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path.name} is not UTF-8 text (byte {error.start:,}): save it as UTF-8") from None
    except UnreadableYamlError as error:
        raise SettingsError(f"{path.name} is not readable YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path.name} must hold keys and values, not a {type(content).__name__}")
    return content


def _override(content: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    used = []
    for variable in sorted(environment):
        if not variable.startswith(_PREFIX) or variable in _NOT_KEYS:
            continue
        *parents, last = variable.removeprefix(_PREFIX).lower().split("__")
        if parents[:1] == ["workflows"]:
            _name_workflows(content)
        place = content
        for parent in parents:
            # A key with nothing behind it, such as ``cltv:``, holds what its defaults hold.
            if place.get(parent) is None:
                place[parent] = {}
            place = place[parent]
            if not isinstance(place, dict):
                raise SettingsError(f"{variable}: {parent} holds no keys of its own in the settings")
        try:
            place[last] = read_yaml(environment[variable])
        except UnreadableYamlError as error:
            raise SettingsError(f"{variable} is not readable YAML: {error}") from None
        used.append(variable)
    return used


def _name_workflows(content: dict[str, Any]) -> None:
    """Give workflows the form in which one of them can be overridden; which ones run stays what it was."""
    named = content.get("workflows")
    if named is None:
        content["workflows"] = {EVERY_OTHER: None}
    elif isinstance(named, list):
        content["workflows"] = dict.fromkeys(str(name) for name in named)


def explain(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """Every fault of a validation in words: where, which key, what was found and what is allowed."""
    lines = []
    for fault in error.errors():
        # A part in parentheses names a form that a key may have, and is not written in a file.
        parts = [str(part) for part in fault["loc"] if not str(part).startswith("(")]
        key = ".".join(map(redacted, parts)) or "(whole)"
        if fault["type"] == "extra_forbidden":
            key_name = str(fault["loc"][-1])
            elsewhere = _place_of(model, fault["loc"])
            if elsewhere:
                lines.append(f"{where}: {key}: {key_name} does not belong here: {elsewhere}")
                continue
            known = sorted(_known_keys(model, fault["loc"][:-1]))
            close = difflib.get_close_matches(key_name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
            lines.append(f"{where}: {key}: unknown key{hint}")
        else:
            words, found = fault["msg"].removeprefix("Value error, "), fault.get("input")
            # A section's first characters say nothing of the rule that it breaks.
            shown = "" if isinstance(found, Mapping) else f" (found {_shortened(found)})"
            lines.append(f"{where}: {key}: {words}{shown}")
    return "\n".join(lines)


def _shortened(value: Any) -> str:
    text = repr(redacted(value))
    return text if len(text) <= 80 else text[:77] + "..."


def _place_of(model: type[BaseModel], location: tuple[Any, ...]) -> str:
    """Where a key belongs that another level knows, as what to write; empty where none does."""
    *inner, name = location
    for depth in range(len(inner) - 1, -1, -1):
        if name in _known_keys(model, tuple(inner[:depth])):
            section = ".".join(redacted(str(part)) for part in inner[:depth])
            above = f"under {section}" if depth else "at the top of the file"
            return f"write it {above}, next to {inner[depth]}, not in it"
    below = (key for key in _known_keys(model, tuple(inner)) if name in _inner_keys(model, (*inner, key)))
    found = next(below, None)
    return f"write it under {found}: {{{name}: ...}}" if found is not None else ""


def _inner_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Keys of a section; none for a key that is not a section."""
    keys = _known_keys(model, location)
    return keys if keys != _known_keys(model, location[:-1]) else []


def _known_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    fields = model.model_fields
    if model is Settings and not location:
        return [name for name in fields if name not in ("home", "base_folder")]
    for part in location:
        if part not in fields:
            if fields is Destinations.model_fields:
                fields = DestinationSettings.model_fields
            continue
        inner = _model_of(fields[part].annotation)
        if inner is not None:
            fields = inner.model_fields
    return list(fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_of(argument)
        if found is not None:
            return found
    return None
