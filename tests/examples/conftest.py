"""The microscope's page, and a browser that shows it."""

import pytest

from examples.microscope import export
from examples.microscope import page as pages
from tests.examples.browser import Page, browser


@pytest.fixture(scope="module")  # two at a time cannot be, and other pages start their own
def started():
    with browser() as running:
        yield running


@pytest.fixture(scope="session")
def data():
    return export.everything(export.boot()) | {"start": export.START}


@pytest.fixture(scope="session")
def html(data):
    return pages.page(data)


@pytest.fixture(scope="session")
def path(html, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "microscope.html"
    path.write_text(html)
    return path


@pytest.fixture
def opened(started, path):
    page = Page(started, path)
    yield page
    page.close()
