"""What is never looked through again while a process works is given back at its end."""

import subprocess
import sys

ENDS = """
from tdml_assets.platform.collector import loading_what_stays

class Kept:
    pass

kept = Kept()
kept.itself = kept
with loading_what_stays():
    pass
import duckdb
kept.connection = duckdb.connect()
{last}
"""


def ended(last: str = "") -> str:
    done = subprocess.run([sys.executable, "-c", ENDS.format(last=last)], capture_output=True, text=True, check=True)
    return done.stderr


def test_a_process_that_ran_assets_ends_without_a_note_of_leaked_objects() -> None:
    assert ended("from tdml_assets.platform.collector import give_back_at_end; give_back_at_end()") == ""


def test_without_giving_back_the_note_is_printed() -> None:
    """Else the test above would show nothing."""
    assert "leaked" in ended()
