import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.app.cli import formats
from peerage.catalogue.text import is_showable
from peerage.errors import LocalError


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (64_000_000, "64.0 MB"),
        (10**30, "1000000000000.0 EB"),
    ],
)
def test_size(number, shown):
    assert formats.size(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "?"),
        (math.nan, "?"),
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1:00 min"),
        (185, "3:05 min"),
        (7620, "2:07 h"),
        (273_600, "3 d 4 h"),
        (math.inf, "1157407 d 9 h"),
    ],
)
def test_duration(seconds, shown):
    assert formats.duration(seconds) == shown


def test_percent_says_hundred_only_when_all_is_there():
    assert formats.percent(999, 1000) == "99 %"
    assert formats.percent(1000, 1000) == "100 %"
    assert formats.percent(0, 0) == "100 %"


def test_count():
    assert formats.count(1, "file") == "1 file"
    assert formats.count(1200, "file") == "1,200 files"
    assert formats.count(0, "copy", "copies") == "0 copies"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5MB", 5_000_000),
        ("800 kB/s", 800_000),
        ("2MiB", 2 * 1024 * 1024),
        ("1.5m", 1_500_000),
        ("77", 77),
        ("off", 0),
        ("0", 0),
    ],
)
def test_rates(text, rate):
    assert formats.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "-5MB", "5 XB", "0.0000001", "5MB\n6MB", "٣MB"])
def test_a_rate_that_is_none_is_an_error(text):
    with pytest.raises(LocalError, match="is not a speed"):
        formats.parse_rate(text)


@given(st.text())
def test_what_is_shown_cannot_command_a_terminal(text):
    assert is_showable(formats.clean(text))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_json_line_is_safe_to_show_and_loses_nothing(text):
    line = formats.json_line({"name": text})
    assert is_showable(line)
    assert json.loads(line) == {"name": text}


def test_a_tag_character_outside_the_first_plane_is_escaped_as_a_pair():
    assert formats.json_line("\U000e0041") == '"\\udb40\\udc41"'


def test_sizes_that_people_type():
    assert formats.parse_size("500kB") == 500_000
    assert formats.parse_size("2 MiB") == 2 * 2**20
    for text in ("", "much", "0", "off", "-1MB"):
        with pytest.raises(LocalError, match="not a size"):
            formats.parse_size(text)
