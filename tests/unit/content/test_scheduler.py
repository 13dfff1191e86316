from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from peerage.content.bitmap import Bitmap
from peerage.content.ledger import PieceRange, PieceState
from peerage.content.manifest import FileManifest, FolderFile, PieceSpace, folder_of, piece_count_of
from peerage.content.picker import Priority
from peerage.content.rivalry import Cancel, Request
from peerage.content.scheduler import Scheduler
from peerage.errors import LimitError, LocalError, ProtocolError
from peerage.limits import KIB, MAX_OWED, MAX_SOURCES, MIB, STALL_SECONDS

A, B, C = b"a", b"b", b"c"


def space_of(*sizes: int) -> PieceSpace:
    files = [
        FolderFile(f"{n:06}", FileManifest(size, bytes(32 * piece_count_of(size)))) for n, size in enumerate(sizes)
    ]
    return PieceSpace(folder_of(files))


def scheduler(pieces: int = 64, **options) -> Scheduler:
    """Pieces of 256 KiB each."""
    return Scheduler(space_of(pieces * 256 * KIB), Random(7), **options)


def deliver(machine: Scheduler, source: bytes, requests: list[Request], start: float, seconds: float) -> float:
    """Let a source send what it was asked for, at an even pace."""
    now = start
    for request in requests:
        now += seconds / len(requests)
        assert machine.received(source, request.index, now)
        machine.verified(request.index)
    return now


def indices(requests: list[Request]) -> list[int]:
    return [request.index for request in requests]


def test_one_source_sends_everything_once():
    machine = scheduler(200)
    machine.add_source(A)
    got, now = [], 0.0
    while requests := machine.next_requests(A, now):
        got += indices(requests)
        now = deliver(machine, A, requests, now, 1.0)
    assert sorted(got) == list(range(200))
    assert machine.done
    assert machine.have().is_full()
    progress = machine.progress_now()
    assert progress.wanted_bytes == progress.verified_bytes == 200 * 256 * KIB
    assert (progress.have, progress.in_flight_bytes, progress.in_flight, progress.missing) == (200, 0, 0, 0)


def test_nothing_on_disk_is_asked_for_again():
    machine = scheduler(20, have=Bitmap(20, range(0, 20, 2)))
    machine.add_source(A)
    asked = machine.next_requests(A, 0.0) + machine.next_requests(A, 0.0)
    assert all(index % 2 for index in indices(asked))
    assert machine.progress_now().verified_bytes == 10 * 256 * KIB
    assert machine.verified_since(0) == ([], 0)


def test_empty_content_is_done_at_once():
    for machine in (Scheduler(space_of(), Random(0)), Scheduler(space_of(0, 0), Random(0))):
        machine.add_source(A)
        assert machine.done
        assert machine.next_requests(A, 0.0) == []


def test_a_new_source_owes_two_mebibytes_and_a_fast_one_two_seconds_of_its_pace():
    machine = scheduler(255)
    machine.add_source(A)
    first = machine.next_requests(A, 0.0)
    assert sum(request.length for request in first) == 2 * MIB
    now = deliver(machine, A, first, 0.0, 0.5)  # 4 MiB a second
    assert 7 * MIB < sum(request.length for request in machine.next_requests(A, now)) < 10 * MIB
    assert machine.rates(now)[A] == pytest.approx(4 * MIB, rel=0.2)


def test_a_window_has_a_maximum_and_all_together_have_one():
    machine = Scheduler(space_of(2000 * MIB), Random(1))
    machine.add_source(A)
    now = 0.0
    for _ in range(5):
        now = deliver(machine, A, machine.next_requests(A, now), now, 0.001)
    assert sum(request.length for request in machine.next_requests(A, now)) == 32 * MIB
    for number in range(50):
        machine.add_source(b"%d" % number)
        machine.next_requests(b"%d" % number, now)
    assert 47 * MIB < machine.progress_now().in_flight_bytes <= 48 * MIB


def test_pieces_of_16_mebibytes_keep_within_the_memory():
    machine = Scheduler(space_of(20_000 * MIB), Random(1))
    for source in (A, B, C, b"d"):
        machine.add_source(source)
    asked = {source: machine.next_requests(source, 0.0) for source in (A, B, C, b"d")}
    assert [len(requests) for requests in asked.values()] == [1, 1, 1, 0]
    assert machine.progress_now().in_flight_bytes == 48 * MIB
    assert machine.received(A, asked[A][0].index, 1.0)
    assert machine.next_requests(A, 1.0) == []  # not before the piece is off our memory
    machine.verified(asked[A][0].index)
    assert machine.ready() == [b"d", A]  # who waited longest
    assert len(machine.next_requests(b"d", 1.0)) == 1


def test_many_small_files_are_asked_for_in_numbers():
    machine = Scheduler(space_of(*[10] * 5000), Random(1))
    machine.add_source(A)
    assert len(machine.next_requests(A, 0.0)) == MAX_OWED


def test_neighbours_go_together_and_sources_go_apart():
    machine = scheduler(255)
    for source in (A, B):
        machine.add_source(source)
    orders = [indices(machine.next_requests(source, 0.0)) for source in (A, B)]
    one, other = map(sorted, orders)
    assert orders != [one, other]  # within a run they differ, too, from what others would ask
    assert one == list(range(one[0], one[0] + 8))
    assert other == list(range(other[0], other[0] + 8))
    assert one[0] != other[0]


def test_the_order_differs_from_downloader_to_downloader():
    firsts = set()
    for seed in range(20):
        machine = Scheduler(space_of(60 * MIB), Random(seed))
        machine.add_source(A)
        firsts.add(machine.next_requests(A, 0.0)[0].index)
    assert len(firsts) > 5


def test_rarest_first_and_complete_sources_do_not_count():
    machine = scheduler(64)
    machine.add_source(A)
    for number in range(5):
        machine.add_source(b"%d" % number, Bitmap(64, [i for i in range(64) if i // 8 not in (3, 6)]))
    machine.add_source(B, Bitmap(64, range(24, 32)))
    assert sorted(indices(machine.next_requests(A, 0.0))) == list(range(48, 56))  # nobody else
    assert indices(machine.next_requests(C, 0.0)) == []
    machine.add_source(C)
    assert sorted(indices(machine.next_requests(C, 0.0))) == list(range(24, 32))  # one
    for index in range(48, 56):
        machine.source_has(B, [index])
    assert sorted(machine.remove_source(A)) == list(range(48, 56))
    machine.remove_source(B)
    machine.add_source(A)
    assert sorted(indices(machine.next_requests(A, 0.0))) == list(range(48, 56))


def test_a_source_is_asked_only_for_what_it_has():
    machine = scheduler(64)
    machine.add_source(A, Bitmap(64, [3, 40]))
    assert sorted(indices(machine.next_requests(A, 0.0))) == [3, 40]
    machine.source_has(A, [41])
    assert machine.ready() == [A]
    assert indices(machine.next_requests(A, 0.0)) == [41]
    assert machine.ready() == []


def test_a_source_that_refuses_a_piece_is_not_asked_for_it_again():
    machine = scheduler(2)
    machine.add_source(A)
    assert sorted(indices(machine.next_requests(A, 0.0))) == [0, 1]
    machine.source_lacks(A, 1)
    assert machine.states()[1] == PieceState.MISSING
    assert machine.next_requests(A, 0.0) == []
    machine.add_source(B)
    assert indices(machine.next_requests(B, 0.0)) == [1]


def test_chosen_files_and_priorities():
    machine = Scheduler(space_of(*[256 * KIB] * 40), Random(3))
    machine.add_source(A)
    ranges = [PieceRange(10, 14, Priority.NORMAL), PieceRange(13, 14, Priority.HIGH), PieceRange(20, 21, Priority.LOW)]
    assert machine.set_priorities(ranges, Priority.SKIP) == []
    assert machine.progress_now().wanted_bytes == 5 * 256 * KIB
    assert machine.states()[0] == PieceState.UNWANTED
    assert indices(machine.next_requests(A, 0.0)) == [13, 10, 11, 12, 20]
    cancels = machine.set_priorities([PieceRange(20, 21, Priority.LOW)], Priority.SKIP)
    assert sorted(cancel.index for cancel in cancels) == [10, 11, 12, 13]
    assert machine.received(A, 20, 1.0)
    assert not machine.done
    machine.verified(20)
    assert machine.done
    machine.set_priorities([])
    assert not machine.done
    assert machine.progress_now().missing == 39
    assert machine.ready() == [A]


def test_a_reader_gets_what_comes_next_in_order():
    machine = scheduler(255)
    machine.add_source(A)
    before = machine.next_requests(A, 0.0)
    machine.set_priorities([PieceRange(100, 104, Priority.NOW)])
    machine.remove_source(A)
    machine.add_source(B)
    assert indices(machine.next_requests(B, 0.0))[:4] == [100, 101, 102, 103]
    assert len(before) == 8
    for bad in ((-1, 2), (3, 2), (0, 256)):
        with pytest.raises(IndexError):
            machine.set_priorities([PieceRange(*bad, Priority.NOW)])


def test_what_a_reader_waits_for_is_asked_of_a_faster_source_too():
    machine = scheduler(255)
    machine.add_source(A)
    machine.set_priorities([PieceRange(100, 104, Priority.NOW)])
    slow = machine.next_requests(A, 0.0)
    machine.progress(A, 10 * KIB, 1.0)
    machine.add_source(B)
    now = deliver(machine, B, machine.next_requests(B, 1.0)[:4], 1.0, 0.1)  # the same four: a new one is like the other
    assert machine.have().count() == 4
    machine.set_priorities([PieceRange(index, index + 1, Priority.NOW) for index in indices(slow)[4:6]])
    again = machine.next_requests(B, now)
    assert indices(again)[:2] == sorted(indices(slow)[4:6])
    assert again[0].stolen_from is None
    assert machine.received(B, again[0].index, now)
    assert machine.verified(again[0].index) == [Cancel(A, again[0].index)]


def test_bytes_are_counted_once_in_the_pace():
    machine = scheduler(16)
    machine.add_source(A)
    asked = machine.next_requests(A, 0.0)
    machine.progress(A, 256 * KIB, 0.5)
    machine.progress(A, 100 * KIB, 0.6)  # the next piece begins before the first is reported
    machine.received(A, asked[0].index, 0.6)
    machine.progress(A, 156 * KIB, 1.0)
    machine.received(A, asked[1].index, 1.0)
    assert machine.rates(1.0)[A] == pytest.approx(512 * KIB, rel=0.1)


def test_stealing_from_a_slow_source():
    machine = scheduler(16)
    machine.add_source(A)
    machine.add_source(B)
    slow, fast = machine.next_requests(A, 0.0), machine.next_requests(B, 0.0)
    now = deliver(machine, B, fast, 0.0, 0.1)
    machine.progress(A, 10 * KIB, now)
    stolen = machine.next_requests(B, now)
    assert [request.stolen_from for request in stolen] == [A] * 7
    assert indices(stolen) == indices(slow)[:0:-1]  # from the end; what A is sending stays with it
    now = deliver(machine, B, stolen, now, 0.1)
    last = machine.next_requests(B, now)  # and the very last is asked for twice
    assert (indices(last), last[0].stolen_from) == (indices(slow)[:1], None)
    assert machine.received(B, last[0].index, now + 0.01)
    assert machine.verified(last[0].index) == [Cancel(A, last[0].index)]
    assert machine.done


def test_equal_sources_do_not_steal_from_each_other():
    machine = scheduler(32)
    machine.add_source(A)
    machine.add_source(B)
    one, other = machine.next_requests(A, 0.0), machine.next_requests(B, 0.0)
    deliver(machine, A, one, 0.0, 1.0)
    deliver(machine, B, other, 0.0, 1.0)
    assert len(machine.next_requests(A, 1.0)) == 16  # all that is left
    assert 4 <= len(machine.next_requests(B, 1.0)) <= 8  # a fair share of that
    for _ in range(3):
        assert machine.next_requests(A, 1.0) == machine.next_requests(B, 1.0) == []


def test_the_second_copy_of_a_piece_is_thrown_away():
    machine = scheduler(16)
    machine.add_source(A)
    machine.add_source(B)
    slow, fast = machine.next_requests(A, 0.0), machine.next_requests(B, 0.0)
    now = deliver(machine, B, fast, 0.0, 0.1)
    machine.progress(A, 10 * KIB, now)
    now = deliver(machine, B, machine.next_requests(B, now), now, 0.1)
    (last,) = machine.next_requests(B, now)
    assert last.index == slow[0].index
    assert machine.received(A, last.index, now)
    assert not machine.received(B, last.index, now)
    assert machine.verified(last.index) == []
    assert not machine.received(B, last.index, now)
    assert machine.progress_now().in_flight_bytes == 0


def test_a_piece_that_was_stolen_but_comes_all_the_same_is_used():
    machine = scheduler(16)
    machine.add_source(A)
    machine.add_source(B)
    machine.next_requests(A, 0.0)
    now = deliver(machine, B, machine.next_requests(B, 0.0), 0.0, 0.1)
    machine.progress(A, 10 * KIB, now)
    stolen = machine.next_requests(B, now)[0].index
    assert machine.received(A, stolen, now)
    assert machine.verified(stolen) == [Cancel(B, stolen)]


def test_a_wrong_piece_is_asked_of_another():
    machine = scheduler(1)
    machine.add_source(A)
    assert indices(machine.next_requests(A, 0.0)) == [0]
    assert machine.received(A, 0, 1.0)
    machine.failed(0)
    assert machine.states()[0] == PieceState.MISSING
    assert machine.remove_source(A) == []
    machine.add_source(B)
    assert indices(machine.next_requests(B, 1.0)) == [0]


def test_only_a_piece_that_came_can_be_verified():
    machine = scheduler(1)
    machine.add_source(A)
    machine.next_requests(A, 0.0)
    for call in (machine.verified, machine.failed):
        with pytest.raises(LocalError):
            call(0)


def test_what_nobody_asked_for_is_thrown_away():
    machine = scheduler(4)
    machine.add_source(A, Bitmap(4, [0]))
    machine.next_requests(A, 0.0)
    assert not machine.received(A, 1, 0.0)
    assert not machine.received(A, 99, 0.0)
    assert not machine.received(B, 0, 0.0)
    assert machine.states()[1] == PieceState.MISSING


def test_a_source_that_sends_nothing_is_reported_once():
    machine = scheduler()
    machine.add_source(A)
    machine.add_source(B)
    machine.next_requests(A, 5.0)
    assert machine.tick(5.0 + STALL_SECONDS - 1).stalled == ()
    assert machine.tick(5.0 + STALL_SECONDS).stalled == (A,)
    assert machine.tick(5.0 + STALL_SECONDS + 1).stalled == ()
    machine.progress(A, 1, 30.0)
    assert machine.tick(30.0 + STALL_SECONDS).stalled == (A,)


def test_a_source_that_has_us_wait_in_its_queue_does_not_stall():
    machine = scheduler()
    machine.add_source(A)
    asked = machine.next_requests(A, 0.0)
    assert machine.queued(A, 0.1) == indices(asked)[1:]
    assert machine.tick(10 * STALL_SECONDS).stalled == ()
    assert machine.next_requests(A, 10 * STALL_SECONDS) == []
    assert machine.received(A, asked[0].index, 11 * STALL_SECONDS)  # our turn
    assert len(machine.next_requests(A, 11 * STALL_SECONDS)) >= 8


def test_our_turn_comes():
    machine = scheduler()
    machine.add_source(A)
    machine.next_requests(A, 0.0)
    machine.queued(A, 0.0)
    machine.ready()
    machine.unqueued(A, 50.0)
    assert machine.ready() == [A]
    assert len(machine.next_requests(A, 50.0)) == 7
    assert machine.tick(50.0 + STALL_SECONDS - 1).stalled == ()
    assert machine.tick(50.0 + STALL_SECONDS).stalled == (A,)
    machine.unqueued(B, 50.0)


def test_a_liar_is_dropped_though_others_take_over_what_it_owes():
    machine = scheduler(8)
    machine.add_source(A)
    assert len(machine.next_requests(A, 0.0)) == 8
    machine.add_source(B)
    assert machine.next_requests(B, 1.0) == []  # it may only be slow to start
    taken = machine.next_requests(B, 4.0)
    assert [request.stolen_from for request in taken] == [A] * 8
    machine.queued(B, 4.0)  # puts seven of them back
    assert len(machine.next_requests(A, 100.0)) == 7
    assert machine.tick(100.0 + STALL_SECONDS - 4).stalled == (A,)


def test_liars_cannot_use_up_the_memory():
    machine = scheduler(250, max_in_flight=4 * MIB)
    for source in (A, B):
        machine.add_source(source)
        machine.next_requests(source, 0.0)
    machine.add_source(C)
    assert machine.next_requests(C, 1.0) == []
    assert machine.next_requests(C, 4.0)[0].stolen_from in {A, B}
    assert machine.progress_now().in_flight_bytes <= 4 * MIB


def test_misuse_and_limits():
    machine = scheduler(8)
    machine.add_source(A)
    with pytest.raises(LocalError):
        machine.add_source(A)
    with pytest.raises(LocalError):
        machine.add_source(B, Bitmap(9))
    for index in (-1, 8):
        with pytest.raises(ProtocolError):
            machine.source_has(A, [index])
    for number in range(MAX_SOURCES - 1):
        machine.add_source(b"%d" % number)
    with pytest.raises(LimitError):
        machine.add_source(B)
    assert machine.remove_source(B) == []
    machine.source_has(B, [1])
    machine.source_lacks(B, 1)
    machine.progress(B, 1, 0.0)
    assert machine.queued(B, 0.0) == []
    assert machine.next_requests(B, 0.0) == []


def test_what_was_verified_since():
    machine = scheduler(8)
    machine.add_source(A)
    asked = machine.next_requests(A, 0.0)
    deliver(machine, A, asked[:3], 0.0, 1.0)
    new, cursor = machine.verified_since(0)
    assert new == indices(asked)[:3]
    assert machine.verified_since(cursor) == ([], 3)


def test_the_bound_of_bytes_in_flight_can_be_changed_on_the_way():
    machine = scheduler(200)
    machine.add_source(A)
    first = machine.next_requests(A, 0.0)
    assert len(first) >= 8
    machine.set_max_in_flight(512 * KIB)
    now = deliver(machine, A, first[:-2], 0.0, 0.01)
    assert machine.next_requests(A, now) == []
    now = deliver(machine, A, first[-2:], now, 0.01)
    assert len(machine.next_requests(A, now)) == 2
    machine.set_max_in_flight(32 * MIB)
    assert len(machine.next_requests(A, now)) > 4


def test_a_piece_that_came_before_the_word_that_we_must_wait_does_not_end_the_waiting():
    machine = scheduler(200)
    machine.add_source(A)
    asked = machine.next_requests(A, 0.0)
    for _ in asked[:2]:
        machine.progress(A, 256 * KIB, 1.0)
    machine.queued(A, 1.0)
    assert machine.received(A, asked[0].index, 1.0)
    machine.verified(asked[0].index)
    machine.received(A, asked[1].index, 1.0)
    [again] = machine.next_requests(A, 1.0)
    assert machine.tick(1.0 + 10 * STALL_SECONDS).stalled == ()
    machine.progress(A, 1, 200.0)
    assert machine.tick(201.0 + STALL_SECONDS).stalled == (A,)
    assert again.index not in {request.index for request in asked[:1]}


class Swarm(RuleBasedStateMachine):
    """Any sequence of events: the states stay exact, the memory bounded, and an honest source brings it home."""

    @initialize(pieces=st.integers(1, 60), seed=st.integers(0, 9), data=st.data())
    def begin(self, pieces, seed, data):
        sizes = data.draw(st.lists(st.sampled_from([0, 1, 256 * KIB, 700 * KIB]), min_size=1, max_size=pieces))
        self.space = space_of(*sizes)
        have = data.draw(st.sets(st.integers(0, self.space.count - 1), max_size=4)) if self.space.count else set()
        self.limit = data.draw(st.sampled_from([256 * KIB, 1 * MIB, 48 * MIB]))
        self.machine = Scheduler(
            self.space, Random(seed), have=Bitmap(self.space.count, have), max_in_flight=self.limit
        )
        self.now = 0.0
        self.has: dict[bytes, set[int]] = {}
        self.owed: dict[bytes, list[int]] = {}
        self.checking: list[int] = []
        self.verified: set[int] = set(have)

    def ask(self, source):
        for request in self.machine.next_requests(source, self.now):
            assert request.index in self.has[source]
            assert request.index not in self.owed[source]
            assert request.index not in self.verified
            assert request.length == self.space.length_of(request.index)
            self.owed[source].append(request.index)
            if request.stolen_from is not None:
                self.owed[request.stolen_from].remove(request.index)

    def pick(self, data):
        return data.draw(st.sampled_from(sorted(self.has)))

    @rule(source=st.sampled_from([A, B, C]), data=st.data())
    def come(self, source, data):
        if source in self.has:
            return
        every = range(self.space.count)
        some = data.draw(st.sets(st.sampled_from(every))) if self.space.count else set()
        complete = data.draw(st.booleans())
        self.machine.add_source(source, None if complete else Bitmap(self.space.count, some))
        self.has[source] = set(every) if complete else set(some)
        self.owed[source] = []

    @precondition(lambda self: self.space.count)
    @rule(data=st.data())
    def read(self, data):
        self.machine.urge(data.draw(st.sets(st.integers(0, self.space.count - 1), max_size=9)))

    @precondition(lambda self: self.has)
    @rule(data=st.data())
    def request(self, data):
        self.ask(self.pick(data))

    @precondition(lambda self: self.has)
    @rule(data=st.data())
    def leave(self, data):
        source = self.pick(data)
        assert sorted(self.machine.remove_source(source)) == sorted(self.owed.pop(source))
        del self.has[source]

    @precondition(lambda self: self.has and self.space.count)
    @rule(data=st.data(), gained=st.booleans())
    def change(self, data, gained):
        source = self.pick(data)
        index = data.draw(st.integers(0, self.space.count - 1))
        if gained:
            self.machine.source_has(source, [index])
            self.has[source].add(index)
        else:
            self.machine.source_lacks(source, index)
            self.has[source].discard(index)
            if index in self.owed[source]:
                self.owed[source].remove(index)

    @precondition(lambda self: any(self.owed.values()))
    @rule(data=st.data(), seconds=st.floats(0, 2))
    def arrive(self, data, seconds):
        self.now += seconds
        source = data.draw(st.sampled_from(sorted(source for source in self.owed if self.owed[source])))
        self.deliver(source, data.draw(st.sampled_from(self.owed[source])))

    def deliver(self, source, index):
        self.owed[source].remove(index)
        if self.machine.received(source, index, self.now):
            assert index not in self.checking
            assert index not in self.verified
            self.checking.append(index)

    @precondition(lambda self: self.checking)
    @rule(data=st.data(), good=st.booleans())
    def check(self, data, good):
        index = data.draw(st.sampled_from(self.checking))
        self.checking.remove(index)
        self.finish(index, good)

    def finish(self, index, good=True):
        if not good:
            self.machine.failed(index)
            return
        assert index not in self.verified
        self.verified.add(index)
        for cancel in self.machine.verified(index):
            self.owed[cancel.source].remove(cancel.index)

    @precondition(lambda self: self.has)
    @rule(data=st.data())
    def queue(self, data):
        source = self.pick(data)
        for index in self.machine.queued(source, self.now):
            self.owed[source].remove(index)

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds):
        self.now += seconds
        tick = self.machine.tick(self.now)
        assert set(tick.stalled) <= {source for source in self.has if self.owed[source]}
        assert set(tick.ready) <= set(self.has)

    @rule(data=st.data(), default=st.sampled_from(Priority))
    def choose(self, data, default):
        bounds = st.integers(0, self.space.count)
        ranges = data.draw(st.lists(st.tuples(bounds, bounds, st.sampled_from(Priority)), max_size=3))
        ranges = [PieceRange(min(a, b), max(a, b), priority) for a, b, priority in ranges]
        for cancel in self.machine.set_priorities(ranges, default):
            self.owed[cancel.source].remove(cancel.index)

    @invariant()
    def each_piece_is_in_one_state_and_the_sums_agree(self):
        if not hasattr(self, "machine"):
            return
        progress = self.machine.progress_now()
        in_flight = set(self.checking).union(*self.owed.values())
        for index in range(self.space.count):
            state = PieceState(self.machine.states()[index])
            assert (state is PieceState.HAVE) == (index in self.verified)
            assert (state is PieceState.IN_FLIGHT) == (index in in_flight)
        assert (progress.have, progress.in_flight) == (len(self.verified), len(in_flight))
        assert progress.have + progress.in_flight + progress.missing + progress.unwanted == self.space.count
        copies = self.checking + [index for owed in self.owed.values() for index in owed]
        assert progress.in_flight_bytes == sum(map(self.space.length_of, copies))
        assert progress.in_flight_bytes <= max(self.limit, self.space.largest_piece)
        assert set(self.machine.have()) == self.verified
        assert self.machine.done == (not progress.missing and not progress.in_flight)
        assert 0 <= progress.verified_bytes <= progress.wanted_bytes <= self.space.size

    def teardown(self):
        if not hasattr(self, "machine"):
            return
        for index in list(self.checking):
            self.finish(index)
        self.checking.clear()
        honest = b"honest"
        self.machine.add_source(honest)
        self.has[honest], self.owed[honest] = set(range(self.space.count)), []
        for _ in range(400):
            self.now += 1.0
            for source in self.machine.tick(self.now).stalled:
                self.machine.remove_source(source)
                del self.has[source], self.owed[source]
            for source in self.has:
                self.ask(source)
            while self.owed[honest]:
                self.deliver(honest, self.owed[honest][0])
                while self.checking:
                    self.finish(self.checking.pop())
                self.each_piece_is_in_one_state_and_the_sums_agree()
                self.ask(honest)
            if self.machine.done:
                break
        assert self.machine.done
        assert self.machine.progress_now().verified_bytes == self.machine.progress_now().wanted_bytes


TestSwarm = Swarm.TestCase
TestSwarm.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# --- readers --------------------------------------------------------------------------------------------------------


def test_what_readers_wait_for_goes_first_and_in_order():
    machine = scheduler(256)
    machine.urge(range(100, 108))
    machine.add_source(A)
    assert indices(machine.next_requests(A, 0.0))[:8] == list(range(100, 108))


def test_urgency_is_given_back():
    machine = scheduler(64)
    machine.set_priorities([PieceRange(0, 32, Priority.LOW), PieceRange(60, 64, Priority.SKIP)])
    before = bytes(machine._ledger.priorities)
    machine.urge([1, 2, 40, 61, 99, -1])
    assert [n for n, each in enumerate(machine._ledger.priorities) if each == Priority.NOW] == [1, 2, 40]
    machine.urge([2, 41])
    assert [n for n, each in enumerate(machine._ledger.priorities) if each == Priority.NOW] == [2, 41]
    machine.urge([])
    assert bytes(machine._ledger.priorities) == before
    machine.add_source(A)
    assert all(32 <= index < 60 for index in indices(machine.next_requests(A, 0.0)))


def test_new_priorities_leave_readers_first():
    machine = scheduler(64)
    machine.urge([5, 6])
    machine.set_priorities([PieceRange(0, 64, Priority.LOW), PieceRange(6, 7, Priority.SKIP)])
    machine.add_source(A)
    asked = indices(machine.next_requests(A, 0.0))
    assert asked[0] == 5
    assert 6 not in asked
    machine.urge([])
    assert machine._ledger.priorities[5] == Priority.LOW
