"""Every view of the page: axe-core's rules in both themes, narrow windows, the keyboard alone, German, a guest."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing_machine import NARROW, machines, origin_of
from playwright.sync_api import expect

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("page")]

VIEWS = {"home": "/", "search": "/search?q=morning", "transfers": "/transfers", "library": "/library"}
VIEWS |= {"network": "/network", "settings": "/settings"}
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two nodes with something to find, and something downloaded: enough for every view to have contents."""
    with machines(tmp_path_factory.mktemp("everywhere"), 2) as (mine, other):
        for number in range(12):
            other.write(f"album/morning song {number}.txt", b"la " * (number + 1))
        other.do("share", "album")
        mine.do("share", mine.write("my own morning.txt", b"mine"))
        mine.do("search", "morning", "song")
        mine.do("get", "1")
        mine.do("wish", "add", "something rare")
        yield mine, other


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(browsing, world, view, theme):
    page = browsing.enter(world[0], VIEWS[view], theme=theme, bypass_csp=True)
    settled(page, view)
    found = Axe().run(page, options=RULES)
    assert not found.response["violations"], found.generate_report()


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_window_scrolls_down_only(browsing, world, view):
    page = browsing.enter(world[0], VIEWS[view], size=NARROW, language="de-DE")
    settled(page, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert page.evaluate("document.documentElement.lang") == "de"


def settled(page, view):
    """Wait until a view shows what it has."""
    sign = {"search": ".rows .line", "transfers": ".rows .line", "home": ".checks, .home-doctor .button"}.get(view)
    if sign:
        page.wait_for_selector(sign)
    expect(page.get_by_text(re.compile("Loading …|Lädt …"))).to_have_count(0)


def test_the_keyboard_alone(browsing, world):
    page = browsing.enter(world[0], "/")
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    keys.press("Control+k")
    expect(page.get_by_role("combobox", name="Search or command")).to_be_focused()
    keys.type("morning song")
    keys.press("Enter")  # the first choice is to search for it
    lines = page.get_by_label("Hits").get_by_role("listitem")
    expect(lines.first).to_be_visible()
    expect(page.get_by_text("messages and")).to_be_visible()  # it has ended, so the order stays
    lines.first.focus()
    keys.press("ArrowDown")
    keys.press("End")
    expect(lines.last).to_be_focused()
    keys.press("Home")
    keys.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Why trust it?")).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(lines.first).to_be_focused()  # where one was
    keys.press("Control+k")
    keys.type("dark")
    keys.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    keys.press("/")
    keys.type("go to network")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Network", level=1)).to_be_focused()


def test_hits_come_while_the_search_goes_on(browsing, world):
    page = browsing.enter(world[0], "/search")
    page.get_by_label("Search words").fill("morning")
    page.get_by_label("Search words").press("Enter")
    page.wait_for_selector(".rows .line")
    seen = page.evaluate(
        "() => [document.querySelectorAll('.rows .line').length, !!document.querySelector('.search-words button[type=button]')]"
    )
    assert seen[0] > 0
    assert seen[1]  # it could be stopped: it was still going on
    expect(page.get_by_text("How it was found")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Other|^Texts")).first.click()
    page.get_by_role("button", name="How it was found").click()
    expect(page.get_by_role("dialog").get_by_role("row")).not_to_have_count(0)


def test_a_guest_sees_and_changes_nothing(browsing, world):
    mine, _ = world
    key = mine.do("keys", "add", "visitor", "--role", "guest").out.split()[0]
    page = browsing.blank()
    page.goto("http://" + mine.status["api"] + "/")
    page.get_by_label("Key or password").fill("wrong" * 9)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("not a key or the password")
    page.get_by_label("Key or password").fill(key)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
    for view, path in VIEWS.items():
        page.goto(origin_of(page.url) + path)
        page.wait_for_selector("h1")
        settled(page, view)
        for forbidden in (
            "Add a link",
            "Connect to somebody",
            "Pick a folder",
            "Remove",
            "Stop the node",
            "Download morning",
        ):
            expect(page.get_by_role("button", name=forbidden)).to_have_count(0)
    tried = """async ([path, method, body]) => (await fetch("/api/v1/" + path,
        {method, body: body && JSON.stringify(body), headers: {"content-type": "application/json"}})).status"""
    for path, method, body in (
        ("transfers", "POST", {"target": "peerage:x"}),
        ("shares", "POST", {"paths": ["/etc"]}),
        ("limits", "PUT", {"down": 1}),
        ("settings", "PATCH", {"changes": [{"name": "lan", "value": True}]}),
        ("down", "POST", None),
        ("keys", "GET", None),
        ("logs", "GET", None),
    ):
        assert page.evaluate(tried, [path, method, body]) == 403, path


def test_what_the_browser_was_told_to_forbid(browsing, world):
    """The policy of the page holds: nothing of another place, no script in the markup, no frame round it."""
    page = browsing.enter(world[0], "/")
    answer = page.request.get(page.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    asked = set()
    page.on("request", lambda request: asked.add(origin_of(request.url)))
    for path in VIEWS.values():
        page.goto(origin_of(page.url) + path)
        page.wait_for_selector("h1")
    assert asked == {origin_of(page.url)}
