"""The browser of the tests of the page, and the pictures that those leave that fail."""

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed_in_call = report.failed
    return report


@pytest.fixture(scope="module")
def chromium():
    """Started for one module: while it runs there is an event loop in this thread, and tests with their own cannot run."""
    from browsing_machine import chromium as started

    with started() as browser:
        yield browser


@pytest.fixture
def browsing(request, chromium):
    """Open pages with it; they must have nothing to complain about when a test ends."""
    from browsing_machine import Browsing

    opened = Browsing(chromium)
    yield opened
    if getattr(request.node, "failed_in_call", False):
        opened.pictures(request.node.name)
    opened.close()
    assert not opened.complaints


@pytest.fixture
def two(tmp_path):
    """Two nodes that are linked."""
    from browsing_machine import machines

    with machines(tmp_path, 2) as made:
        yield made


@pytest.fixture
def one(tmp_path):
    """One node."""
    from browsing_machine import machines

    with machines(tmp_path, 1) as made:
        yield made[0]
