"""Saved searches: when each is due, what is new, and how they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from peerage.app.api.models import Hit, Holder
from peerage.app.naming import UnknownNameError
from peerage.app.wish_book import WishBook
from peerage.errors import LimitError, LocalError, QueryError
from peerage.limits import MAX_WISH_KNOWN, MAX_WISH_RESULTS, MAX_WISHES, WISH_HOLDERS, WISH_PAUSE, WISH_PAUSE_MAX

NOW = 1_800_000_000.0
EVEN = 0.5  # the chance at which the pause is as it is


def hit(name: str, *, mine: bool = False, holders: int = 1) -> Hit:
    return Hit(
        number=1,
        link="",
        content_id=name,
        name=name,
        size=10,
        sources=holders,
        type="audio",
        meta=None,
        mime="",
        path="",
        holders=[Holder(peer_id=str(number), addresses=[], name=name) for number in range(holders)],
        mine=mine,
    )


@pytest.fixture
def book(tmp_path: Path) -> WishBook:
    return WishBook(tmp_path / "wishes.json")


def test_a_wish_is_due_at_once_and_then_after_a_pause(book: WishBook) -> None:
    wish = book.add("blue", NOW)
    assert book.next_due(NOW) is wish
    book.searched(wish, [], NOW, EVEN)
    assert book.next_due(NOW + WISH_PAUSE - 1) is None
    assert book.next_due(NOW + WISH_PAUSE) is wish


def test_the_one_that_waited_longest_comes_first(book: WishBook) -> None:
    book.add("second", NOW + 1)
    first = book.add("first", NOW)
    assert book.next_due(NOW + 5) is first


def test_what_finds_nothing_new_is_tried_more_and_more_seldom(book: WishBook) -> None:
    wish, now, pauses = book.add("blue", NOW), NOW, []
    for _ in range(8):
        book.searched(wish, [hit("a")], now, EVEN)
        pauses.append(wish.due - now)
        now = wish.due
    assert pauses[:3] == [WISH_PAUSE, 2 * WISH_PAUSE, 4 * WISH_PAUSE]
    assert pauses[-1] == WISH_PAUSE_MAX
    book.searched(wish, [hit("b")], now, EVEN)
    assert wish.due - now == WISH_PAUSE


def test_chance_spreads_the_searches_of_many_nodes(book: WishBook) -> None:
    wish = book.add("blue", NOW)
    dues = set()
    for chance in (0.0, 0.5, 1.0):
        wish.pause = WISH_PAUSE
        book.searched(wish, [hit(str(chance))], NOW, chance)
        dues.add(wish.due)
    assert len(dues) == 3
    assert all(0.7 * WISH_PAUSE < due - NOW < 1.3 * WISH_PAUSE for due in dues)


def test_each_content_is_told_of_once_and_own_ones_never(book: WishBook) -> None:
    wish = book.add("blue", NOW)
    assert [each.hit.name for each in book.searched(wish, [hit("a"), hit("m", mine=True)], NOW, EVEN)] == ["a"]
    assert [each.hit.name for each in book.searched(wish, [hit("a"), hit("b")], NOW + 1, EVEN)] == ["b"]
    assert [each.hit.name for each in wish.results] == ["b", "a"]
    assert wish.new == 2
    book.see(wish.id)
    assert wish.new == 0
    book.searched(wish, [hit("c")], NOW + 2, EVEN)
    assert wish.new == 1


def test_lists_are_bounded_and_old_results_do_not_come_back(book: WishBook) -> None:
    wish = book.add("blue", NOW)
    book.searched(wish, [hit(str(number), holders=2 * WISH_HOLDERS) for number in range(MAX_WISH_RESULTS)], NOW, EVEN)
    book.searched(wish, [hit("new")], NOW, EVEN)
    assert len(wish.results) == MAX_WISH_RESULTS
    assert book.searched(wish, [hit(str(number)) for number in range(MAX_WISH_RESULTS)], NOW, EVEN) == []
    assert all(len(each.hit.holders) <= WISH_HOLDERS for each in wish.results)
    book.searched(wish, [hit(f"x{number}") for number in range(MAX_WISH_KNOWN)], NOW, EVEN)
    assert len(wish.known) == MAX_WISH_KNOWN


def test_wishes_that_make_no_sense_are_refused(book: WishBook) -> None:
    with pytest.raises(QueryError):
        book.add('"open', NOW)
    book.add("blue", NOW)
    with pytest.raises(LocalError, match="already"):
        book.add("blue", NOW)
    for number in range(MAX_WISHES - 1):
        book.add(f"blue {number}", NOW)
    with pytest.raises(LimitError, match="no room"):
        book.add("one more", NOW)
    for wrong in (0, 10_000):
        with pytest.raises(UnknownNameError):
            book.remove(wrong)


def test_they_survive_a_restart_with_their_numbers(book: WishBook, tmp_path: Path) -> None:
    first, second = book.add("first", NOW, 500), book.add("second", NOW)
    book.searched(first, [hit("a")], NOW, EVEN)
    book.remove(second.id)
    book.save(book.encoded())
    again = WishBook(tmp_path / "wishes.json")
    assert again.load() == ""
    (kept,) = again.all()
    assert kept == first
    assert again.add("third", NOW).id == 3


def test_a_damaged_file_is_moved_aside_and_a_missing_one_is_empty(book: WishBook, tmp_path: Path) -> None:
    assert book.load() == ""
    (tmp_path / "wishes.json").write_text('{"wishes": 7}')
    assert "damaged" in book.load()
    assert (tmp_path / "wishes.damaged").exists()
    assert book.all() == []


def test_a_disk_that_refuses_costs_no_more_than_that(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    book = WishBook(tmp_path / "none" / "wishes.json")
    book.add("blue", NOW)
    book.save(book.encoded())
    assert "cannot be saved" in caplog.text
