"""The page, in a real browser, from first run to a finished download; pause, kill -9, start, resume."""

import base64
import hashlib
import os
import re
import signal

import pytest
from browsing_machine import NARROW, origin_of
from cli_machine import wait_until
from playwright.sync_api import expect

from peerage.identity.keys import format_id

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("page")]


def test_from_first_run_to_a_first_download(browsing, two):
    newcomer, other = two
    data = os.urandom(300_000)
    other.do("share", other.write("harbour morning.bin", data))
    page = browsing.enter(newcomer)
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    page.get_by_role("listitem").filter(has_text="Find something").get_by_role("button").click()
    page.get_by_label("Search words").fill("harbour")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Download harbour morning.bin").click()
    page.get_by_role("link", name="Transfers").click()
    line = page.get_by_role("listitem").filter(has_text="harbour morning.bin")
    expect(line).to_contain_text("Finished")
    (found,) = newcomer.folder.rglob("harbour morning.bin")
    assert found.read_bytes() == data


def test_pause_then_kill_then_resume(browsing, two):
    mine, other = two
    data = os.urandom(12_000_000)
    link = other.do("share", other.write("long tape.bin", data), "--json").json_lines[-1]["link"]
    mine.do("limits", "--down", "1M")
    page = browsing.enter(mine, "/transfers")
    page.get_by_role("button", name="Add a link").first.click()
    page.get_by_role("textbox", name="Link").fill(link)
    page.get_by_role("button", name="Download", exact=True).click()
    line = page.get_by_role("listitem").filter(has_text="long tape.bin")
    expect(line).to_contain_text(re.compile(r"Downloading · [1-9][\d.]* MB of 12 MB"))
    line.get_by_role("button", name="Pause long tape.bin").click()
    expect(line).to_contain_text("Paused")

    before = mine.do("transfers", "--json").json_lines[0]["done"]
    os.kill(mine.status["pid"], signal.SIGKILL)
    expect(page.get_by_text("Your node does not answer")).to_be_visible()
    api = mine.status["api"]
    mine.do("up", "--listen", "127.0.0.1:0", "--api", api, "--no-lan", "--network", mine.network, "--detach")
    mine.do("connect", other.status["listen"])
    after = mine.do("transfers", "--json").json_lines[0]
    assert after["state"] == "paused"
    assert after["done"] >= before > 0

    page = browsing.enter(mine, "/transfers")
    line = page.get_by_role("listitem").filter(has_text="long tape.bin")
    expect(line).to_contain_text("Paused")
    mine.do("limits", "--down", "0")
    line.get_by_role("button", name="Resume long tape.bin").click()
    expect(line).to_contain_text("Finished")
    assert next(mine.folder.rglob("long tape.bin")).read_bytes() == data


def test_the_page_goes_on_when_the_node_comes_back(browsing, one):
    page = browsing.enter(one, "/network")
    api = one.status["api"]
    one.do("down")
    expect(page.get_by_text("Your node does not answer")).to_be_visible()
    one.do("up", "--listen", "127.0.0.1:0", "--api", api, "--no-lan", "--network", one.network, "--detach")
    # its sessions went with the process: the page says how to get in
    # its session outlived the restart
    expect(page.get_by_text("Your node does not answer")).to_have_count(0)
    one.do("share", one.write("new.txt", b"new"))
    page.get_by_role("link", name="Library").click()
    expect(page.get_by_role("button", name="new.txt", exact=True)).to_be_visible()


def test_details_show_pieces_sources_and_files(browsing, two):
    mine, other = two
    folder = other.files / "album"
    for number in range(3):
        other.write(f"album/song {number}.bin", os.urandom(1_500_000))
    link = other.do("share", folder, "--json").json_lines[-1]["link"]
    mine.do("limits", "--down", "400K")
    page = browsing.enter(mine, "/transfers", size=NARROW)
    page.goto(
        origin_of(page.url) + "/transfers?add=" + link.replace("&", "%26").replace("?", "%3F").replace("=", "%3D")
    )
    page.get_by_role("button", name="Download", exact=True).click()
    page.get_by_role("listitem").filter(has_text="album").get_by_role("button", name="album", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"\d+ of \d+ pieces"))
    expect(dialog.get_by_role("row")).to_have_count(2)  # the head, and the one source
    dialog.get_by_role("button", name="Files").click()
    dialog.get_by_label("Priority of song 2.bin").select_option("skip")
    wanted = wait_until(
        lambda: (mine.do("transfers", "--json").json_lines[0]["wanted"] or 0) < 4_000_000, "leaving one out"
    )
    assert wanted
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_ten_thousand_transfers_are_listed_and_stay_smooth(browsing, one):
    """The page draws the lines in sight only, and moves through all of them."""
    link = "peerage:" + format_id(bytes(32)) + "?name=number%200000.bin&size=5000"
    page = browsing.enter(one, "/transfers")
    begin = """(target) => fetch("/api/v1/transfers", {method: "POST", body: JSON.stringify({target}),
        headers: {"content-type": "application/json"}}).then((answer) => answer.status)"""
    assert page.evaluate(begin, link) == 201
    one.do("pause", "number 0000.bin")
    one.do("down")
    (template,) = (one.home / "transfers").glob("*.json")
    kept = template.read_text()
    for number in range(1, 10_000):
        content = hashlib.blake2s(str(number).encode()).digest()
        copy = kept.replace(base64.b64encode(bytes(32)).decode(), base64.b64encode(content).decode())
        copy = copy.replace("number 0000", f"number {number:04}").replace('"place":0', f'"place":{number}')
        (one.home / "transfers" / f"{format_id(content)}.json").write_text(copy)
    one.up()
    page = browsing.enter(one, "/transfers")
    expect(page.get_by_role("button", name="All 10,000")).to_be_visible()
    drawn = page.evaluate("document.querySelectorAll('.rows .line').length")
    assert 10 < drawn < 100
    page.get_by_label("Order").select_option("name")
    first = page.locator(".rows .line").first
    expect(first).to_contain_text("number 0000.bin")
    first.focus()
    page.keyboard.press("End")
    expect(page.locator(".rows .line").last).to_contain_text("number 9999.bin")
    expect(page.locator(".rows .line").last).to_be_focused()
    page.get_by_label("Find in this list").fill("number 4321")
    expect(page.locator(".rows .line")).to_have_count(1)
