"""Declarations of well-known exports: ``preset: shopify`` stands for the keys of a file in ``presets/``.

Elsewhere: what the keys mean (``sources.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

_FOLDER = Path(__file__).parent / "presets"
Preset = Literal["shopify", "woocommerce", "magento", "stripe", "square", "amazon_settlement", "online_retail"]
PRESETS: tuple[str, ...] = get_args(Preset)
#: Keys whose mapping a person writes as a whole.
_WHOLE = ("rates", "line_kinds")


@cache
def _text_of(name: str) -> str:
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def preset_keys(name: str) -> dict[str, Any]:
    """Keys of ``sources.orders`` that a preset stands for."""
    found: dict[str, Any] = yaml.safe_load(_text_of(name))
    found.pop("variants", None)
    return found


def preset_layouts(name: str) -> list[dict[str, str]]:
    """Columns of every layout that the export of a preset is known in, the preset's own first."""
    found = yaml.safe_load(_text_of(name))
    others = [variant["columns"] for variant in found.get("variants", [])]
    return [found["columns"], *({**found["columns"], **columns} for columns in others)]


def with_preset(data: Any) -> Any:
    """Lay the keys of a declaration over those of its preset; what names no known preset is returned as it is.

    Mappings are joined key by key; everything else, and what a person writes as null, replaces the preset's.
    """
    if not isinstance(data, Mapping) or data.get("preset") not in PRESETS:
        return data
    keys = preset_keys(data["preset"])
    columns = data.get("columns")
    if "currency" in data:
        # One currency for every row takes the place of a column of currencies.
        keys["columns"].pop("currency", None)
        keys["carry"] = [name for name in keys.get("carry", []) if name != "currency"]
    elif isinstance(columns, Mapping) and columns.get("currency") is not None:
        keys.pop("currency", None)
    if isinstance(columns, Mapping):
        dropped = {name for name, column in columns.items() if column is None}
        keys["carry"] = [name for name in keys.get("carry", []) if name not in dropped]
    if data.get("format", "csv") != "csv":
        keys.pop("csv", None)
    if data.get("format") in ("parquet", "database"):
        keys.pop("timestamp_format", None)
    return _laid_over(keys, data)


def _laid_over(keys: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(keys)
    for key, value in own.items():
        if key == "statuses" and isinstance(value, Mapping):
            # Case does not count in them: a person's Paid takes the place of paid.
            written = {str(status).strip().lower() for status in value}
            joined[key] = {
                status: meaning for status, meaning in joined.get(key, {}).items() if status.lower() not in written
            }
        before = joined.get(key)
        is_joined = key not in _WHOLE and isinstance(before, Mapping) and isinstance(value, Mapping)
        joined[key] = _laid_over(before, value) if is_joined and before is not None else value
    return joined
