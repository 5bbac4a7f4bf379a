"""``make docs``: writes ``docs/sources.md`` and ``docs/tdml.schema.json`` from the models.

Belongs here: names of the files. Does not: what they say (``settings_reference.py``).
"""

import json
import sys
from pathlib import Path

from tdml_assets.commands.settings_reference import settings_schema, sources_page
from tdml_assets.settings import Settings


def reference_files() -> dict[str, str]:
    """Content per file name."""
    schema = json.dumps(settings_schema(Settings), indent=1, default=str)
    return {"sources.md": sources_page(), "tdml.schema.json": f"{schema}\n"}


def main(folder: Path) -> None:
    """Write the files into ``folder``."""
    for name, content in reference_files().items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
