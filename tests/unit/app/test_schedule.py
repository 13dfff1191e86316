"""When the slower limits hold: hours as people write them, over midnight, over the week's end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.app.schedule import DAY, DAYS, MAX_HOURS, WEEK, Hours
from peerage.errors import ConfigError


def minute(day: str, time: str) -> int:
    hour, _, rest = time.partition(":")
    return DAYS.index(day) * DAY + 60 * int(hour) + int(rest)


@pytest.mark.parametrize(
    ("hours", "day", "time", "slow", "left"),
    [
        (["mon-fri 08:00-18:00"], "mon", "08:00", True, 600),
        (["mon-fri 08:00-18:00"], "mon", "07:59", False, 1),
        (["mon-fri 08:00-18:00"], "fri", "17:59", True, 1),
        (["mon-fri 08:00-18:00"], "fri", "18:00", False, 2 * DAY + 14 * 60),
        (["mon-fri 08:00-18:00"], "sat", "12:00", False, DAY + 20 * 60),
        (["sat,sun 10-12"], "sun", "11:30", True, 30),
        (["sat, sun 10 - 12"], "mon", "10:00", False, 5 * DAY),
        (["22:30-06:00"], "wed", "23:00", True, 420),
        (["22:30-06:00"], "wed", "05:00", True, 60),
        (["22:30-06:00"], "mon", "00:00", True, 360),  # Sunday's night
        (["22:30-06:00"], "sun", "23:30", True, 390),
        (["sun 20:00-24:00"], "sun", "23:00", True, 60),
        (["sun 20:00-24:00"], "mon", "00:00", False, 6 * DAY + 20 * 60),
        (["fri-mon 00:00-24:00"], "sun", "12:00", True, DAY + 12 * 60),  # goes on over the week's end
        (["fri-mon 00:00-24:00"], "tue", "12:00", False, 2 * DAY + 12 * 60),
        (["MON 8-12", "mon 11-13", "mon 13:00-14:15"], "mon", "09:00", True, 315),
        (["daily 12-13"], "thu", "12:59", True, 1),
        (["every day 12-13"], "thu", "13:00", False, 23 * 60),
        (["mon 00:00-00:01"], "mon", "00:00", True, 1),
    ],
)
def test_hours(hours: list[str], day: str, time: str, slow: bool, left: float) -> None:
    assert Hours(hours).at(minute(day, time)) == (slow, left)


def test_never_and_always() -> None:
    assert Hours([]).at(0.0) == (False, None)
    for always in (["00:00-24:00"], ["mon-sun 0-24"], ["00:00-12:00", "12-24"], ["mon-wed 0-24", "thu-sun 0-24"]):
        assert Hours(always).at(5000.0) == (True, None)


def test_a_fraction_of_a_minute() -> None:
    standing = Hours(["mon 8-9"]).at(minute("mon", "08:59") + 0.75)
    assert standing == (True, 0.25)


@pytest.mark.parametrize(
    "text",
    [
        *("", "8", "8-", "mon", "mon 8:0-9", "mon 25-26", "mon 24:01-25", "mon 12:60-13", "8-8", "24-8", "-5-8"),
        *("moon 8-9", "mon- 8-9", "mon-fry 8-9", ",mon 8-9", "mon;tue 8-9", "8-9 mon", "mon 8-9 tue", "daily,mon 8-9"),
        *("mon 八-9", "mon ８-9", "x" * 10_000, "mon 8-9\n10-11", "mon-tue-wed 8-9", "mon 8-9,10-11"),
    ],
)
def test_what_is_no_entry_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="schedule") as caught:
        Hours([text])
    assert len(str(caught.value)) < 300


def test_attack_a_list_without_end() -> None:
    with pytest.raises(ConfigError, match="more than"):
        Hours(["mon 8-9"] * (MAX_HOURS + 1))


SPANS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, DAY - 1), st.integers(1, DAY)).filter(
        lambda span: span[2] != span[3]
    ),
    max_size=6,
)


def written(span: tuple[int, int, int, int]) -> str:
    first, last, begin, end = span
    return f"{DAYS[first]}-{DAYS[last]} {begin // 60}:{begin % 60:02d}-{end // 60}:{end % 60:02d}"


def holds(span: tuple[int, int, int, int], at: int) -> bool:
    """The same by counting."""
    first, last, begin, end = span
    length = end - begin if end > begin else end + DAY - begin
    days = [(first + more) % 7 for more in range((last - first) % 7 + 1)]
    return any((at - (day * DAY + begin)) % WEEK < length for day in days)


@settings(deadline=None)  # how long it takes says nothing, where other work is done beside it
@given(SPANS, st.integers(0, WEEK - 1))
def test_any_hours_at_any_minute(spans: list[tuple[int, int, int, int]], at: int) -> None:
    slow, left = Hours([written(span) for span in spans]).at(at)
    assert slow == any(holds(span, at) for span in spans)
    if left is None:
        edges = {
            (day * DAY + edge - before) % WEEK
            for span in spans
            for edge in span[2:]
            for day in range(7)
            for before in (0, 1)
        }
        assert all(any(holds(span, edge) for span in spans) == slow for edge in edges)
        return
    assert 0 < left <= WEEK
    change = int(left)
    assert any(holds(span, (at + change) % WEEK) for span in spans) != slow
    for between in {0, change // 2, change - 1}:
        assert any(holds(span, (at + between) % WEEK) for span in spans) == slow
