"""A JupyterLab server and a real browser, one of each for all these tests; skipped where they are not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from browser.jupyter import CHROMIUM, Server, open_notebook, running_browser, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("jupyterlab", reason='jupyterlab is not installed: pip install -e ".[test]"')
    with running_server(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("playwright.sync_api", reason='playwright is not installed: pip install -e ".[test]"')
    if not CHROMIUM:
        pytest.skip("chromium is not installed; on Debian: apt-get install chromium")
    with running_browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def run_notebook(browser: Any, server: Server) -> Iterator[Callable[[str, str], Any]]:
    """Open a notebook of one cell, run it, and wait for its picture; returns the page."""
    pages = []

    def opened(name: str, source: str) -> Any:
        pages.append(open_notebook(server, browser, name, source))
        return pages[-1]

    yield opened
    for page in pages:
        page.close()
    server.end_kernels()
