"""Names of months in the languages of shops, as times in words are written with them.

Belongs here: the names, and their English in their place. Does not: formats (``dates.py``), reading rows
(``sql/raw/parts/readings.sql``).

No name means another month in another of these languages, so that no language is declared.
"""

from __future__ import annotations

import re

#: English, German, French, Spanish, Italian, Portuguese and Dutch, long and short.
_NAMES = {
    "Jan": "january januar jänner janvier enero gennaio janeiro januari jan janv ene gen",
    "Feb": "february februar février febrero febbraio fevereiro februari feb févr fév fev",
    "Mar": "march märz mars marzo março maart mar mär mrz mrt",
    "Apr": "april avril abril aprile apr avr abr",
    "May": "may mai mayo maggio maio mei mag",
    "Jun": "june juni juin junio giugno junho jun giu",
    "Jul": "july juli juillet julio luglio julho jul juil lug",
    "Aug": "august août agosto augustus aug aoû ago",
    "Sep": "september septembre septiembre settembre setembro sep sept set",
    "Oct": "october oktober octobre octubre ottobre outubro oct okt ott out",
    "Nov": "november novembre noviembre novembro nov",
    "Dec": "december dezember décembre diciembre dicembre dezembro dec dez déc dic",
}


def _pattern(names: str) -> str:
    # Names between what is no letter, in words that both Python and the warehouse read alike.
    longest_first = "|".join(sorted(names.split(), key=len, reverse=True))
    return f"(?i)(^|[^A-Za-zÀ-ÿ])(?:{longest_first})[.]?([^A-Za-zÀ-ÿ.]|$)"


#: Regular expression of each month's names and what to put in place of them.
ENGLISH_MONTHS = tuple((_pattern(names), rf"\1{english}\2") for english, names in _NAMES.items())


def has_months(format_text: str) -> bool:
    """Whether times of a format name their month."""
    return "%b" in format_text or "%B" in format_text


def in_english(text: str) -> str:
    """The text with the short English name in place of a month's name."""
    for pattern, english in ENGLISH_MONTHS:
        text = re.sub(pattern, english, text)
    return text


def short_months(format_text: str) -> str:
    """The format that reads what ``in_english`` writes."""
    return format_text.replace("%B", "%b")
