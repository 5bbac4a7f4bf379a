"""Option strings such as ``-loss logloss -iters 5``, read as Hivemall reads them (the rules of commons-cli)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.java_text import parse_float, parse_int

_BLANKS = re.compile(r"[ \t\n\x0b\f\r]+")


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

    ``given`` is False when the call had no option string at all, which changes some defaults. ``written`` holds each option as
    it came, a repeated one twice.
    """

    given: bool = False
    values: dict[str, str] = field(default_factory=dict)
    written: tuple[tuple[str, str], ...] = ()

    def has(self, name: str) -> bool:
        """Whether the option of this short name was given."""
        return name in self.values

    def text(self, name: str, default: str = "") -> str:
        """The value as it was written."""
        return self.values.get(name, default)

    def number(self, name: str, default: float) -> float:
        """The value as a double; a value that is not a number is refused."""
        return parse_float(self.values[name]) if name in self.values else default

    def integer(self, name: str, default: int, bits: int = 32) -> int:
        """The value as an integer of so many bits; other text is refused."""
        return parse_int(self.values[name], bits) if name in self.values else default

    def last(self) -> Options:
        """The same where the last value of a repeated option counts, and the flag ``-decay`` takes back a ``-rho``."""
        values: dict[str, str] = {}
        for name, value in self.written:
            values[name] = value
            if name == "decay":
                values.pop("rho", None)
        return Options(self.given, values, self.written)


def parse(text: str, known: dict[str, Option], usage: str) -> Options:
    """Read an option string.

    Words without a dash that follow no option are ignored. An unknown option, a missing value and ``-help`` raise
    HivemallError; the message of an unknown option lists the known ones.
    """
    words = [word for word in _BLANKS.split(text) if word]
    written: list[tuple[str, str]] = []
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
            value = _unquoted(words[position])
            position += 1
        written.append((option.short, value))
    values = dict(reversed(written))
    if "help" in values:
        raise HivemallError(f"usage: {usage} {_usage(known)}")
    return Options(bool(words), values, tuple(written))


def _unquoted(word: str) -> str:
    inside = word[1:-1]
    return inside if len(word) > 1 and word[0] == word[-1] == '"' and '"' not in inside else word


def _bare(word: str) -> str:
    return word.removeprefix("--") if word.startswith("--") else word[1:]


def _usage(known: dict[str, Option]) -> str:
    options = sorted(set(known.values()), key=lambda option: option.short)
    return " ".join(f"[-{option.short}{' <arg>' if option.takes_value else ''}]" for option in options)
