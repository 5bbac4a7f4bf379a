"""Option strings such as ``-loss logloss -iters 5``, read as Hivemall reads them (the rules of commons-cli).

Belongs here: the parser and typed access to what was given. Does not: the options of a function, which are defined with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import parse_float, parse_int


@dataclass(frozen=True)
class Option:
    """One option: a short name, a long name or "", and whether a value follows it."""

    short: str
    long: str
    takes_value: bool


def declare(text: str) -> dict[str, Option]:
    """Options by each of their names, from ``short,long=``; ``=`` marks an option with a value.

    A short name wins over an equal long name of another option, as in commons-cli.
    """
    options = []
    for item in text.split():
        short, _, long = item.removesuffix("=").partition(",")
        options.append(Option(short, long, item.endswith("=")))
    names = {option.long: option for option in options if option.long}
    names.update({option.short: option for option in options})
    return names


@dataclass(frozen=True)
class Options:
    """The options of one call; the first value of a repeated option counts.

    ``given`` is False when the call had no option string at all, which changes some defaults.
    """

    given: bool = False
    values: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether the option of this short name was given."""
        return name in self.values

    def text(self, name: str, default: str = "") -> str:
        """The value as it was written."""
        return self.values.get(name, default)

    def number(self, name: str, default: float) -> float:
        """The value as a double; a value that is not a number is refused."""
        return parse_float(self.values[name]) if name in self.values else default

    def integer(self, name: str, default: int) -> int:
        """The value as a 32-bit integer; other text is refused."""
        return parse_int(self.values[name]) if name in self.values else default


def parse(text: str, known: dict[str, Option], usage: str) -> Options:
    """Read an option string.

    Words without a dash that follow no option are ignored. An unknown option, a missing value and ``-help`` raise
    HivemallError; the message of an unknown option lists the known ones.
    """
    words = text.split()
    values: dict[str, str] = {}
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            continue
        name = _bare(word)
        option = known.get(name)
        if option is None:
            names = sorted({f"-{option.short}" for option in known.values()})
            raise HivemallError(f"Unrecognized option: {word}. Known options of {usage}: {' '.join(names) or 'none'}.")
        value = ""
        if option.takes_value:
            if position == len(words) or (words[position].startswith("-") and _bare(words[position]) in known):
                raise HivemallError(f"Missing argument for option: {option.short}. Write -{option.short} <value>.")
            value = words[position]
            position += 1
        values.setdefault(option.short, value)
    if "help" in values:
        raise HivemallError(f"usage: {usage} {_usage(known)}")
    return Options(bool(words), values)


def _bare(word: str) -> str:
    return word.removeprefix("--") if word.startswith("--") else word[1:]


def _usage(known: dict[str, Option]) -> str:
    options = sorted(set(known.values()), key=lambda option: option.short)
    return " ".join(f"[-{option.short}{' <arg>' if option.takes_value else ''}]" for option in options)
