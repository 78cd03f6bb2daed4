"""Debian's Chromium, driven by Playwright, and axe-core to judge what it shows."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from support.cluster import REPOSITORY

SHOTS = REPOSITORY / "dist" / "page"
"""Pictures of all pages: build output, to be looked at."""


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Give a browser without a window. Fails the test where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is not installed: dev/packages tests installs it")
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that root in a container does not have.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


@cache
def find_axe() -> Path:
    """Return where axe-core is; it is fetched if it is not there yet."""
    command = [sys.executable, str(REPOSITORY / "dev" / "vendor.py"), "axe"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def find_faults(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page as it stands, WCAG 2.2 AA and its best practices."""
    page.evaluate(find_axe().read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], runOnly: "
        "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def log_in(page: Page, url: str, token: str) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda address: "/login" not in address)
