"""What the tests of the page have in common: nodes of their own, and Debian's Chromium that is let into them.

A test that fails leaves a picture of every page it had open in `test-failures/`.
"""

import contextlib
import os
import re
import shutil
from pathlib import Path

import pytest
from cli_machine import Machine
from playwright.sync_api import expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FAILURES = Path(__file__).parents[2] / "test-failures"
PATIENCE = 30_000  # milliseconds
ARGUMENTS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}


expect.set_options(timeout=PATIENCE)


def needs_chromium():
    """Skip with what to do; in continuous integration a missing browser is a failure."""
    if CHROMIUM is None:
        message = "the page is tested in Chromium; on Debian: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


class Browsing:
    """One browser, and the pages that a test opens in it; what they complain about is noted."""

    def __init__(self, browser):
        self._browser = browser
        self._contexts = []
        self.complaints = []

    def enter(self, machine, path="/", **options):
        """Open a page as the owner of a node, by a one-time link."""
        page = self.blank(**options)
        link = machine.do("ui", "--json").json["url"]
        page.goto(link)
        page.wait_for_selector("h1")
        if path != "/":
            page.goto(origin_of(link) + path)
            page.wait_for_selector("h1")
        return page

    def blank(self, *, size=None, theme="light", language="en-GB", **options):
        """Open an empty page in a browser of its own."""
        context = self._browser.new_context(
            viewport=size or WIDE, color_scheme=theme, locale=language, reduced_motion="reduce", **options
        )
        context.set_default_timeout(PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        return page

    def _heard(self, message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def pictures(self, name):
        """Keep what every open page shows."""
        FAILURES.mkdir(exist_ok=True)
        pages = [page for context in self._contexts for page in context.pages]
        for number, page in enumerate(pages):
            with contextlib.suppress(Exception):
                page.screenshot(path=FAILURES / f"{name}-{number}.png", timeout=5000)

    def close(self):
        for context in self._contexts:
            context.close()


@contextlib.contextmanager
def chromium():
    needs_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def machines(folder, count):
    """Nodes of one network, linked in a star."""
    network = f"page-{os.getpid()}-{folder.name}"
    made = [Machine(folder / f"machine{number}", network) for number in range(count)]
    try:
        for machine in made:
            machine.status = machine.up()
        for machine in made[1:]:
            machine.do("connect", made[0].status["listen"])
        yield made
    finally:
        for machine in made:
            machine.close()


def origin_of(url):
    return re.match(r"https?://[^/]+", url)[0]
