"""Which types a stored scikit-learn model may hold, and the archive that holds it.

Elsewhere: training (``sklearn_estimator.py``), hashes and versions of files (``models/bundles.py``).

The list lives in this code. It never comes from the artefact: a crafted model would trust itself. skops adds the public
estimators of the installed scikit-learn and NumPy's plain types by its own code.

skops warns that the node arrays of ``Tree`` and ``TreePredictor`` are used as indices without bounds checks: a crafted one
can crash the process when it predicts. They are allowed, because forests are nothing else; what keeps a crafted one out is
the SHA-256 that is compared before these bytes are parsed.

An archive is written uncompressed under plain names, with the addresses in memory that skops takes for names replaced by
numbers: equal models are equal bytes, and an archive that is not of this form is refused before it is parsed. So there is
nothing to inflate: what an archive declares is what it holds.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from tdml_assets.models.bundles import REMEDY_OF_REPLACED

#: The key of the settings that adds a user's own types.
SETTINGS_KEY = "trusted_types"
ARCHIVE_LIMIT_BYTES = 2_000_000_000
#: The description of the model's parts, which is parsed as a whole.
SCHEMA_LIMIT_BYTES = 100_000_000

#: What fitted estimators were found to hold (skops 0.16, scikit-learn 1.9) beyond what skops trusts by itself.
ALLOWED_TYPES = frozenset(
    {
        "numpy.dtype",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._mutual_info.mutual_info_classif",
        "sklearn.feature_selection._mutual_info.mutual_info_regression",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        # Without their boosters, which are stored apart as XGBoost JSON: the snapshot of one inside an archive is tied to
        # the version that wrote it.
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
)

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_SCHEMA = "schema.json"
_ENTRY = re.compile(r"schema\.json|[1-9][0-9]{0,8}\.(npy|bin)")
_STORED_FILES = {"NdArrayNode": "npy", "BytesNode": "bin", "BytearrayNode": "bin"}
_UNCHANGING_DATE = (1980, 1, 1, 0, 0, 0)


class ModelRefusedError(ValueError):
    """A model that must not be stored, or an archive that must not be read."""


def allowed_types(extra_trusted: Iterable[str] = ()) -> tuple[str, ...]:
    """Give the allow-list with a user's own types, as their settings name them.

    Raises ``ValueError`` if a name is not the import path of a class, or lies in Python's standard library, which holds no
    estimators but functions that run commands.
    """
    extra = sorted(set(extra_trusted))
    for name in extra:
        if not _DOTTED.fullmatch(name):
            raise ValueError(f"{SETTINGS_KEY}: {name!r} is not an import path: write package.module.Class")
        if name.partition(".")[0] in sys.stdlib_module_names:
            raise ValueError(
                f"{SETTINGS_KEY}: {name!r} is of the standard library: only types of your own can be added"
            )
    return tuple(sorted(ALLOWED_TYPES.union(extra)))


def require_allowed(data: bytes, allowed: Sequence[str], what: str) -> None:
    """Refuse an archive that holds other types than ``allowed``.

    Raises ``ModelRefusedError`` naming the types and the key of the settings.
    """
    found = sorted(set(skops.io.get_untrusted_types(data=data)) - set(allowed))
    if found:
        raise ModelRefusedError(
            f"{what} holds types that a stored model may not hold: {', '.join(found)}; if they are yours and their code is "
            f"safe to run, add them to {SETTINGS_KEY} in the settings, else take another estimator"
        )


def dump(model: Any, allowed: Sequence[str], what: str) -> bytes:
    """Write a model as an archive of the form described above.

    Raises ``ModelRefusedError`` if it holds a type that is not allowed, or something that no archive can hold. ``model``: an
    estimator, fitted or not. ``allowed``: from :func:`allowed_types`. ``what``: the model's name, for messages.
    """
    try:
        data = skops.io.dumps(model)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelRefusedError(
            f"{what} cannot be stored without a pickle ({error}): functions written in place and objects of compiled "
            "libraries cannot; take another estimator, or classes with plain attributes"
        ) from error
    require_allowed(data, allowed, what)
    plain = _plain_archive(data, what)
    _require_plain(plain, what)
    return plain


def load(data: bytes, allowed: Sequence[str], what: str) -> Any:
    """Bring back what :func:`dump` wrote. The caller has verified the hash of ``data``.

    Raises ``ModelRefusedError`` if the bytes are not an archive of that form (a pickle, a compressed or oversized archive, other
    names), hold types that are not allowed, or cannot be brought back with the installed libraries.
    """
    _require_plain(data, what)
    try:
        return skops.io.loads(data, trusted=list(allowed))
    except UntrustedTypesFoundException:
        require_allowed(data, allowed, what)
        raise
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        ImportError,
        RecursionError,
        OSError,
        zipfile.BadZipFile,
    ) as error:
        raise ModelRefusedError(
            f"{what} cannot be brought back ({type(error).__name__}: {error}): install the library versions of its manifest, "
            "or train again"
        ) from error


def _plain_archive(data: bytes, what: str) -> bytes:
    """Number what skops named by address, and write it uncompressed without times."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        schema = json.loads(source.read(_SCHEMA))
        names = _renumbered(schema, what)
        plain = io.BytesIO()
        with zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as archive:
            for old, new in names.items():
                _add(archive, new, source.read(old))
            _add(archive, _SCHEMA, json.dumps(schema, indent=1).encode())
    return plain.getvalue()


def _renumbered(schema: Any, what: str) -> dict[str, str]:
    """Replace ids and file names inside ``schema`` by numbers, in the order met. Returns new name by old."""
    ids: dict[int, int] = {}
    names: dict[str, str] = {}
    count = 0
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(reversed(node))
        elif isinstance(node, dict):
            loader, address, file = node.get("__loader__"), node.get("__id__"), node.get("file")
            if isinstance(loader, str) and isinstance(address, int):
                count += 1
                # Equal plain values may or may not be one object; as they never change, each is written as its own.
                node["__id__"] = count if loader == "JsonNode" else ids.setdefault(address, count)
            if isinstance(loader, str) and isinstance(file, str):
                if loader not in _STORED_FILES:
                    raise ModelRefusedError(
                        f"{what} holds a sparse matrix, which is not stored: set the step that makes it to dense output"
                    )
                node["file"] = names.setdefault(file, f"{len(names) + 1}.{_STORED_FILES[loader]}")
            waiting.extend(reversed(list(node.values())))
    return names


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _UNCHANGING_DATE)
    entry.create_system = 3
    entry.external_attr = 0o600 << 16
    archive.writestr(entry, data)


def _require_plain(data: bytes, what: str) -> None:
    """Refuse what is not an archive of our form, before a parser of models sees it."""
    remedy = f"it was damaged or not written by this code, {REMEDY_OF_REPLACED}"
    if len(data) > ARCHIVE_LIMIT_BYTES:
        raise ModelRefusedError(
            f"{what} has {len(data):,} bytes, at most {ARCHIVE_LIMIT_BYTES:,} are read: train a smaller one (fewer or "
            "shallower trees)"
        )
    if not data.startswith(b"PK\x03\x04"):
        raise ModelRefusedError(f"{what} is not a skops archive, and a pickle is never read: {remedy}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            problem = _problem(archive, len(data))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ModelRefusedError(f"{what} is not a readable skops archive ({error}): {remedy}") from error
    if problem:
        raise ModelRefusedError(f"{what} {problem}: {remedy}")


def _problem(archive: zipfile.ZipFile, size: int) -> str | None:
    """Say what keeps an archive of ``size`` bytes from being one of ours; None if nothing does."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    odd = [name for name in names if not _ENTRY.fullmatch(name)]
    if odd or len(set(names)) < len(names) or _SCHEMA not in names:
        return f"has other entries than a model's {odd[:3]!r}"
    compressed = any(e.compress_type != zipfile.ZIP_STORED or e.file_size != e.compress_size for e in entries)
    if compressed or sum(entry.file_size for entry in entries) > size:
        return "declares more bytes than it holds"
    if archive.getinfo(_SCHEMA).file_size > SCHEMA_LIMIT_BYTES:
        return f"has a description of more than {SCHEMA_LIMIT_BYTES:,} bytes (a model with fewer parts is smaller)"
    for entry in entries:
        if entry.filename.endswith(".npy") and not _is_honest_array(archive, entry):
            return f"holds {entry.filename}, whose header does not fit its content"
    return None


def _is_honest_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether an array's header asks for the bytes that follow: NumPy would allocate whatever it asks for."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        asked = dtype.itemsize
        for length in shape:
            asked *= length
        return not dtype.hasobject and asked == entry.file_size - file.tell()
