"""What a stored model version consists of, and how it is checked.

Elsewhere: where the bytes are kept (``bundle_store.py``), how a model is parsed (``engines/``), golden predictions
(``golden.py``).

The chain of trust: the champion pointer holds the hash of the manifest, the manifest holds the hash of every file, and
no parser sees a byte before its hash was compared.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow as pa

MANIFEST_FILE = "manifest.json"
CHAMPION_FILE = "champion.json"
#: Begins the names of the files of the fit that was measured; those of the one that scores have none.
EVALUATED_PREFIX = "evaluated_"
MANIFEST_LIMIT_BYTES = 4_000_000
POINTER_LIMIT_BYTES = 64_000

_FORMAT = 1
_WORKFLOW = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{12}")
# Formats whose parsers run no code from the file; a pickle has no name here.
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\.(json|parquet|skops)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


#: Fields of a manifest that a repeated session writes anew.
_NOT_CONTENT = ("session_id", "created_at", "metrics")


class BundleDamagedError(ValueError):
    """A stored file is not what the manifest says, or cannot be read as what it should be."""


#: What to do about a version one of whose files is not what its manifest says ...
REMEDY = (
    "it was damaged or replaced, run again: the same orders train it again and store it anew; else promote another version, "
    "tdml-assets versions lists them"
)
#: ... and about one whose manifest fits a content that was never trained.
REMEDY_OF_REPLACED = "promote another version, or remove its folder from the model store and run again"

#: What readers of JSON, Parquet and archives raise on content that is not what it should be.
_UNREADABLE = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, EOFError, OSError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


@contextmanager
def refusing_damage(what: str) -> Iterator[None]:
    """Raise ``BundleDamagedError`` where the block cannot read ``what`` as it should be; also usable as a decorator.

    For content whose hash fits and that is still not what this code wrote: the store only knows its own files.
    """
    try:
        yield
    except BundleDamagedError:
        raise
    except (*_UNREADABLE, pa.ArrowException) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise BundleDamagedError(
            f"{what} cannot be read as stored ({why[:300]}): it was damaged or replaced, {REMEDY_OF_REPLACED}"
        ) from error


@dataclass(frozen=True)
class StoredFile:
    """Size in bytes and SHA-256 of one file of a version."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ModelFeature:
    """Name and warehouse type of one feature, in the order of the model."""

    name: str
    type: str


@dataclass(frozen=True)
class Manifest:
    """What one immutable model version is.

    ``workflow``, ``version``: where the version lives.
    ``as_of``: as_of day of the training session.
    ``features``: in the model's order.
    ``target``: column predicted.
    ``engine``, ``spec``: what trained it, with its parameters.
    ``data_fingerprint``: hash of the training table's content.
    ``code_version``: version of the code that trained it.
    ``libraries``: version per library that takes part in predictions.
    ``metrics``: measures of the evaluation.
    ``session_id``, ``created_at``: who made it and when, in naive UTC; no part of the version's identity.
    ``files``: every other file of the version, ordered by name.
    """

    workflow: str
    version: str
    as_of: datetime.date
    features: tuple[ModelFeature, ...]
    target: str
    engine: str
    spec: Mapping[str, Any]
    data_fingerprint: str
    code_version: str
    libraries: Mapping[str, str]
    metrics: Mapping[str, float | None]
    session_id: str
    created_at: datetime.datetime
    files: tuple[StoredFile, ...]

    def __post_init__(self) -> None:
        require_workflow(self.workflow)
        require_version(self.version)
        for file in self.files:
            require_file_name(file.name)
            if file.size < 0 or not _SHA256.fullmatch(file.sha256):
                raise ValueError(f"file {file.name} has size {file.size} and an unreadable SHA-256")
        names = [file.name for file in self.files]
        if not names or names != sorted(set(names)):
            raise ValueError(f"the files of a version must be named once each, in order; these are not: {names}")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the model's order."""
        return tuple(feature.name for feature in self.features)

    def to_bytes(self) -> bytes:
        """Give the manifest as JSON with sorted keys: equal manifests are equal bytes."""
        dates = {"as_of": self.as_of.isoformat(), "created_at": self.created_at.isoformat()}
        return _json({**asdict(self), **dates, "format": _FORMAT})

    @property
    def content_sha256(self) -> str:
        """Hash of what the model is: everything but who made it, when, and how it was measured."""
        record = json.loads(self.to_bytes())
        return sha256(_json({name: value for name, value in record.items() if name not in _NOT_CONTENT}))

    def differences(self, other: Manifest) -> list[str]:
        """Name the files and fields in which two manifests of one version differ in what the model is.

        Session, creation time and metrics do not count: a repeated session writes the same model again.
        """
        ours, theirs = ({file.name: file for file in manifest.files} for manifest in (self, other))
        files = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
        names = ("workflow", "version", "features", "target", "engine", "data_fingerprint", "code_version")
        return files + [name for name in names if getattr(self, name) != getattr(other, name)]


@dataclass(frozen=True)
class Champion:
    """The version of a workflow that scores.

    ``manifest_sha256``: hash of that version's manifest. ``previous``: version it replaced, None for the first. ``reason``: why
    it was promoted, for people. ``session_id``, ``promoted_at``: who and when, in naive UTC.
    """

    workflow: str
    version: str
    manifest_sha256: str
    previous: str | None
    reason: str
    session_id: str
    promoted_at: datetime.datetime

    def __post_init__(self) -> None:
        require_workflow(self.workflow)
        require_version(self.version)
        if not _SHA256.fullmatch(self.manifest_sha256):
            raise ValueError("the pointer's manifest_sha256 is not a SHA-256")

    def to_bytes(self) -> bytes:
        """Give the pointer as JSON with sorted keys."""
        return _json({**asdict(self), "format": _FORMAT, "promoted_at": self.promoted_at.isoformat()})


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Raises ``BundleDamagedError`` if the bytes are not a manifest of a format this code knows."""
    try:
        record = _record(data, Manifest)
        record["as_of"] = datetime.date.fromisoformat(record["as_of"])
        record["created_at"] = datetime.datetime.fromisoformat(record["created_at"])
        record["features"] = tuple(ModelFeature(**feature) for feature in record["features"])
        record["files"] = tuple(StoredFile(**file) for file in record["files"])
        _require_kinds(record)
        return Manifest(**record)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleDamagedError(f"the manifest cannot be read ({error})") from error


def _require_kinds(record: Mapping[str, Any]) -> None:
    """Refuse fields of a manifest that hold something of another kind. Raises ``ValueError``."""
    texts = ("workflow", "version", "target", "engine", "data_fingerprint", "code_version", "session_id")
    mappings = ("spec", "libraries", "metrics")
    wrong = [name for name in texts if not isinstance(record[name], str)]
    wrong += [name for name in mappings if not isinstance(record[name], dict)]
    wrong += [file.name for file in record["files"] if type(file.size) is not int or not isinstance(file.sha256, str)]
    wrong += [name for name, value in record["libraries"].items() if not isinstance(value, str)] if not wrong else []
    if wrong:
        raise ValueError(f"{wrong[0]} is of another kind")


def parse_champion(data: bytes) -> Champion:
    """Read a champion pointer. Raises ``BundleDamagedError`` if the bytes are not a pointer of a format this code knows."""
    try:
        record = _record(data, Champion)
        record["promoted_at"] = datetime.datetime.fromisoformat(record["promoted_at"])
        return Champion(**record)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleDamagedError(
            f"the champion pointer cannot be read ({error}): promote a version by name; none is chosen by its age"
        ) from error


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def require_recorded(manifest: Manifest, recorded: str | None) -> None:
    """Refuse a version that is not the one whose hash was recorded when it was trained.

    ``recorded``: its :attr:`Manifest.content_sha256` as a place outside of the store keeps it; None where none was kept. Raises
    ``BundleDamagedError`` if it is another.
    """
    if recorded is not None and manifest.content_sha256 != recorded:
        raise BundleDamagedError(
            f"{manifest.workflow}/{manifest.version} is not what was trained: files or manifest were replaced in the store since; "
            f"{REMEDY_OF_REPLACED}"
        )


def other_libraries(recorded: Mapping[str, str], installed: Mapping[str, str]) -> list[str]:
    """Say which libraries have another major version than when a model was stored, such as ``xgboost 2.1.4, now 3.2.0``."""
    return [
        f"{name} {before}, now {installed[name]}"
        for name, before in sorted(recorded.items())
        if name in installed and before.partition(".")[0] != installed[name].partition(".")[0]
    ]


def version_name(
    as_of: datetime.date,
    *,
    workflow: str,
    spec: Mapping[str, Any],
    data_fingerprint: str,
    code_version: str,
    libraries: Mapping[str, str],
    carried: Mapping[str, Any] | None = None,
) -> str:
    """Name a version: its as_of date and twelve digits of the hash of all that determines the model.

    Equal data, specification, code and library versions give an equal name on every machine. ``carried``: what the fit took over
    from the champion before it, such as the numbers of segments; left out where empty.
    """
    identity: dict[str, Any] = {
        "workflow": workflow,
        "as_of": str(as_of),
        "spec": spec,
        "data": data_fingerprint,
        "code": code_version,
        "libraries": libraries,
    }
    if carried:
        identity["carried"] = carried
    return f"{as_of.isoformat()}-{sha256(_json(identity))[:12]}"


def describe_files(files: Mapping[str, bytes]) -> tuple[StoredFile, ...]:
    """Give size and hash of every file, ordered by name. Raises ``ValueError`` for a name that is not allowed."""
    for name in files:
        require_file_name(name)
    return tuple(StoredFile(name, len(files[name]), sha256(files[name])) for name in sorted(files))


def as_evaluated(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of the fit that was measured, under the names a version keeps them by."""
    return {f"{EVALUATED_PREFIX}{name}": data for name, data in files.items()}


def evaluated_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The reverse of :func:`as_evaluated`, from all files of a version; empty where it keeps no such fit."""
    names = {name.removeprefix(EVALUATED_PREFIX): name for name in files if name.startswith(EVALUATED_PREFIX)}
    return {name: files[stored] for name, stored in names.items()}


def verify_file(expected: StoredFile, data: bytes) -> bytes:
    """Return ``data`` if it is what the manifest says. Raises ``BundleDamagedError`` naming the file and what differs."""
    if len(data) != expected.size:
        raise BundleDamagedError(f"{expected.name} has {len(data)} bytes instead of {expected.size}: {REMEDY}")
    if sha256(data) != expected.sha256:
        raise BundleDamagedError(f"{expected.name} has another SHA-256 than the manifest says: {REMEDY}")
    return data


def require_workflow(name: str) -> str:
    """Return ``name`` if it may name a workflow's folder, else raise ``ValueError``."""
    if not is_workflow(name):
        raise ValueError(f"{name!r} cannot name a workflow: use up to 63 of a-z, 0-9 and _, beginning with a letter")
    return name


def is_workflow(name: str) -> bool:
    """Whether ``name`` may name a workflow's folder."""
    return _WORKFLOW.fullmatch(name) is not None


def is_version(name: str) -> bool:
    """Whether ``name`` is a version name."""
    return _VERSION.fullmatch(name) is not None


def require_version(name: str) -> str:
    """Return ``name`` if it is a version name, else raise ``ValueError``."""
    if not is_version(name):
        raise ValueError(f"{name!r} is not a model version: they look like 2011-09-09-0123456789ab")
    return name


def require_file_name(name: str) -> str:
    """Return ``name`` if a version may hold such a file, else raise ``ValueError``."""
    if name == MANIFEST_FILE or not _FILE_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a file of a model version: use a plain lower-case name ending in .json, .parquet or "
            ".skops; pickles are never stored"
        )
    return name


def _record(data: bytes, kind: type[Any]) -> dict[str, Any]:
    record = json.loads(data)
    if not isinstance(record, dict) or record.pop("format", None) != _FORMAT:
        raise ValueError(f"it is not JSON of format {_FORMAT}")
    expected = {field.name for field in fields(kind)}
    if set(record) != expected:
        raise ValueError(f"keys missing {sorted(expected - set(record))}, unknown {sorted(set(record) - expected)}")
    return record


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, indent=1, allow_nan=False).encode()
