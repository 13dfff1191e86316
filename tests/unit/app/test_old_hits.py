"""What old peers are asked for, and how their answers are shown."""

from __future__ import annotations

import pytest

from peerage.app.old_hits import answers, file_name_of, hit_view, keys_of
from peerage.catalogue.query_parser import parse
from peerage.classic.links import OldLink, parse_old_link
from peerage.classic.questions import OldHit
from peerage.identity.address import Address

HOLDER = Address("10.0.0.2", 5000)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Notes", ("Notes",)),
        ("my holiday pictures", ("holiday",)),
        ('"summer holiday" -winter', ("holiday",)),
        ("holi*", ("holi",)),
        ("jpg OR Jpeg holiday", ("holiday",)),
        ("cat OR Dogs", ("cat", "Dogs")),
        ("a OR b OR c OR d", ("a", "b", "c")),
        ("type:audio", ()),
        ("type:audio song", ("song",)),
    ],
)
def test_one_word_is_asked_for(text: str, keys: tuple[str, ...]) -> None:
    found = keys_of(parse(text))
    assert found == keys or (text == "my holiday pictures" and found == ("pictures",))


@pytest.mark.parametrize(
    ("text", "name", "fits"),
    [
        ("summer holiday", "Summer%20Holiday.jpg", True),
        ("summer holiday", "holiday.jpg", False),
        ("notes", "MyNotesB.txt", True),
        ('"my notes"', "MyNotesB.txt", True),
        ("notes -draft", "MyNotesDraft2.txt", False),
        ("notes OR draft", "Draft2.txt", True),
        ("holiday type:image", "holiday.jpg", True),
        ("holiday type:audio", "holiday.jpg", False),
        ("holiday -beach", "holiday-beach.jpg", False),
        ("holiday ext:png", "holiday.png", True),
        ("holiday size:>1MB", "holiday.png", False),
    ],
)
def test_only_names_that_answer_the_query_are_shown(text: str, name: str, fits: bool) -> None:
    assert answers(parse(text), OldHit(name, HOLDER)) is fits


def test_a_hit_says_that_it_is_unverified() -> None:
    hit = hit_view(OldHit("My%20Song%3A\x1b[2J\udcff.mp3", HOLDER), 7)
    assert hit.unverified
    assert (hit.number, hit.type, hit.size, hit.holders, hit.path) == (7, "audio", 0, [], "10.0.0.2:5000")
    assert hit.name.isprintable()
    assert "\x1b" not in hit.name
    hit.name.encode()
    link = parse_old_link(hit.link)
    assert link == OldLink(HOLDER, "My%20Song%3A\x1b[2J\udcff.mp3")


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "", "a/b", "%2Fetc%2Fpasswd", "con", "x" * 3000])
def test_a_file_name_stays_in_its_folder(name: str) -> None:
    local = file_name_of(OldLink(HOLDER, name))
    assert "/" not in local
    assert local not in {"", ".", ".."}
    assert len(local.encode()) <= 255
