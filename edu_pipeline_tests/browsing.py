"""Pages of Debian's Chromium on the UI, or on the static site.

Belongs here: opening them, and keeping what each shows at the end of a test in `build/screenshots`. Does not belong
here: the UI (``serving_dagster.py``), the site (``site/conftest.py``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from edu_pipeline.settings import PROJECT
from edu_pipeline_tests.serving_dagster import Ui

PAGES_PER_START = 20
"""A page that is not shown in the time of so many starts of the UI, on this machine now, never will be. It is usually
shown in a tenth of one."""


def browser_of(ui: Ui) -> AbstractContextManager[BrowserContext]:
    """A browser whose addresses are those of ``ui``; the test is skipped where there is no Chromium."""
    return browser_at(ui.url, 1000 * PAGES_PER_START * ui.start_seconds)


@contextmanager
def browser_at(url: str, milliseconds: float) -> Iterator[BrowserContext]:
    """A browser whose addresses are below ``url``; what does not come after so many milliseconds never will."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine (`apt-get install chromium`)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(base_url=url, viewport={"width": 1500, "height": 1000})
        context.set_default_timeout(milliseconds)
        expect.set_options(timeout=milliseconds)
        yield context
        browser.close()


@contextmanager
def page_in(browser: BrowserContext) -> Iterator[Page]:
    """A new page; its picture at the end is named after the test."""
    page = browser.new_page()
    yield page
    name = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0]
    page.screenshot(path=PROJECT / "build" / "screenshots" / f"{name}.png", full_page=True)
    page.close()
