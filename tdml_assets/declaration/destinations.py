"""What every destination's section under ``destinations`` may say: rows and columns, mode, guards, pace and retries.

Elsewhere: keys of one kind and its client (``activation/destinations/<kind>.py``), what the keys lead to (``activation/``).
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from tdml_assets.declaration.alerts import NamedSecrets
from tdml_assets.declaration.base import Declaration
from tdml_assets.declaration.retries import Retries

Mode = Literal["upsert", "update_only", "create_only", "mirror", "replace"]
Action = Literal["off", "warn", "refuse"]
UnknownConsent = Literal["deny", "allow"]

#: Package whose modules are the kinds that this project has; every other kind is the import path of a module.
KINDS_PACKAGE = "tdml_assets.activation.destinations"
#: Assets of the schema ``audience`` and the exports have these names.
_TAKEN = ("files", "parent_segment_attributes", "attribute_catalog")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class AsksPermission(Protocol):
    """Settings of whatever customers are sent to."""

    @property
    def purpose(self) -> str | None:
        """What customers must have consented to; None where lines of every purpose count."""

    @property
    def unknown_consent(self) -> UnknownConsent:
        """What a customer without a line for the purpose counts as."""

    @property
    def needs_purpose(self) -> bool:
        """Whether a list of consents cannot be asked without a purpose."""


class CountGuard(Declaration):
    """How many rows of one sync may be created, updated or removed."""

    most: int | None = Field(default=None, ge=0, description="Rows; any number unless given.")
    most_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share: of the source's rows for creates, of the rows known to be there for updates and deletes. Judged from "
        "20 rows on.",
    )
    action: Action = Field(default="refuse", description="What a breach does: off, warn or refuse.")


class DropGuard(Declaration):
    """How much smaller the source may be than in the sync before."""

    most_share: float = Field(default=0.3, ge=0, le=1, description="Share of its rows. Judged from 20 rows on.")
    action: Action = Field(default="refuse", description="What a breach does: off, warn or refuse.")


class AgeGuard(Declaration):
    """How old the scores may be."""

    most_days: int = Field(
        default=31, ge=0, description="Days from the day they are of to the day of the sync, in UTC."
    )
    action: Action = Field(default="warn", description="What a breach does: off, warn or refuse.")


class SessionGuard(Declaration):
    """Whether the session behind the attributes must be healthy: no broken data, no hold, nothing that needs a person."""

    action: Action = Field(default="refuse", description="What a breach does: off, warn or refuse.")


class EmptyGuard(Declaration):
    """What a source without rows does. It removes nothing in any case."""

    action: Literal["warn", "refuse"] = Field(default="refuse", description="What a breach does: warn or refuse.")


class Guards(Declaration):
    """Conditions under which nothing is sent. One that cannot be judged refuses, unless it is off."""

    creates: CountGuard = Field(default=CountGuard(action="off"), description="Rows that are new there.")
    updates: CountGuard = Field(default=CountGuard(action="off"), description="Rows that changed.")
    deletes: CountGuard = Field(default=CountGuard(most_share=0.3), description="Rows that would be removed.")
    source_drop: DropGuard = Field(default=DropGuard(), description="Fewer rows than in the sync before.")
    score_age: AgeGuard = Field(default=AgeGuard(), description="Age of the scores.")
    session: SessionGuard = Field(default=SessionGuard(), description="State of the latest session.")
    empty_source: EmptyGuard = Field(default=EmptyGuard(), description="No rows at all.")


class SyncRetries(Declaration):
    """How often a session starts a whole sync again that failed, behind the attempts at single batches."""

    most: int = Field(default=2, ge=0, le=20, description="Times.")
    first_pause_seconds: float = Field(default=10.0, ge=0, le=3600, description="Doubled by every further time.")


class Identifier(Declaration):
    """One identifier of a customer that a destination is given, taken from ``raw.customers``."""

    column: str = Field(min_length=1, description="Column of sources.customers.")
    form: Literal["as_is", "email", "phone"] = Field(
        default="as_is",
        description="How it is normalised: not at all; an address without blanks, in small letters; a number as + and digits.",
    )
    hash: Literal["none", "sha256"] = Field(default="none", description="Hashed after it is normalised.")

    @model_validator(mode="after")
    def _normalised_before_hashed(self) -> Self:
        if self.hash == "sha256" and self.form == "as_is":
            raise ValueError(
                "form must be email or phone where hash is sha256: two forms of one address have two hashes"
            )
        return self


class DestinationSettings(NamedSecrets):
    """One system that attributes are sent to. Secrets are named by ``*_env`` keys, never given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    #: Modes that the kind can do, whether it can remove a row by its key, and whether it can at least take a customer out of all
    #: that it ever wrote, for who asks to be forgotten.
    modes: ClassVar[tuple[Mode, ...]] = ("upsert", "update_only", "create_only", "mirror")
    removes: ClassVar[bool] = True
    erases: ClassVar[bool] = False
    needs_purpose: ClassVar[bool] = True

    kind: str = Field(description="Module of activation/destinations/, or the import path of a module of your own.")
    mode: Mode = Field(
        default="upsert",
        description="upsert; update_only and create_only; mirror, which also removes what it sent and is in the source no more; "
        "replace, which swaps the whole.",
    )
    attributes: dict[str, str] | None = Field(
        default=None, description="Attributes to send, as a list, or with their names there; all unless given."
    )
    key: str = Field(default="customer_id", min_length=1, description="Name of the customer's id there.")
    identifiers: dict[str, Identifier] = Field(
        default_factory=dict, description="Further identifiers by their names there, from sources.customers."
    )
    changed_by: dict[str, str] = Field(
        default_factory=dict,
        description="Attributes whose change alone sends no row, with the attribute whose change does, such as their grade.",
    )
    purpose: str | None = Field(
        default=None, min_length=1, description="What customers must have consented to, as sources.consent names it."
    )
    unknown_consent: UnknownConsent = Field(
        default="deny", description="What a customer without a line for the purpose counts as."
    )
    guards: Guards = Field(default_factory=Guards, description="When nothing is sent.")
    retries: Retries = Field(default_factory=Retries, description="When a batch is tried again.")
    sync_retries: SyncRetries = Field(
        default_factory=SyncRetries, description="When a sync that failed is started again."
    )
    batch_rows: int = Field(default=1000, ge=1, le=1_000_000, description="Rows of one batch.")
    most_requests_per_second: float | None = Field(
        default=None, gt=0, description="Batches per second; unlimited unless given."
    )
    timeout_seconds: float = Field(default=30.0, gt=0, le=3600, description="How long the system may take to answer.")
    changelog_days: int = Field(default=400, ge=1, description="How long activation.sync_changelog is kept.")
    slow_seconds: float | None = Field(
        default=None, gt=0, description="A sync that takes longer is reported as degraded."
    )
    failed_share: float = Field(
        default=0.01, ge=0, le=1, description="A larger share of failed rows is reported as degraded."
    )

    @field_validator("attributes", mode="before")
    @classmethod
    def _list_or_mapping(cls, value: Any) -> Any:
        return {name: name for name in value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Self:
        if self.mode not in self.modes:
            raise ValueError(f"mode {self.mode} is not one that {self.kind} can do: {', '.join(self.modes)}")
        names = [self.key, *self.identifiers, *(self.attributes or {}).values()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two columns would be called {', '.join(twice)} there: rename one")
        return self


def known_kinds() -> list[str]:
    """Kinds that this project has, by name."""
    package = importlib.import_module(KINDS_PACKAGE)
    return sorted(found.name for found in pkgutil.iter_modules(package.__path__) if not found.name.startswith("_"))


def destination_class(kind: str) -> type[DestinationSettings]:
    """Class that reads a destination's section.

    Raises ``ValueError`` if there is no such module, or it has no such class. ``kind``: name of a module of
    :data:`KINDS_PACKAGE`, or the import path of another module. It has ``DESTINATION``, a subclass of
    :class:`DestinationSettings` with a method ``open``.
    """
    if "." not in kind and kind not in known_kinds():
        raise ValueError(
            f"{kind!r} is not a kind of destination: {', '.join(known_kinds())}, or the import path of a module of your own"
        )
    path = kind if "." in kind else f"{KINDS_PACKAGE}.{kind}"
    try:
        module = importlib.import_module(path)
    except ImportError as error:
        raise ValueError(f"module {path} cannot be imported ({error}): correct kind, or put it on PYTHONPATH") from None
    found = getattr(module, "DESTINATION", None)
    if not (isinstance(found, type) and issubclass(found, DestinationSettings) and hasattr(found, "open")):
        raise ValueError(f"module {path} has no DESTINATION, a subclass of DestinationSettings with a method open")
    return found


def read_destination(name: str, content: Any) -> DestinationSettings:
    """Read one section; its kind is its name unless it has a key ``kind``.

    Raises ``ValueError``, pydantic's error among them, that names the key.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise ValueError(
            "a destination's name has small letters, digits and underscores, and is not an asset of the audience"
        )
    content = {} if content is None else content
    if isinstance(content, DestinationSettings):
        return content
    if not isinstance(content, Mapping):
        raise ValueError("must be a section of keys, such as kind and url_env")  # noqa: TRY004 - pydantic takes no other
    kind = content.get("kind", name)
    if "kind" not in content and name not in known_kinds():
        close = difflib.get_close_matches(name, [*known_kinds(), "files"], n=1)
        hint = (
            f"did you mean {close[0]!r}?"
            if close
            else f"a destination with a name of its own needs kind: {', '.join(known_kinds())}"
        )
        raise ValueError(f"unknown key; {hint}")
    if not isinstance(kind, str):
        raise ValueError("kind must be the name of a kind of destination")  # noqa: TRY004
    return destination_class(kind).model_validate({**content, "kind": kind})
