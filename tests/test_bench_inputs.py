"""The study of deformed input files: a small seeded part of it."""

import pytest

from benchmarks.inputs import FAULTS, KINDS, rows_of, study


@pytest.mark.parametrize("kind", KINDS)
def test_deformed_files_are_read_in_whole_or_refused_and_the_table_stays(tmp_path, kind):
    found = study(tmp_path / "shop", kind, 12, seed=7)
    assert not [one for one in found if one.verdict in FAULTS]
    figures = {row.metric: row.ours for row in rows_of(kind, found)}
    assert figures["loaded"] + figures["refused"] == figures["variants"] == 12
    assert min(figures["loaded"], figures["refused"]) > 0
