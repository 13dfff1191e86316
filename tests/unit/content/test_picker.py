from random import Random

from hypothesis import given
from hypothesis import strategies as st

from peerage.content.bitmap import Bitmap
from peerage.content.picker import Holder, Picker, Priority

WANTED = [Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.NOW]


def picker_of(priorities: list[Priority], holders=()) -> Picker:
    picker = Picker(len(priorities), Random(1))
    missing = Bitmap(len(priorities), (index for index, priority in enumerate(priorities) if priority))
    picker.reset(missing, bytearray(priorities), holders)
    return picker


def take_all(picker: Picker, holder: Holder) -> list[int]:
    taken = []
    while (index := picker.take(holder)) is not None:
        taken.append(index)
    return taken


@given(st.lists(st.sampled_from(Priority), max_size=80))
def test_everything_is_taken_once_the_most_wanted_runs_first(priorities):
    picker, holder = picker_of(priorities), Holder(None)
    picker.add(holder)
    taken = take_all(picker, holder)
    assert sorted(taken) == [index for index, priority in enumerate(priorities) if priority]
    now = [index for index in taken if priorities[index] == Priority.NOW]
    assert now == sorted(now) == taken[: len(now)]
    for at, index in enumerate(taken):  # a piece may come before better ones only where none of these has begun
        assert priorities[index] == max(priorities[other] for other in taken[at:])


@given(st.data())
def test_any_sequence_takes_each_missing_piece_once_and_only_from_who_has_it(data):
    count = data.draw(st.integers(1, 60))
    every = st.integers(0, count - 1)
    priorities = [
        data.draw(st.sampled_from(WANTED)) if data.draw(st.booleans()) else Priority.NORMAL for _ in range(count)
    ]
    picker = picker_of(priorities)
    holders = [Holder(None)] + [Holder(Bitmap(count, data.draw(st.sets(every)))) for _ in range(2)]
    for holder in holders:
        picker.add(holder)
    missing = set(range(count))
    for _ in range(data.draw(st.integers(0, 60))):
        action = data.draw(st.sampled_from(["take", "take", "back", "gain", "lose", "leave"]))
        holder = data.draw(st.sampled_from(holders))
        index = data.draw(every)
        if action == "take":
            taken = picker.take(holder)
            if taken is None:
                assert not any(holder.holds(index) for index in missing)
            else:
                assert holder.holds(taken)
                missing.remove(taken)
        elif action == "back" and index not in missing:
            missing.add(index)
            picker.put_back(index)
        elif action == "gain":
            picker.gained(holder, index)
            assert holder.holds(index)
        elif action == "lose":
            picker.lost(holder, index)
            assert not holder.holds(index)
        elif action == "leave":
            picker.remove(holder)
            picker.add(holder)
    last = Holder(None)
    picker.add(last)
    assert sorted(take_all(picker, last)) == sorted(missing)
    assert not any(mask for row in picker._masks for mask in row)


def test_two_sources_share_the_last_run():
    picker = picker_of([Priority.NORMAL] * 8)
    one, other = Holder(None), Holder(None)
    picker.add(one)
    picker.add(other)
    assert sorted(picker.take(holder) for holder in (one, other) * 4) == list(range(8))
    assert picker.take(one) is None


def test_a_run_is_free_again_when_its_source_leaves():
    picker = picker_of([Priority.NORMAL] * 64)
    one, other = Holder(None), Holder(None)
    picker.add(one)
    first = picker.take(one)
    picker.remove(one)
    picker.add(other)
    assert first + 1 in [picker.take(other) for _ in range(63)]
