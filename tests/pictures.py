"""Pictures of pages for docs/, taken by the tests that check what is on them. ``make pictures`` takes them anew."""

import io
import os
from pathlib import Path
from typing import Any

#: Names the folder that pictures are kept in; none are kept where it is not set.
VARIABLE = "PICTURES"
_MOST_BYTES = 250_000
_COLOURS = 96


def keep(page: Any, name: str, *, height: int | None = None) -> None:
    """Keep what a page of a browser shows as ``<name>.png``.

    Parameters
    ----------
    height : pixels from the top of the page, where it is longer than the window.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    from PIL import Image

    if height is None:
        png = page.screenshot()
    else:
        size = page.viewport_size
        tall = min(height, page.evaluate("document.documentElement.scrollHeight"))
        png = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": size["width"], "height": tall})
    path = Path(folder) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLOURS).save(path, optimize=True)
    assert path.stat().st_size < _MOST_BYTES, f"{path.name} has {path.stat().st_size:,} bytes: show less of the page"
