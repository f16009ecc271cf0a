"""Put the page together: the files of ``page/``, and the engine's numbers, in one HTML file."""

import html
from pathlib import Path
from typing import Any

from googlenet.pages import Page, embedded

FOLDER = Path(__file__).parent / "page"
SCRIPTS = (
    "grids.js", "arithmetic.js", "check.js", "matrices.js", "convolution.js", "sums.js", "pool.js",
    "inception.js", "page.js",
)  # fmt: skip


def page(data: dict[str, Any]) -> str:
    """Return the page that shows `data`, as `examples.microscope.export.everything` gives it."""
    image = data["image"]
    caption = html.escape(f"{image['title']} ({image['source']})")
    return Page(FOLDER, SCRIPTS).html(data=embedded(data), caption=caption)
