import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerage.content.bitmap import Bitmap
from peerage.content.journal import JOURNAL, JOURNAL_NEW, Journal
from peerage.errors import StoreError

CONTENT = bytes(range(32))


@pytest.fixture
def folder(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def reopened(folder: int, pieces: int = 1000, content: bytes = CONTENT) -> list[int]:
    journal = Journal(folder, content, pieces)
    marked = journal.open(Bitmap.copy)
    journal.close()
    return list(marked)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    batches=st.lists(st.sets(st.integers(0, 999), min_size=1, max_size=5), max_size=5),
    cut=st.integers(0, 200),
    flip=st.integers(0, 400),
)
def test_any_damage_costs_only_what_comes_after_it(folder, tmp_path, batches, cut, flip):
    (tmp_path / JOURNAL).unlink(missing_ok=True)
    journal = Journal(folder, CONTENT, 1000)
    journal.open(Bitmap.copy)
    ends = [72]
    for batch in batches:
        journal.mark(batch)
        ends.append((tmp_path / JOURNAL).stat().st_size)
    journal.close()
    data = bytearray((tmp_path / JOURNAL).read_bytes())
    keep = max(72, len(data) - cut)
    del data[keep:]
    if 72 + flip < len(data):
        data[72 + flip] ^= 1
        keep = 72 + flip
    (tmp_path / JOURNAL).write_bytes(data)
    whole = sum(end <= keep for end in ends[1:])
    assert reopened(folder) == sorted(set().union(*batches[:whole]))


def test_what_is_opened_again_begins_anew_with_what_is_trusted(folder, tmp_path):
    journal = Journal(folder, CONTENT, 1000)
    journal.open(Bitmap.copy)
    journal.mark([1, 2, 3])
    journal.close()
    (tmp_path / JOURNAL_NEW).write_bytes(b"left over from a crash")
    journal = Journal(folder, CONTENT, 1000)
    assert list(journal.open(lambda marked: Bitmap(1000, [i for i in marked if i != 2]))) == [1, 3]
    journal.close()
    assert reopened(folder) == [1, 3]
    assert os.listdir(tmp_path) == [JOURNAL]


def test_many_pieces(folder):
    journal = Journal(folder, CONTENT, 200_000)
    journal.open(Bitmap.copy)
    journal.mark(range(200_000))
    journal.close()
    assert len(reopened(folder, 200_000)) == 200_000


@pytest.mark.parametrize("damage", ["content", "pieces", "header", "empty"])
def test_a_journal_of_something_else_is_refused_and_kept(folder, tmp_path, damage):
    reopened(folder)
    if damage == "header":
        (tmp_path / JOURNAL).write_bytes(b"x" * 100)
    if damage == "empty":
        (tmp_path / JOURNAL).write_bytes(b"")
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(StoreError, match="other content"):
        reopened(folder, 1001 if damage == "pieces" else 1000, bytes(32) if damage == "content" else CONTENT)
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_a_journal_that_is_a_link_is_not_followed(folder, tmp_path):
    (tmp_path / JOURNAL).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        reopened(folder)
