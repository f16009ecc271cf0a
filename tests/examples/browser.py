"""A page in a real browser: how it is opened, what may not happen to it, what a test can ask of it.

Debian's chromium, driven by Playwright.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.gallery import BROWSERS

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = "MICROSCOPE_SCREENSHOTS"  # a folder to keep screenshots in


@contextmanager
def browser() -> Iterator[Any]:
    """Start the browser, or skip the test and say what is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"there is no browser: none of {', '.join(BROWSERS)} is on the path")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


class Page:
    """A page on the screen, with everything that went wrong on it."""

    def __init__(
        self, started: Any, place: Path | str, width: int = 1280, height: int = 900, **options
    ):
        self.context = started.new_context(viewport={"width": width, "height": height}, **options)
        self.screen = self.context.new_page()
        self.screen.set_default_timeout(10_000)
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.screen.on("console", lambda message: self.wrong.append(message.text))
        self.screen.on("pageerror", lambda error: self.wrong.append(f"{error}"))
        self.screen.on("requestfailed", lambda request: self.wrong.append(request.url))
        self.screen.on("request", lambda request: self.asked.append(request.url))
        self.address = place if isinstance(place, str) else place.as_uri()
        self.screen.goto(self.address)

    def close(self) -> None:
        """Close it, and fail if anything was said, went wrong, or was asked for."""
        self.context.close()
        assert self.wrong == []
        assert self.asked == [self.address]

    def choose(self, option: str, value: Any) -> None:
        """Click one of several choices."""
        self.screen.locator(f"input[name='{option}'][value='{value}']").click()

    def text(self, name: str) -> str:
        """Return the text of the element with this id."""
        return self.screen.locator(f"#{name}").text_content()

    def values(self, grid: str) -> np.ndarray:
        """Return the numbers of a grid, as a square, NaN where it is padding."""
        found = self.screen.locator(f"#{grid} [role=gridcell]").evaluate_all(
            "all => all.map(c => c.dataset.padding === 'true' ? null : Number(c.dataset.value))"
        )
        side = round(len(found) ** 0.5)
        return np.array(found, np.float64).reshape(side, side)

    def inside(self, grid: str) -> np.ndarray:
        """Return the numbers of a grid without its padding."""
        values = self.values(grid)
        rows = ~np.isnan(values).all(axis=1)
        return values[rows][:, rows]

    def marked(self, grid: str, mark: str) -> list[int]:
        """Return which cells of a grid have a mark."""
        return self.screen.locator(f"#{grid} [role=gridcell]").evaluate_all(
            "(all, mark) => all.flatMap((c, n) => c.dataset.mark === mark ? [n] : [])", mark
        )

    def cell(self, grid: str, row: int, column: int) -> Any:
        """Return a cell, to be pointed at."""
        return self.screen.locator(f"#{grid} [role=row]").nth(row).locator("div").nth(column)

    def selected(self, grid: str) -> tuple[int, int]:
        """Return the row and the column of the cell that is followed."""
        found = self.screen.locator(f"#{grid} [role=gridcell]").evaluate_all(
            "all => [all.findIndex(c => c.ariaSelected === 'true'), all.length]"
        )
        return divmod(found[0], round(found[1] ** 0.5))

    def focused(self, what: str) -> Any:
        """Ask the element that has the focus for something."""
        return self.screen.evaluate(
            f"(() => {{ const e = document.activeElement; return {what} }})()"
        )

    def press(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.screen.keyboard.press(key)

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        return self.screen.evaluate("document.documentElement.scrollWidth - innerWidth")

    def keep(self, name: str, folder: Path, of: str = "microscope") -> Path:
        """Keep a screenshot of the whole page."""
        folder = Path(os.environ.get(PICTURES) or folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{of}-{name}.png"
        self.screen.screenshot(path=path, full_page=True)
        return path
