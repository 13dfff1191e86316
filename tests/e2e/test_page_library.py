"""The library of the page: shared by browsing, by path, by handing a file in; who may see it, links, uploads."""

import re
from pathlib import Path

import pytest
from cli_machine import wait_until
from playwright.sync_api import expect

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("page")]

DROPPING = """(name) => {
    const carried = new DataTransfer();
    carried.items.add(new File(["dropped on the page"], name));
    for (const event of ["dragenter", "dragover", "drop"]) {
        document.querySelector("main").dispatchEvent(
            new DragEvent(event, { bubbles: true, cancelable: true, dataTransfer: carried }));
    }
}"""


def line_of(page, name):
    return page.get_by_label("What this node shares").get_by_role("listitem").filter(has_text=name)


def shares_of(machine):
    return {share["name"]: share for share in machine.do("library", "--json").json_lines}


def test_from_an_empty_library_to_an_upload(browsing, two):
    mine, other = two
    mine.write("tapes/one.txt", b"one")
    mine.write("tapes/two.txt", b"two!")
    page = browsing.enter(mine, "/library")
    page.get_by_role("button", name="Choose a folder").click()
    page.get_by_role("button", name="files", exact=True).click()
    page.get_by_label("Choose tapes").check()
    page.get_by_role("radio", name="Whoever has the link").check()
    page.get_by_role("button", name="Share 1").click()
    expect(line_of(page, "tapes")).to_contain_text("2 files")
    shared = shares_of(mine)["tapes"]
    assert shared["visibility"] == "link"

    page.get_by_role("button", name="Link to tapes").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("peerage:")).to_have_text(shared["link"])
    drawn = "() => document.querySelector('img.qr').naturalWidth > 0"
    page.wait_for_function(drawn)
    page.keyboard.press("Escape")

    other.do("get", shared["link"])
    page.get_by_role("button", name="Uploaded").click()
    given = page.get_by_label("Uploaded", exact=True).get_by_role("listitem")
    expect(given).to_contain_text(re.compile("tapes.*to .*7 B", re.DOTALL))
    page.get_by_role("button", name="By peer").click()
    expect(given).to_contain_text("1 content")


def test_a_path_and_what_is_not_there(browsing, one):
    path = one.write("by path.txt", b"here")
    page = browsing.enter(one, "/library?add=1")
    page.get_by_role("button", name="By path").click()
    words = page.get_by_label("Paths on the computer")
    words.fill("files/by path.txt")
    expect(page.get_by_role("alert")).to_contain_text("does not begin with /")
    words.fill(f'"{path}"\n{path}.missing')
    page.get_by_role("button", name="Share 2").click()
    expect(line_of(page, "by path.txt")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("No such file")


def test_files_are_handed_in_and_taken_back(browsing, one):
    page = browsing.enter(one, "/library")
    page.evaluate(DROPPING, "note.txt")
    page.get_by_role("radio", name="Friends").check()
    page.get_by_role("button", name="Send and share 1 file").click()
    expect(line_of(page, "note.txt")).to_contain_text("Friends")
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_role("button", name="From this device").click()
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Choose files").click()
    choosing.value.set_files({"name": "note.txt", "mimeType": "text/plain", "buffer": b"another"})
    page.get_by_role("button", name="Send and share 1 file").click()
    expect(line_of(page, "note (2).txt")).to_be_visible()
    paths = {name: Path(share["path"]) for name, share in shares_of(one).items()}
    assert paths["note.txt"].read_bytes() == b"dropped on the page"
    assert paths["note (2).txt"].read_bytes() == b"another"

    page.get_by_role("button", name="note.txt", exact=True).click()
    page.get_by_role("radio", name="Everyone").check()
    page.get_by_role("button", name="Save").click()
    expect(line_of(page, "note.txt")).to_contain_text("Everyone")
    page.get_by_label("Search in what you share").fill("(2)")
    expect(line_of(page, "note.txt")).to_have_count(0)
    page.get_by_role("button", name="More for note (2).txt").click()
    page.get_by_role("menuitem", name="Stop sharing").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop sharing").click()
    wait_until(lambda: set(shares_of(one)) == {"note.txt"}, "the share being taken back")
    assert paths["note (2).txt"].read_bytes() == b"another"  # the file stays
