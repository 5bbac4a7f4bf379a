"""Figures that are made and not drawn: drawing takes a quarter of the time of a stage.

Belongs here: what stands in for drawing. Does not: which tests draw nothing (``conftest.py``, ``e2e/conftest.py``).
"""

import base64
from typing import IO, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg

#: A picture of one dot.
_ONE_DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def draw_one_dot(canvas: FigureCanvasAgg, file: IO[bytes], **_: Any) -> None:
    """Stand in for ``FigureCanvasAgg.print_png``."""
    file.write(_ONE_DOT)
