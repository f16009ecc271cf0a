"""Put the page together: the files of ``page/``, and what it shows, in one HTML file."""

import html
from functools import cache
from pathlib import Path
from typing import Any

from googlenet.pages import Page, embedded

FOLDER = Path(__file__).parent / "page"
SCRIPTS = ("charts.js", "page.js")


def page(fixed: dict[str, Any], story: dict[str, Any]) -> tuple[bytes, str]:
    """Return the page that asks for more of the story, and its policy."""
    parts = _parts(connect="'self'")
    return _html(parts, fixed, story, live=True), parts.policy


def report(fixed: dict[str, Any], story: dict[str, Any]) -> bytes:
    """Return the page that shows the story as it is, and asks for nothing."""
    return _html(_parts(), fixed, story, live=False)


@cache
def _parts(connect: str = "") -> Page:
    return Page(FOLDER, SCRIPTS, connect)


def _html(parts: Page, fixed: dict[str, Any], story: dict[str, Any], live: bool) -> bytes:
    data = embedded({"fixed": fixed, "story": story, "live": live})
    name = html.escape(Path(fixed["run"]).name)
    return parts.html(data=data, name=name).encode()
