"""Links to files of old peers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.classic.links import OldLink, is_old_link, parse_old_link
from peerage.errors import AddressError
from peerage.identity.address import Address
from peerage.wire.classic import text_of

links = st.builds(
    OldLink,
    st.builds(Address, st.sampled_from(["10.0.0.1", "old.example"]), st.integers(1, 65535)),
    st.binary(min_size=1, max_size=60).map(text_of),
    st.none() | st.binary(min_size=32, max_size=32),
)


@given(links)
def test_every_link_comes_back(link: OldLink) -> None:
    text = str(link)
    assert text.isascii()
    assert is_old_link(text)
    assert parse_old_link(text) == link
    assert len(link.place_id) == 32


@pytest.mark.parametrize(
    "text",
    ["", "classic://", "classic://10.0.0.1:5000", "classic://10.0.0.1:5000/", "classic://nowhere/x", "classic://0.0.0.0:5/x",
     "classic://10.0.0.1:5000/x?content=short", "peerage:abc", "classic://10.0.0.1:0/x"],
)  # fmt: skip
def test_what_is_no_link(text: str) -> None:
    with pytest.raises(AddressError):
        parse_old_link(text)


def test_places_are_told_apart() -> None:
    one, other = OldLink(Address("10.0.0.1", 5), "x"), OldLink(Address("10.0.0.2", 5), "x")
    assert one.place_id != other.place_id
    assert OldLink(one.holder, "x", bytes(32)).place_id == one.place_id
