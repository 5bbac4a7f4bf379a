"""The beginning of a folder of raw data: a table that is more than its files, or files of one kind, with the keys of its folders.

Elsewhere: what is in a file (``beginning.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tdml_assets.declaration.formats import known_formats
from tdml_assets.stages.raw.beginning import read_samples
from tdml_assets.stages.raw.beginning_tables import table_sample
from tdml_assets.stages.raw.files import data_files, endings_of
from tdml_assets.stages.raw.folders import natural_order, table_format
from tdml_assets.stages.raw.lake import LAKE_FORMATS
from tdml_assets.stages.raw.rules import SourceError
from tdml_assets.stages.raw.sample import FileSample, Key

#: Files of a folder that are looked at: the first ones, and the last, which have columns that came later.
_FIRST_FILES, _LAST_FILES = 6, 3


def folder_samples(folder: Path, name: str) -> list[FileSample]:
    """Samples of what a folder holds.

    Raises ``SourceError`` if it holds no data, data of several formats, or a table that cannot be read.
    """
    kind = table_format(folder)
    if kind is not None:
        return [_table(folder, name, kind)]
    paths = sorted(data_files(folder), key=lambda path: natural_order(path.as_posix()))
    tables = {above for path in paths for above in path.parents if above.is_relative_to(folder) and table_format(above)}
    if tables:
        inner = min(tables)
        return folder_samples(inner, f"{name.rstrip('/')}/{inner.relative_to(folder).as_posix()}")
    kinds = Counter(found for path in paths if (found := _format_of(path)))
    if not kinds:
        raise SourceError(
            f"{name}: a folder without a file of data: it needs files that end in .csv, .json, .parquet or .xlsx"
        )
    if len(kinds) > 1:
        found = " and ".join(f"{count:,} of {one}" for one, count in kinds.most_common())
        raise SourceError(
            f"{name}: a folder with files of several formats ({found}): name the files, or a pattern of one kind"
        )
    paths = [path for path in paths if _format_of(path)]
    is_deep = any(path.parent != folder for path in paths)
    return [joined(looked_at(paths, folder, name), name, is_deep=is_deep)]


def looked_at(paths: Sequence[Path], folder: Path, name: str) -> list[FileSample]:
    """Samples of the first files and the last ones, with the columns that the names of their folders give."""
    chosen = paths if len(paths) <= _FIRST_FILES + _LAST_FILES else [*paths[:_FIRST_FILES], *paths[-_LAST_FILES:]]
    found = []
    for path in chosen:
        place = f"{name.rstrip('/')}/{path.relative_to(folder).as_posix()}"
        found.append(with_folder_columns(read_samples(path, place)[0]))
    return found


def with_folder_columns(sample: FileSample) -> FileSample:
    """The sample with a column per ``key=value`` folder that its file has no column of."""
    pairs = [part.partition("=") for part in PurePosixPath(sample.path).parts[:-1]]
    own = {name.lower() for name in sample.cells}
    added = {key: value for key, mark, value in pairs if mark and key and key.lower() not in own}
    if not added:
        return sample
    cells = {**sample.cells, **{key: [value] * sample.row_count for key, value in added.items()}}
    moments = {key for key, value in added.items() if _is_day(value)}
    typed = sample.typed_moments | (moments if sample.format == "parquet" else set())
    return replace(sample, cells=cells, folder_keys=frozenset(added), typed_moments=frozenset(typed))


def joined(samples: Sequence[FileSample], path: str, *, is_deep: bool = False) -> FileSample:
    """The samples of files of one kind as one, under the path that names them all.

    Raises ``SourceError`` if they are not written alike.
    """
    first = samples[0]
    for sample in samples[1:]:
        if sample.written != first.written:
            raise SourceError(
                f"{first.path} ({first.written}) and {sample.path} ({sample.written}) are not written alike: give the files of one "
                "kind in one form"
            )
    names = dict.fromkeys(name for sample in samples for name in sample.cells)
    cells = {
        name: [text for sample in samples for text in sample.cells.get(name, [""] * sample.row_count)] for name in names
    }
    keys = {**first.keys, **({"recursive": Key(True, "files in folders below")} if is_deep else {})}

    def typed(kind: str) -> frozenset[str]:
        """Columns whose every value has the type: a column without a value has none."""
        held = {name for sample in samples for name in getattr(sample, kind)}
        return frozenset(
            name for name in held if all(name in getattr(one, kind) or not one.columns.get(name) for one in samples)
        )

    return replace(
        first,
        path=path,
        cells=cells,
        keys=keys,
        nulls=tuple(dict.fromkeys(null for sample in samples for null in sample.nulls)),
        file_rows=tuple(count for sample in samples for count in sample.file_rows or (sample.row_count,)),
        notes=tuple(dict.fromkeys(note for sample in samples for note in sample.notes)),
        typed_moments=typed("typed_moments"),
        typed_numbers=typed("typed_numbers"),
        folder_keys=frozenset().union(*(sample.folder_keys for sample in samples)),
    )


def _table(folder: Path, name: str, kind: str) -> FileSample:
    if kind not in LAKE_FORMATS:
        raise SourceError(
            f"{name}: the folder holds a table of {kind.title()}, which is not read: export its current rows, and name those files"
        )
    return table_sample(folder, name, kind)


def _format_of(path: Path) -> str | None:
    return next((kind for kind in known_formats() if path.name.lower().endswith(endings_of(kind))), None)


def _is_day(text: str) -> bool:
    return len(text) == 10 and text[4] == text[7] == "-" and text.replace("-", "").isdigit()
