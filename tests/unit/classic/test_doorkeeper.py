"""Who may be connected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerage.classic.doorkeeper import Doorkeeper


def test_the_served_go_first_then_the_oldest_silent_never_the_busy() -> None:
    door: Doorkeeper[str] = Doorkeeper(3, 3)
    for guest in ("a", "b", "c"):
        assert door.enter(guest, "h" + guest) == (True, None)
    door.heard("b")
    assert door.enter("d", "hd") == (True, "a")
    door.served("b")
    assert door.enter("e", "he") == (True, "b")
    for guest in ("c", "d", "e"):
        door.heard(guest)
    assert door.enter("f", "hf") == (False, None)
    door.leave("c")
    door.leave("c")
    assert door.enter("f", "hf") == (True, None)


def test_a_crowded_address_pays_for_itself() -> None:
    door: Doorkeeper[str] = Doorkeeper(10, 2)
    door.enter("other", "b")
    door.enter("one", "a")
    door.enter("two", "a")
    assert door.enter("three", "a") == (True, "one")
    assert len(door) == 3


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["enter", "heard", "served", "leave"])), max_size=80))
def test_never_more_than_the_bounds(steps: list[tuple[str, str]]) -> None:
    door: Doorkeeper[int] = Doorkeeper(5, 3)
    inside: dict[int, str] = {}
    for number, (host, step) in enumerate(steps):
        if step == "enter":
            stays, out = door.enter(number, host)
            if out is not None:
                del inside[out]
            if stays:
                inside[number] = host
        elif inside:
            guest = next(iter(inside))
            getattr(door, step)(guest)
            if step == "leave":
                del inside[guest]
        assert len(door) == len(inside) <= 5
        assert all(list(inside.values()).count(each) <= 3 for each in "abc")
