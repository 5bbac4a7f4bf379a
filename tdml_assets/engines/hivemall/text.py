"""Term weights and text: tf, tfidf, bm25, tokens, n-grams, base91. Elsewhere: the hashing of words (``hashing``)."""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdml_assets.engines.hivemall.errors import HivemallError
from tdml_assets.engines.hivemall.options import Options
from tdml_assets.engines.hivemall.registry import DOUBLE, FLOAT, STRING, TEXTS, aggregate, null_pointer, scalar

#: Hivemall's basE91 has a dash where the usual one has a double quote.
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,-./:;<=>?@[]^_`{|}~"
_BETWEEN_WORDS = re.compile(r"[ .,?!:;()<>\[\]\t\n\f\r\x08\"'\\]+")
_BLANKS = r"[ \t\n\x0b\f\r\u3000]+"
_HEADER = 4  # bytes of the length in front of deflated bytes


def tfidf(frequency: float | None, documents_with: float | None, documents: float | None) -> float:
    """Frequency * (log10(documents / max(1, documents with the term)) + 1)."""
    if frequency is None or documents_with is None or documents is None:
        place = (frequency, documents_with, documents).index(None)
        raise HivemallError(f"{place}-th argument MUST not be null")
    share = documents / max(1.0, documents_with)
    if share <= 0:
        return frequency * -math.inf if share == 0 else math.nan
    return frequency * (math.log10(share) + 1.0)


def bm25(
    frequency: float, length: int, mean_length: float, documents: int, documents_with: int, *, options: Options
) -> float:
    """Okapi BM25 of a term in a document."""
    k1, b = options.number("k1", 1.2), options.number("b", 0.75)
    delta, least = options.number("d", 0.0), options.number("min_idf", 1e-8)
    if not 0 <= b <= 1:
        raise HivemallError(f"b1 hyperparameter must be in the range [0.0, 1.0]: {b}")
    if k1 < 0:
        raise HivemallError(f"k1 hyperparameter must be in the range [0.0, inf): {k1}")
    if None in (frequency, length, mean_length, documents, documents_with):
        raise null_pointer("an argument of bm25")
    if frequency < 0:
        raise HivemallError("#frequency must be positive")
    for name, value, bound in (
        ("docLength", length, 1),
        ("averageDocLength", mean_length, 0),
        ("numDocs", documents, 1),
        ("numDocsWithTerm", documents_with, 1),
    ):
        if value < bound:
            raise HivemallError(f"#{name} must be greater than or equal to {bound}")
    idf = max(least, math.log10(1.0 + (documents - documents_with + 0.5) / (documents_with + 0.5)))
    with np.errstate(all="ignore"):
        divisor = frequency + k1 * (1 - b + b * np.float64(length) / np.float64(mean_length))
        return float(idf * (frequency * (k1 + 1) / divisor + delta))


def tf(words: Sequence[Any]) -> list[tuple[Any, float]] | None:
    """The share of each word among those that are not null; null where all are."""
    counts = Counter(word for word in words if word is not None)
    total = sum(counts.values())
    if not total:
        return None
    return [(word, float(np.float32(count) / np.float32(total))) for word, count in counts.items()]


def tokenize(text: str, lower: bool = False) -> list[str]:
    """Words between blanks and punctuation."""
    words = [word for word in _BETWEEN_WORDS.split(text) if word]
    return [word.lower() for word in words] if lower else words


def split_words(text: str, pattern: str | None = _BLANKS) -> list[str] | None:
    """The text cut at a pattern; empty parts count, but none comes before a cut of no width at the start."""
    if pattern is None:
        raise null_pointer("the pattern of split_words")
    try:
        cuts = [cut.span() for cut in re.finditer(pattern, text, re.ASCII) if cut.end() > 0]
    except re.error as error:
        raise HivemallError(f"The pattern of split_words is not valid: {pattern}: {error}") from error
    starts, stops = [0, *(stop for _, stop in cuts)], [*(start for start, _ in cuts), len(text)]
    return [text[start:stop] for start, stop in zip(starts, stops, strict=True)]


def normalize_unicode(text: str, form: str | None = "NFC") -> str:
    """The text in a Unicode normal form; an unknown form is NFC."""
    known = form if form in ("NFD", "NFKC", "NFKD") else "NFC"
    return unicodedata.normalize(known, text)  # type: ignore[arg-type]


def word_ngrams(words: Sequence[str], least: int, most: int) -> list[str] | None:
    """Neighbouring words joined by blanks, from ``least`` to ``most`` of them."""
    if least <= 0:
        raise HivemallError(f"`minSize` must be greater than zero: {least}")
    if least > most:
        raise HivemallError(f"`maxSize` must be greater than or equal to `minSize`: {most}")
    grams = [
        words[start : start + size]
        for start in range(len(words))
        for size in range(least, most + 1)
        if start + size <= len(words)
    ]
    if any(None in gram for gram in grams):
        raise HivemallError("`array<string> words` must not contain NULL element")
    return [" ".join(str(word) for word in gram) for gram in grams]


def base91(data: bytes) -> str:
    """BasE91 of bytes."""
    queue, bits, text = 0, 0, []
    for byte in data:
        queue |= byte << bits
        bits += 8
        if bits > 13:
            value = queue & 8191
            taken = 13
            if value <= 88:
                value, taken = queue & 16383, 14
            queue >>= taken
            bits -= taken
            text.append(_ALPHABET[value % 91] + _ALPHABET[value // 91])
    if bits:
        text.append(_ALPHABET[queue % 91] + (_ALPHABET[queue // 91] if bits > 7 or queue > 90 else ""))
    return "".join(text)


def unbase91(text: str) -> bytes:
    """The bytes of BasE91."""
    value, queue, bits, data = -1, 0, 0, bytearray()
    for character in text:
        place = _ALPHABET.find(character)
        if place < 0:
            continue
        if value < 0:
            value = place
            continue
        value += place * 91
        queue |= value << bits
        bits += 13 if value & 8191 > 88 else 14
        while bits > 7:
            data.append(queue & 255)
            queue >>= 8
            bits -= 8
        value = -1
    if value >= 0:
        data.append((queue | value << bits) & 255)
    return bytes(data)


def deflate(text: Any, level: int = -1) -> bytes | None:
    """The length of a text in four bytes and its raw deflate; the length 0 and the text as it is where that is no longer."""
    if not -1 <= level <= 9:
        raise HivemallError(f"Invalid compression level: {level}")
    if text is None:
        return None
    data = text.encode() if isinstance(text, str) else bytes(text)
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    if len(packed) >= len(data) - _HEADER:
        return bytes(_HEADER) + data
    return len(data).to_bytes(_HEADER, "big") + packed


def inflate(data: bytes) -> str:
    """The text that deflate compressed."""
    length, packed = int.from_bytes(data[:_HEADER], "big"), data[_HEADER:]
    try:
        return (zlib.decompress(packed, -15)[:length] if length else packed).decode("utf-8", "replace")
    except zlib.error as error:
        raise HivemallError(f"Failed to decompress: {error}") from error


FUNCTIONS = {
    "tfidf": scalar(tfidf, DOUBLE, (3, 3)),
    "bm25": scalar(bm25, DOUBLE, (5, 5), "k1= b= d,delta= min_idf= help"),
    "tf": aggregate(tf, pa.map_(STRING, FLOAT), (1, 1)),
    "tokenize": scalar(tokenize, TEXTS, (1, 2), strict=True),
    "split_words": scalar(split_words, TEXTS, (1, 2), strict=True),
    "normalize_unicode": scalar(normalize_unicode, STRING, (1, 2), strict=True),
    "word_ngrams": scalar(word_ngrams, TEXTS, (3, 3), strict=True),
    "base91": scalar(base91, STRING, (1, 1), strict=True),
    "unbase91": scalar(unbase91, pa.binary(), (1, 1), strict=True),
    "deflate": scalar(deflate, pa.binary(), (1, 2)),
    "inflate": scalar(inflate, STRING, (1, 1), strict=True),
}
