"""Files that commands write for people. Belongs here: where the bytes go. Does not: what is in them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tdml_assets.platform.files import replacing

#: Name that stands for standard output.
STANDARD_OUTPUT = "-"


@contextmanager
def written(path: str) -> Iterator[IO[bytes]]:
    """A file that takes its place when it is complete, replacing one of that name; ``-`` is standard output."""
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # Readable as any file that a person makes.
    with replacing(Path(path), mode=0o644) as file:
        yield file
