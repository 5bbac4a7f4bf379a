"""Folders of files with a name: gone with the block, with an error, and with the process that was killed."""

import signal
import subprocess
import sys

import pytest

from tdml_assets.platform.pages import page_folder, remove_left_pages

_KILLED = """
import os, signal, sys
from tdml_assets.platform.pages import page_folder
with page_folder(sys.argv[1]) as folder:
    (folder / "rows.page").write_bytes(b"rows")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_is_removed_with_its_files_when_its_block_ends_and_by_an_error(tmp_path):
    with page_folder(tmp_path / "spill") as folder:
        (folder / "rows.page").write_bytes(b"rows")
    assert not list((tmp_path / "spill").iterdir())
    with pytest.raises(ValueError, match="no rows"), page_folder(tmp_path / "spill") as folder:
        (folder / "rows.page").write_bytes(b"rows")
        raise ValueError("no rows")
    assert not list((tmp_path / "spill").iterdir())


def test_what_a_killed_process_left_is_removed_and_what_another_process_holds_is_not(tmp_path):
    ended = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert (left / "rows.page").read_bytes() == b"rows"
    (tmp_path / "duckdb_temp").mkdir()
    with page_folder(tmp_path) as held:
        assert not left.exists()
        remove_left_pages(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["duckdb_temp", held.name]
    remove_left_pages(tmp_path / "nowhere")
