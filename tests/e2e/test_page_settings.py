"""The settings of the page: speeds, a week that is painted, faults at their fields, keys, what only an owner sees."""

import pytest
from browsing_machine import NARROW
from playwright.sync_api import expect

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("page")]


def section(page, name):
    return page.get_by_role("region", name=name)


def settings_of(page):
    """Return what the node has now."""
    said = page.evaluate("async () => (await fetch('/api/v1/settings')).json()")
    return {entry["name"]: entry for entry in said}


def test_speeds_and_their_faults(browsing, one):
    page = browsing.enter(one, "/settings?at=speed")
    speed = section(page, "Speed")
    expect(speed.get_by_role("heading")).to_be_focused()
    up = speed.get_by_label("Upload at most", exact=True)
    up.fill("fast")
    expect(speed.get_by_role("alert")).to_contain_text("A number")
    expect(speed.get_by_role("button", name="Save")).to_be_disabled()
    up.fill("1,5")
    speed.get_by_label("Unit of Upload at most", exact=True).select_option("KB/s")
    up.press("Enter")
    expect(speed.get_by_text("1.5 KB/s")).to_be_visible()
    assert settings_of(page)["limits.up"]["value"] == 1500
    speed.get_by_role("button", name="Upload at most: back to the default").click()
    speed.get_by_role("button", name="Save").click()
    expect(speed.get_by_text("1.5 KB/s")).to_have_count(0)
    assert settings_of(page)["limits.up"]["value"] == 0


def test_a_week_is_painted_with_mouse_and_keys(browsing, one):
    page = browsing.enter(one, "/settings?at=schedule")
    schedule = section(page, "Schedule")
    first = schedule.get_by_role("gridcell", name="Monday, 08:00 to 09:00")
    last = schedule.get_by_role("gridcell", name="Friday, 17:00 to 18:00")
    first.hover()
    page.mouse.down()
    last.hover()
    page.mouse.up()
    words = schedule.get_by_label("The same in words, one entry a line; minutes count, too:", exact=True)
    expect(words).to_have_value("mon-fri 08:00-18:00")
    first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")  # the name of the day stands for all of it
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(words).to_have_value("mon 09:00-18:00\ntue-fri 08:00-18:00\nsun 00:00-24:00")
    schedule.get_by_label("Use the schedule", exact=True).check()
    schedule.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    saved = settings_of(page)
    assert saved["schedule.hours"]["value"] == ["mon 09:00-18:00", "tue-fri 08:00-18:00", "sun 00:00-24:00"]
    assert saved["schedule.on"]["value"] is True
    words.fill("someday 8-9")
    expect(schedule.get_by_role("alert")).to_contain_text("Write each line like")
    schedule.get_by_role("button", name="Undo").click()
    expect(words).to_have_value("\n".join(saved["schedule.hours"]["value"]))


def test_hours_are_tapped_on_a_phone(browsing, one):
    page = browsing.enter(one, "/settings?at=schedule", size=NARROW, has_touch=True)
    schedule = section(page, "Schedule")
    schedule.get_by_role("gridcell", name="Wednesday, 02:00 to 03:00").tap()
    schedule.get_by_role("columnheader", name="Sunday, the whole day").tap()
    expect(schedule.get_by_label("The same in words, one entry a line; minutes count, too:", exact=True)).to_have_value(
        "wed 02:00-03:00\nsun 00:00-24:00"
    )


def test_what_the_node_refuses_stands_at_its_field(browsing, one):
    page = browsing.enter(one, "/settings?at=node")
    node = section(page, "This node")
    listen = node.get_by_label("Address for other peers", exact=True)
    listen.fill("nonsense:xx")
    node.get_by_label("Network", exact=True).fill("elsewhere")
    node.get_by_role("button", name="Save").click()
    expect(listen).to_be_focused()
    expect(node.get_by_role("alert")).to_contain_text("is not an address")
    assert settings_of(page)["network"]["value"] != "elsewhere"  # all or none
    listen.fill("127.0.0.1:0")
    node.get_by_role("button", name="Save").click()
    expect(page.get_by_text("These were changed and wait for a restart")).to_be_visible()
    expect(page.get_by_role("link", name="Network").last).to_be_visible()
    assert settings_of(page)["network"]["restart"]


def test_a_key_is_shown_once_and_taken_back(browsing, one):
    page = browsing.enter(one, "/settings?at=keys")
    keys = section(page, "Keys and password")
    keys.get_by_role("button", name="Add a key").click()
    page.keyboard.type("Anna")  # the window begins where one types
    page.get_by_role("radio", name="Guest").check()
    page.get_by_role("button", name="Make the key").click()
    secret = page.get_by_role("dialog").locator("code").inner_text()
    page.get_by_role("button", name="I have kept it").click()
    expect(keys.get_by_role("listitem").filter(has_text="Anna")).to_contain_text("Guest")

    visitor = browsing.blank()
    visitor.goto(page.url)
    visitor.get_by_label("Key or password").fill(secret)
    visitor.get_by_role("button", name="Open").click()
    expect(visitor.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    expect(visitor.get_by_role("heading", level=2)).to_have_text(["This page", "About"])

    keys.get_by_role("button", name="Take back the key of Anna").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(keys.get_by_text("Nobody else has a key")).to_be_visible()
    visitor.reload()
    expect(visitor.get_by_label("Key or password")).to_be_visible()


def test_a_new_password_leaves_this_page_in(browsing, one):
    page = browsing.enter(one, "/settings?at=keys")
    page.get_by_role("button", name="Set the password").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Password", exact=True).fill("correct horse battery")
    dialog.get_by_label("Once more").fill("correct horse batter")
    dialog.get_by_role("button", name="Set the password").click()
    expect(dialog.get_by_role("alert")).to_contain_text("not the same")
    dialog.get_by_label("Once more").fill("correct horse battery")
    dialog.get_by_role("button", name="Set the password").click()
    expect(dialog).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()


def test_the_node_is_stopped(browsing, one):
    page = browsing.enter(one, "/settings?at=about")
    page.get_by_role("button", name="Stop the node").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop the node").click()
    expect(page.get_by_text("Your node does not answer")).to_be_visible()
    assert one.try_to("status").status != 0
