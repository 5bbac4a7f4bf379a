"""Every function of this package by its Hivemall name."""

from __future__ import annotations

from functools import cache

from tdml_assets.engines.hivemall import (
    amplify,
    anomaly,
    binning,
    columns,
    distances,
    ensemble,
    ffm,
    fm,
    ftvec,
    general,
    hashing,
    lists,
    lsh,
    maps,
    measures,
    mf,
    multiclass,
    online,
    online_regression,
    sampling,
    scaling,
    slim,
    text,
    tools,
)
from tdml_assets.engines.hivemall.registry import Function

_MODULES = (
    *(general, online, online_regression, multiclass, fm, ffm, mf, slim),
    *(distances, hashing, lsh, scaling, ftvec, columns, text, ensemble, measures, binning, anomaly, amplify),
    *(sampling, lists, maps, tools),
)


@cache
def functions() -> dict[str, Function]:
    """Functions by name in lower case."""
    return {name: function for module in _MODULES for name, function in module.FUNCTIONS.items()}
