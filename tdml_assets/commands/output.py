"""Files that commands write for people. Belongs here: where the bytes go. Does not: what is in them."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: Name that stands for standard output.
STANDARD_OUTPUT = "-"


@contextmanager
def written(path: str) -> Iterator[IO[bytes]]:
    """A file that takes its place when it is complete, replacing one of that name; ``-`` is standard output."""
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file
            file.flush()
            # Readable as any file that a person makes; a temporary file is its owner's alone.
            temporary.chmod(0o644)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
