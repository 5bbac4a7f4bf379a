"""Pictures kept in a folder, so that a session on unchanged data draws none.

Belongs here: files by key. Does not: what a key is made of (``drawn_once.py``), how many are kept (``housekeeping.py``).
"""

import hashlib
import logging
import os
import tempfile
from pathlib import Path

__all__ = ["PictureFolder"]

_LOG = logging.getLogger(__name__)
_START, _END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class PictureFolder:
    """PNG files by key.

    ``folder``: made when the first picture is kept. ``made_by``: versions of what draws; pictures of another are not found.
    """

    def __init__(self, folder: Path, made_by: str) -> None:
        self._folder, self._made_by = folder, made_by

    def get(self, key: str) -> bytes | None:
        """The picture; None where there is none, or not the whole of it."""
        path = self._path(key)
        try:
            found = path.read_bytes()
            # The files written last are kept: one in use counts as new.
            os.utime(path)
        except OSError:
            return None
        return found if found.startswith(_START) and found.endswith(_END) else None

    def put(self, key: str, picture: bytes) -> None:
        """Keep a picture, by rename: a process that is killed leaves no part of one."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
                file.write(picture)
            Path(file.name).replace(self._path(key))
        except OSError as error:
            # It is drawn again next time; what a session must write says on its own that the disk is full.
            _LOG.warning("%s", f"a picture could not be kept in {self._folder}: {error}")

    def _path(self, key: str) -> Path:
        name = hashlib.sha256(f"{self._made_by} {key}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.png"
