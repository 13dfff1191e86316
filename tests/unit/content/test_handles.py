import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from peerage.content.handles import Handles


@pytest.fixture
def handles(tmp_path):
    for number in range(10):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
    cache: Handles[int] = Handles(lambda key: os.open(tmp_path / str(key), os.O_RDONLY), limit=3)
    yield cache
    cache.close()


def is_open(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return False
    return True


def test_a_file_is_opened_once(handles):
    with handles.borrow(1) as one, handles.borrow(1) as other:
        assert one == other
    with handles.borrow(1) as third:
        assert third == one


def test_the_one_unused_for_longest_gives_way(handles):
    numbers = {}
    for key in (1, 2, 3, 1, 4):
        with handles.borrow(key) as handle:
            numbers[key] = handle
    assert len(handles) == 3
    assert is_open(numbers[1])
    with handles.borrow(1) as again:
        assert again == numbers[1]


def test_a_file_in_use_is_not_closed(handles):
    with handles.borrow(0) as handle:
        for key in range(1, 9):
            with handles.borrow(key):
                pass
        handles.discard(0)
        handles.discard(0)
        handles.close()
        assert os.pread(handle, 1, 0) == b"0"
    assert not is_open(handle)
    assert len(handles) == 0


def test_an_error_of_the_opener_goes_through_and_leaves_nothing(handles):
    with pytest.raises(FileNotFoundError), handles.borrow(99):
        pass
    assert len(handles) == 0


def test_several_threads(handles):
    def read(number: int) -> bool:
        with handles.borrow(number % 10) as handle:
            return os.pread(handle, 1, 0) == b"%d" % (number % 10)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(3000)))
    assert len(handles) <= 3
