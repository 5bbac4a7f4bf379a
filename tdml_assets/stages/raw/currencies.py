"""Currencies as files write them: digits behind the decimal mark, and signs around a figure."""

from __future__ import annotations

import re
from functools import cache

#: Decimal digits of the minor unit by ISO 4217; every other currency has two.
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
#: Codes of ISO 4217 in use.
_CODES = frozenset(
    re.findall(
        "[A-Z]{3}",
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD "
        "HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD "
        "LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP "
        "PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND "
        "TOP TRY TTD TWD TZS UAH UGX USD UYI UYU UYW UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ",
    )
)
#: Signs per currency. A sign of several currencies, such as $, fits each of them.
_SIGNS = {
    "AED": ("Dh", "Dhs"),
    "AMD": ("֏",),
    "ARS": ("$", "AR$"),
    "AUD": ("$", "A$", "AU$"),
    "AZN": ("₼",),
    "BDT": ("৳", "Tk"),
    "BGN": ("лв",),
    "BRL": ("R$",),
    "CAD": ("$", "C$", "CA$"),
    "CHF": ("Fr", "SFr"),
    "CLP": ("$", "CLP$"),
    "CNY": ("¥", "￥", "CN¥", "元", "RMB"),
    "COP": ("$", "COL$"),
    "CRC": ("₡",),
    "CZK": ("Kč",),
    "DKK": ("kr",),
    "EGP": ("£", "E£", "LE"),
    "EUR": ("€",),
    "GBP": ("£", "UK£"),
    "GEL": ("₾",),
    "GHS": ("₵", "GH₵"),
    "HKD": ("$", "HK$"),
    "HUF": ("Ft",),
    "IDR": ("Rp",),
    "ILS": ("₪",),
    "INR": ("₹", "Rs", "₨"),
    "ISK": ("kr",),
    "JPY": ("¥", "￥", "JP¥", "円"),
    "KES": ("KSh",),
    "KHR": ("៛",),
    "KRW": ("₩", "원"),
    "KZT": ("₸",),
    "LAK": ("₭",),
    "LKR": ("Rs", "₨"),
    "MNT": ("₮",),
    "MXN": ("$", "MX$", "Mex$"),
    "MYR": ("RM",),
    "NGN": ("₦",),
    "NOK": ("kr",),
    "NZD": ("$", "NZ$"),
    "PEN": ("S/",),
    "PHP": ("₱",),
    "PKR": ("Rs", "₨"),
    "PLN": ("zł",),
    "PYG": ("₲",),
    "RON": ("lei",),
    "RUB": ("₽", "руб"),  # noqa: RUF001 - the sign is Cyrillic
    "SAR": ("﷼", "SR"),
    "SEK": ("kr",),
    "SGD": ("$", "S$", "SG$"),
    "THB": ("฿",),
    "TRY": ("₺", "TL"),
    "TWD": ("$", "NT$"),
    "UAH": ("₴", "грн"),
    "USD": ("$", "US$"),
    "UYU": ("$", "$U"),
    "VND": ("₫", "đ"),
    "ZAR": ("R",),
}


def is_code(text: str) -> bool:
    """Whether a text is the code of a currency in use, in any case."""
    return text.upper() in _CODES


def exponent_of(code: str) -> int:
    """Decimal digits of a currency's minor unit: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(code, 2)


@cache
def all_signs() -> tuple[str, ...]:
    """Every known sign, longest first."""
    return tuple(sorted({sign for signs in _SIGNS.values() for sign in signs}, key=lambda sign: (-len(sign), sign)))


@cache
def marks_of(code: str) -> frozenset[str]:
    """What may stand around a figure in a currency, in capitals: its sign, its code, or both."""
    signs = {sign.upper() for sign in _SIGNS.get(code, ())}
    return frozenset({code, *signs, *(sign + code for sign in signs), *(code + sign for sign in signs)})


@cache
def all_marks() -> frozenset[str]:
    """Whatever may stand around a figure in some currency, in capitals."""
    return frozenset().union(*(marks_of(code) for code in _CODES))


def currencies_of(mark: str) -> tuple[str, ...]:
    """Currencies that a mark, in capitals, may mean, in alphabetical order."""
    return tuple(sorted(code for code in _CODES if mark in marks_of(code)))
