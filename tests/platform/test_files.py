"""Files that are replaced while other processes read them, and die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tdml_assets.platform.files import locked, remove_unfinished, replacing

DIES = """
import os, signal, sys
from pathlib import Path
from tdml_assets.platform.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def unfinished(folder: Path) -> list[Path]:
    return sorted(folder.rglob(".*.tmp"))


def test_what_a_killed_process_left_is_removed_and_the_file_it_would_have_replaced_stays(tmp_path: Path) -> None:
    page = tmp_path / "reports" / "page.html"
    page.parent.mkdir()
    page.write_text("before", encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", DIES, str(page)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = unfinished(tmp_path)
    remove_unfinished(tmp_path)
    assert unfinished(tmp_path) == [left], "a process that lives may be writing it"
    earlier = time.time() - 60
    os.utime(left, (earlier, earlier))
    remove_unfinished(tmp_path)
    assert (unfinished(tmp_path), page.read_text(encoding="utf-8")) == ([], "before")


def test_an_error_in_the_block_leaves_the_file_as_it_was_and_nothing_next_to_it(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    target.write_text("before", encoding="utf-8")
    with pytest.raises(RuntimeError), replacing(target) as file:
        file.write(b"after")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert target.read_text(encoding="utf-8") == "before"


def test_a_lock_stays_that_of_its_file_when_the_folder_is_moved(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    with locked(folder / "run.lock") as descriptor:
        folder.rename(tmp_path / "home.old")
        os.write(descriptor, b"mine")
    assert (tmp_path / "home.old" / "run.lock").read_text(encoding="utf-8") == "mine"
    assert not folder.exists()
