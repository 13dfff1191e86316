"""The page plays a film that is half here, and seeks in it."""

import re
from importlib.resources import files

import pytest
from cli_machine import wait_until
from playwright.sync_api import expect

from peerage.app.demo.film import lengthen

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("page")]

RATE = 800_000  # bytes a second
PLAYED = "(() => { const v = document.querySelector('video'); return v && !v.error ? v.currentTime : -1; })()"


def test_play_from_a_half_downloaded_film_and_seek(browsing, two):
    mine, other = two
    clip = files("peerage.app.demo").joinpath("pieces.webm").read_bytes()
    film = lengthen(clip, 60, "for a test")
    other.do("share", other.write("pieces go round.webm", film))
    mine.do("limits", "--down", str(RATE))
    page = browsing.enter(mine, "/search?q=pieces")
    page.get_by_role("button", name="Preview pieces go round.webm").click()
    dialog = page.get_by_role("dialog")
    wait_until(lambda: page.evaluate(PLAYED) > 0.5, "that it plays")
    state = mine.do("transfers", "--json").json_lines[0]
    assert state["done"] < state["size"] == len(film)  # and it is not whole

    end = page.evaluate("document.querySelector('video').duration")
    assert end > 600
    page.evaluate("document.querySelector('video').currentTime = document.querySelector('video').duration * 0.9")
    wait_until(lambda: page.evaluate(PLAYED) > end * 0.9 + 0.5, "that it plays from there")
    state = mine.do("transfers", "--json").json_lines[0]
    assert state["done"] < state["size"]  # what lies between was not waited for
    expect(dialog.get_by_text(re.compile("is here; where you play comes first"))).to_be_visible()
    assert page.evaluate("document.querySelector('video').videoWidth") > 0

    dialog.get_by_role("button", name="Throw it away").click()
    expect(dialog).to_have_count(0)
    assert all(each["state"] == "cancelled" for each in mine.do("transfers", "--json").json_lines)
