"""YAML of the settings, read so that whatever is wrong with it is said in words that repeat no value.

Elsewhere: what the keys mean (``settings.py``).
"""

from __future__ import annotations

from typing import Any

import yaml

_MOST_VALUES = 100_000
_DEEPEST = 50


class UnreadableYamlError(ValueError):
    """The text is not YAML that settings can be read from: says the line and the remedy, and no value."""


def read_yaml(text: str) -> Any:
    """Parse one document.

    Raises ``UnreadableYamlError`` if it is not YAML, a key is given twice or is not a word, or it is deeper or larger than settings
    can be.
    """
    try:
        content = yaml.load(text, _Words)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        # Its own text quotes the lines around the fault.
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UnreadableYamlError(f"{place}{error.problem or 'not YAML'}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableYamlError(f"line {line}: a character that YAML does not allow: delete it") from None
    except RecursionError:
        raise UnreadableYamlError(_too_deep()) from None
    _measure(content)
    return content


class _Words(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML would silently keep the latter, and one that is not a word or number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a list or a mapping: write a word before the colon", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice: keep one", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, OverflowError):  # 2026-02-30, for instance
            raise yaml.constructor.ConstructorError(
                None, None, "the value is not what it looks like: put it into quotes, or correct it", node.start_mark
            ) from None

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MOST_VALUES:
            raise yaml.constructor.ConstructorError(None, None, _too_large(), node.start_mark)


def _measure(content: Any) -> None:
    """Walk the values as often as aliases name them, up to the limits."""
    waiting, count = [(content, 1)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > _DEEPEST:
            raise UnreadableYamlError(_too_deep())
        if count + len(waiting) > _MOST_VALUES:
            raise UnreadableYamlError(_too_large())
        if isinstance(value, dict):
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, (list, tuple, set)):
            waiting += [(item, depth + 1) for item in value]


def _too_deep() -> str:
    return f"values lie more than {_DEEPEST} levels deep: no setting does"


def _too_large() -> str:
    return f"more than {_MOST_VALUES:,} values, aliases counted each time: write out what is meant"
