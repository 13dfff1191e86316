"""Who is served next: no more than the slots, nobody forgotten, nobody served for ever while others wait."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from peerage.content.upload_queue import UploadQueue
from peerage.errors import LimitError
from peerage.limits import MAX_UPLOAD_PEERS, MIB, UPLOAD_TURN, UPLOAD_TURN_SECONDS


def queue_of(slots: int, **asked: int) -> UploadQueue[str, int]:
    queue: UploadQueue[str, int] = UploadQueue(slots)
    for peer, count in asked.items():
        for number in range(count):
            queue.ask(peer, number)
    return queue


def test_those_who_came_first_are_served_first():
    queue = queue_of(2, a=1, b=1, c=1, d=1)
    assert queue.admit(0.0) == ["a", "b"]
    assert queue.admit(0.0) == []
    assert [queue.ahead_of(peer) for peer in "abcd"] == [0, 0, 0, 1]
    assert queue.end_turn("a")
    assert queue.admit(0.0) == ["c"]


def test_requests_of_a_peer_come_in_order():
    queue = queue_of(1, a=3)
    queue.admit(0.0)
    assert [queue.take("a", 0.0) for _ in range(4)] == [0, 1, 2, None]


def test_a_peer_without_a_slot_gets_nothing():
    queue = queue_of(1, a=1, b=1)
    queue.admit(0.0)
    assert queue.take("b", 0.0) is None
    assert not queue.is_served("b")


def test_a_turn_ends_by_bytes_only_when_others_wait():
    queue = queue_of(1, a=3)
    queue.admit(0.0)
    queue.spent("a", UPLOAD_TURN)
    assert queue.take("a", 1.0) == 0
    queue.ask("b", 0)
    assert queue.take("a", 1.0) is None
    assert queue.is_over("a", 1.0)
    assert queue.end_turn("a")
    assert queue.admit(1.0) == ["b"]
    assert queue.take("b", 1.0) == 0
    assert not queue.end_turn("b")
    assert queue.admit(2.0) == ["a"]  # with a fresh turn
    assert queue.take("a", 2.0) == 1


def test_a_turn_ends_by_time_however_little_was_read():
    queue = queue_of(1, a=3, b=1)
    queue.admit(0.0)
    assert queue.take("a", UPLOAD_TURN_SECONDS - 1) == 0
    assert queue.take("a", UPLOAD_TURN_SECONDS) is None


def test_fewer_slots_end_turns_and_more_slots_begin_them():
    queue = queue_of(3, a=5, b=5, c=5)
    assert len(queue.admit(0.0)) == 3
    queue.slots = 1
    assert queue.take("c", 0.0) is None
    assert queue.end_turn("c")
    assert queue.take("b", 0.0) is None
    assert queue.end_turn("b")
    assert queue.take("a", 0.0) == 0
    assert queue.admit(0.0) == []
    queue.slots = 3
    assert queue.admit(0.0) == ["c", "b"]


def test_who_wants_nothing_any_more_leaves_the_line():
    queue = queue_of(1, a=2, b=2, c=1)
    queue.admit(0.0)
    assert queue.withdraw("b", lambda _item: True) == [0, 1]
    assert queue.withdraw("nobody", lambda _item: True) == []
    assert queue.withdraw("a", lambda item: item == 0) == [0]
    assert queue.peers() == ["a", "c"]
    assert queue.asked_by("a") == [1]
    assert queue.withdraw("a", lambda _item: True) == [1]
    assert queue.peers() == ["a", "c"]  # its turn lasts until it is ended
    assert not queue.end_turn("a")
    assert queue.admit(0.0) == ["c"]


def test_ending_a_turn_that_is_none_changes_nothing():
    queue = queue_of(1, a=1, b=1)
    assert not queue.end_turn("b")
    assert queue.peers() == ["a", "b"]


def test_a_thousand_may_wait_and_not_one_more():
    queue = queue_of(1)
    for number in range(MAX_UPLOAD_PEERS):
        queue.ask(str(number), 0)
    with pytest.raises(LimitError, match=str(MAX_UPLOAD_PEERS)):
        queue.ask("one more", 0)
    queue.ask("0", 1)


class Uploads(RuleBasedStateMachine):
    """Random askers against a plain model; whoever asked long enough ago has been served."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: UploadQueue[int, int] = UploadQueue(2)
        self.now = 0.0
        self.open: dict[int, list[int]] = {}  # what each peer has asked for and not got
        self.number = 0

    @rule(peer=st.integers(0, 5), count=st.integers(1, 3))
    def ask(self, peer: int, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.queue.ask(peer, self.number)
            self.open.setdefault(peer, []).append(self.number)

    @rule()
    def admit(self) -> None:
        waiting = [peer for peer in self.queue.peers() if not self.queue.is_served(peer)]
        lucky = self.queue.admit(self.now)
        assert lucky == waiting[: len(lucky)]

    @rule(peer=st.integers(0, 5), size=st.sampled_from([1, MIB, UPLOAD_TURN]))
    def serve(self, peer: int, size: int) -> None:
        item = self.queue.take(peer, self.now)
        if item is not None:
            assert self.open[peer].pop(0) == item
            self.queue.spent(peer, size)

    @rule(peer=st.integers(0, 5))
    def end(self, peer: int) -> None:
        served = self.queue.is_served(peer)
        assert self.queue.end_turn(peer) is (served and bool(self.open.get(peer)))

    @rule(peer=st.integers(0, 5), odd=st.booleans())
    def withdraw(self, peer: int, odd: bool) -> None:
        gone = self.queue.withdraw(peer, lambda item: item % 2 == odd)
        assert gone == [item for item in self.open.get(peer, []) if item % 2 == odd]
        self.open[peer] = [item for item in self.open.get(peer, []) if item % 2 != odd]

    @rule(slots=st.integers(1, 4))
    def change(self, slots: int) -> None:
        self.queue.slots = slots

    @rule(seconds=st.floats(0.0, 60.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def agrees(self) -> None:
        served = [peer for peer in self.queue.peers() if self.queue.is_served(peer)]
        assert len(served) <= 4
        for peer in range(6):
            assert self.queue.asked_by(peer) == self.open.get(peer, [])
            assert (peer in self.queue.peers()) >= bool(self.open.get(peer))
        assert len(self.queue) == len(self.queue.peers())

    def teardown(self) -> None:
        """Everyone gets everything in the end, in turns that end."""
        rounds = 0
        while self.queue.peers():
            rounds += 1
            assert rounds < 10_000
            self.queue.admit(self.now)
            for peer in [each for each in self.queue.peers() if self.queue.is_served(each)]:
                while (item := self.queue.take(peer, self.now)) is not None:
                    assert self.open[peer].pop(0) == item
                    self.queue.spent(peer, UPLOAD_TURN)
                self.queue.end_turn(peer)
        assert not any(self.open.values())


TestUploads = Uploads.TestCase
TestUploads.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
