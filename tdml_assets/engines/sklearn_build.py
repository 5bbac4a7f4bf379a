"""From a declaration to an unfitted estimator: classes by import path, parameters, steps, seeds, threads.

Elsewhere: fitting, scoring and files (``sklearn_estimator.py``), what differs between tasks (``sklearn_tasks.py``).

A class is imported when it is asked for. Inside parameters, at any depth, ``{"estimator": path, "parameters": {...}}`` is an
estimator and ``{"function": path}`` a function that is there to be found, such as ``numpy.log1p``.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import xgboost as xgb
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from tdml_assets.engines.protocol import ModelSpec
from tdml_assets.engines.sklearn_tasks import TASKS

#: Name of the last step of a pipeline.
MODEL_STEP = "model"

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_UNUSED = re.compile(r"Parameters: \{ (.*) \} are not used")


def build(spec: ModelSpec, features: Sequence[str], *, threads: int) -> Any:
    """Make the estimator of ``spec``, a pipeline if it has steps.

    Every ``random_state`` that is None becomes the seed. An ``n_jobs`` that is None is left to the fit, which gives all of
    scikit-learn its threads at once; only estimators of other libraries, which would take every processor, are limited here.
    ``features``: names of the columns, for the steps that name some. Raises ``ValueError`` if a path, a parameter or a step is
    wrong, or the estimator is none for the task; with the remedy.
    """
    model = _construct(spec.estimator, spec.parameters, features)
    _require_task(model, spec)
    if spec.steps:
        steps = [(f"step{number}", _step(step, features)) for number, step in enumerate(spec.steps, 1)]
        model = Pipeline([*steps, (MODEL_STEP, model)])
    parameters = model.get_params(deep=True)
    settings: dict[str, Any] = {}
    for name, value in parameters.items():
        owner, _, last = name.rpartition("__")
        if value is not None:
            continue
        if last == "random_state":
            settings[name] = spec.seed % 2**32
        elif last == "n_jobs" and not type(parameters.get(owner, model)).__module__.startswith("sklearn."):
            settings[name] = threads
    return model.set_params(**settings)


def last_step(model: Any) -> Any:
    """Give the estimator itself, without the steps before it."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def require_method(model: Any, spec: ModelSpec) -> None:
    """Refuse an estimator, fitted or not, without the method that predicts for the task.

    Raises ``ValueError`` naming the method and an estimator that has it.
    """
    task = TASKS[spec.task]
    if not hasattr(model, task.method):
        raise ValueError(
            f"{spec.estimator} has no {task.method} as declared, {spec.task} needs it: take for instance {task.example}"
        )


def _step(step: Mapping[str, Any], features: Sequence[str]) -> Any:
    if not _is_declared(step):
        raise ValueError(f"a step has the keys {sorted(step)}: give it estimator and, if needed, parameters")
    found = _construct(step["estimator"], step.get("parameters") or {}, features)
    if not hasattr(found, "transform"):
        raise ValueError(
            f"step {step['estimator']} has no transform: steps prepare features, name the last one as estimator"
        )
    return found


def _is_declared(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("estimator"), str)
        and set(value) <= {"estimator", "parameters"}
    )


def _resolved(value: Any, features: Sequence[str]) -> Any:
    """Replace declarations inside a parameter by what they declare."""
    if _is_declared(value):
        return _construct(value["estimator"], value.get("parameters") or {}, features)
    if isinstance(value, Mapping):
        if set(value) == {"function"} and isinstance(value["function"], str):
            return _function(value["function"])
        return {key: _resolved(inner, features) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, features) for inner in value]
    if isinstance(value, tuple):
        return tuple(_resolved(inner, features) for inner in value)
    return value


def _construct(path: str, parameters: Mapping[str, Any], features: Sequence[str]) -> Any:
    kind = _imported(path)
    if not inspect.isclass(kind):
        raise ValueError(f"{path} is a {type(kind).__name__}, no class: give the import path of an estimator's class")
    missing = [method for method in ("fit", "get_params", "set_params") if not hasattr(kind, method)]
    if missing:
        raise ValueError(
            f"{path} has no {', '.join(missing)}: it is not scikit-learn-compatible; derive it from sklearn.base.BaseEstimator"
        )
    known, takes_others = _parameters_of(kind)
    unknown = sorted(set(parameters) - set(known))
    if unknown and not takes_others:
        raise ValueError(f"{path} has no parameter {', '.join(unknown)}: it has {', '.join(known)}")
    resolved = {name: _resolved(value, features) for name, value in parameters.items()}
    if issubclass(kind, ColumnTransformer):
        resolved["transformers"] = [_placed(entry, features) for entry in resolved.get("transformers", ())]
    try:
        made = kind(**resolved)
    except TypeError as error:
        raise ValueError(f"{path} cannot be made of its parameters: {error}") from error
    if isinstance(made, xgb.XGBModel):
        _require_used(made, path, unknown)
    return made


def _imported(path: str) -> Any:
    if not _DOTTED.fullmatch(path):
        raise ValueError(f"{path!r} is not an import path: write package.module.Class")
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{path} cannot be imported ({error}): check its spelling, install its package, or put the folder of your own "
            "module on PYTHONPATH"
        ) from error


def _function(path: str) -> Any:
    found = _imported(path)
    if inspect.isclass(found) or not callable(found):
        raise ValueError(f"{path} is a {type(found).__name__}, no function: give the import path of one")
    return found


def _parameters_of(kind: type[Any]) -> tuple[list[str], bool]:
    """Names that the constructor takes, and whether it takes any other as well."""
    names: list[str] = []
    for base in kind.__mro__[:-1]:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return list(dict.fromkeys(names)), False
    return list(dict.fromkeys(names)), bool(names)


def _require_used(model: xgb.XGBModel, path: str, unknown: Sequence[str]) -> None:
    """Refuse parameters that XGBoost knows neither by name nor below: its constructor takes anything and only warns."""
    if not unknown:
        return
    rows = xgb.DMatrix(np.zeros((2, 1)), label=np.array([0.0, 1.0]), nthread=1)
    given = {name: value for name, value in model.get_xgb_params().items() if value is not None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        xgb.Booster({**given, "validate_parameters": True, "verbosity": 1, "nthread": 1}, [rows]).save_config()
    unused = [found for warning in caught if (found := _UNUSED.search(str(warning.message)))]
    if unused:
        raise ValueError(f"{path} has no parameter {unused[0].group(1)}: see XGBoost's list of parameters")


def _placed(entry: Any, features: Sequence[str]) -> tuple[Any, ...]:
    """Give a part of a ColumnTransformer its columns by place: rows come without names."""
    if not isinstance(entry, list | tuple) or len(entry) != 3:
        raise ValueError("a transformer of a ColumnTransformer is a list of its name, itself and its columns")
    name, transformer, columns = entry
    wanted = [columns] if isinstance(columns, str) else list(columns)
    unknown = sorted(column for column in wanted if isinstance(column, str) and column not in features)
    if unknown:
        raise ValueError(
            f"transformer {name}: columns {unknown} are not among the features; features are {list(features)}"
        )
    places = list(features)
    return name, transformer, [places.index(column) if isinstance(column, str) else column for column in wanted]


def _require_task(model: Any, spec: ModelSpec) -> None:
    kind, task = _kind(model), TASKS[spec.task]
    if kind is not None and kind not in task.kinds:
        raise ValueError(
            f"{spec.estimator} is a {kind.replace('_', ' ')}, the task is {spec.task}: take for instance {task.example}"
        )
    # A stack delegates to an estimator that it makes when fitted: before that only its class can tell.
    require_method(type(model) if hasattr(model, "final_estimator") else model, spec)


def _kind(model: Any) -> str | None:
    try:
        kind: str | None = get_tags(model).estimator_type
    except (AttributeError, TypeError, ValueError):
        return None  # not derived from BaseEstimator: it does not say
    return kind
