"""Fits that keep their rows on the disk: when, in how large pages, and the memory and disk that they take.

Elsewhere: the matrix of such rows (``xgboost_rows.py``), the folder of its file (``platform/pages.py``), fits in memory
(``python.py``).

Boosted trees read the bins of every row once a level of every tree. XGBoost keeps them in memory (``QuantileDMatrix``) or in a file
that it maps page by page (``ExtMemQuantileDMatrix``). The same bins give the same trees, to the last bit. What stays in memory is
what belongs to a row as a whole: its target, its start, its prediction and its gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

from tdml_assets.engines.protocol import Learner, ModelSpec, Tier

# Measured with xgboost 3.2: 2.3 bytes per cell without missing values, 4.9 with them, and where each row begins.
_BYTES_OF_A_BIN, _BYTES_OF_A_BEGIN = 5, 16
# A row in its file: floats, and snapshot, customer and target.
_BYTES_OF_A_FLOAT, _BYTES_OF_A_KEY = 4, 64
#: Floats of a page at most. XGBoost advises few large pages: each is gone through at every level of every tree.
PAGE_BYTES = 256_000_000
# Smaller ones would cost more time than the rows in them.
_LEAST_PAGE_BYTES = 4_000_000
# A page in floats, the next batch, and its bins by row and by column: measured 2.7 times its floats.
_PAGE_COPIES = 4


@dataclass(frozen=True)
class Paged:
    """A fit with its rows on the disk.

    ``page_rows``: rows of a page. ``memory``, ``disk``: bytes that it takes. ``arithmetic``: both sums in words.
    """

    page_rows: int
    memory: int
    disk: int
    arithmetic: str


def may_page(learner: Learner, spec: ModelSpec) -> bool:
    """Whether a fit may keep its rows on the disk: the workflow leaves nobody out, and the learner reads pages."""
    return bool(spec.spill_folder) and learner.pages_rows and spec.device == "cpu"


def paged(learner: Learner, rows: int, features: int, base: int, allowed: int) -> Paged:
    """Plan a fit of ``rows`` x ``features`` in pages as large as memory allows.

    ``base``: bytes that every fit takes. ``allowed``: bytes of memory that it may plan for.
    """
    of_rows, row = learner.bytes_needed(rows, 0), features * _BYTES_OF_A_FLOAT
    page = min(PAGE_BYTES, max(_LEAST_PAGE_BYTES, (allowed - base - of_rows) // _PAGE_COPIES))
    page_rows = min(rows, max(1, page // row))
    of_pages = _PAGE_COPIES * page_rows * row
    binned = rows * (features * _BYTES_OF_A_BIN + _BYTES_OF_A_BEGIN)
    memory, spooled = of_rows + of_pages + base, bytes_spooled(rows, features)
    arithmetic = (
        f"on the disk in pages of {page_rows:,} rows: {of_rows / 1e9:.2f} GB for what is kept of every row + "
        f"{of_pages / 1e9:.2f} GB for a page + {base / 1e9:.1f} GB = {memory / 1e9:.2f} GB memory, of {allowed / 1e9:.2f} GB, and "
        f"{spooled / 1e9:.2f} GB of rows + {binned / 1e9:.2f} GB of their bins"
    )
    return Paged(page_rows, memory, spooled + binned, arithmetic)


def bytes_spooled(rows: int, features: int) -> int:
    """Disk that prepared rows take in the file that a fit reads them from."""
    return rows * (features * _BYTES_OF_A_FLOAT + _BYTES_OF_A_KEY)


def of_disk(needed: int, tier: Tier) -> str:
    """Disk against that of the tier, in words."""
    return f"{needed / 1e9:.2f} GB disk, of {tier.disk_gb:.2f} GB of {tier.name}"
