"""Content links: what is written is read back, and nothing hostile gets in."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import AddressError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
from peerage.identity.link import ContentLink, LinkSource, is_link, parse_link, parse_source
from peerage.limits import MAX_LINK_SOURCES

CONTENT = bytes(range(32))
PEER = PeerId(bytes(reversed(range(32))))
CID = format_id(CONTENT)
PID = format_id(PEER)

addresses = st.one_of(
    st.builds(lambda a, p: Address(str(a), p), st.ip_addresses(v=4), st.integers(1, 65535)),
    st.builds(lambda a, p: Address(str(a), p), st.ip_addresses(v=6), st.integers(1, 65535)),
    st.builds(Address, st.sampled_from(["example.org", "a-b.example", "host_1"]), st.integers(1, 65535)),
).filter(lambda address: address.is_dialable)
sources = st.builds(LinkSource, st.binary(min_size=32, max_size=32).map(PeerId), addresses)
names = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=60)
links = st.builds(
    ContentLink,
    content=st.binary(min_size=32, max_size=32),
    name=names,
    size=st.none() | st.integers(0, 2**62),
    sources=st.lists(sources, max_size=MAX_LINK_SOURCES, unique=True).map(tuple),
)


@given(links)
def test_what_is_written_is_read_back(link: ContentLink) -> None:
    text = str(link)
    assert text.isascii()
    assert " " not in text
    assert parse_link(text) == link


@given(st.text() | st.text().map(lambda rest: f"peerage:{CID}?{rest}") | st.text().map(lambda rest: "peerage:" + rest))
def test_garbage_gives_a_link_or_an_address_error(text: str) -> None:
    with contextlib.suppress(AddressError):
        link = parse_link(text)
        assert parse_link(str(link)) == link


def test_a_link_reads_as_the_documentation_shows() -> None:
    link = ContentLink(
        content=CONTENT,
        name="Über alles & mehr?.flac",
        size=42,
        sources=(LinkSource(PEER, Address("192.0.2.7", 7411)), LinkSource(PEER, Address("2001:db8::7", 7411))),
    )
    assert str(link) == (
        f"peerage:{CID}?name=%C3%9Cber%20alles%20%26%20mehr%3F.flac&size=42"
        f"&from={PID}@192.0.2.7:7411&from={PID}@%5B2001:db8::7%5D:7411"
    )


def test_unescaped_brackets_and_capitals_and_blanks_around_are_read() -> None:
    link = parse_link(f"  PEERAGE:{CID.upper()}?from={PID.upper()}@[2001:db8::7]:7411\n")
    assert link == ContentLink(content=CONTENT, sources=(LinkSource(PEER, Address("2001:db8::7", 7411)),))


def test_a_bare_content_id_is_enough() -> None:
    assert parse_link(f"peerage:{CID}") == ContentLink(content=CONTENT)


def test_unknown_parameters_are_passed_over() -> None:
    assert parse_link(f"peerage:{CID}?colour=red&size=1&x") == ContentLink(content=CONTENT, size=1)


def test_a_source_named_twice_counts_once() -> None:
    link = parse_link(f"peerage:{CID}?from={PID}@h:1&from={PID}@h:1")
    assert len(link.sources) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a content link"),
        ("magnet:?xt=urn:btih:1", "not a content link"),
        ("peerage:", "not a content id"),
        (f"peerage:{CID[:-1]}", "not a content id"),
        (f"peerage:{CID[:-1]}b", "not a content id"),
        (f"peerage:{CID}?size=-1", "not a size"),
        (f"peerage:{CID}?size=1e9", "not a size"),
        (f"peerage:{CID}?size=٣", "not a size"),
        (f"peerage:{CID}?size={2**62 + 1}", "not a size"),
        (f"peerage:{CID}?size={'9' * 5000}", "not a size"),
        (f"peerage:{CID}?size=1&size=2", "more than one size"),
        (f"peerage:{CID}?name=a&name=b", "more than one name"),
        (f"peerage:{CID}?name=%0a%1b%5b2J", "control or direction"),
        (f"peerage:{CID}?name=%E2%80%AEgpj.exe", "control or direction"),
        (f"peerage:{CID}?name=%ff", "not UTF-8"),
        (f"peerage:{CID}?name=%zz", "hexadecimal"),
        (f"peerage:{CID}?name={'a' * 256}", "longer than 255"),
        (f"peerage:{CID}?from=192.0.2.7:7411", "PEER_ID@HOST:PORT"),
        (f"peerage:{CID}?from=abc@192.0.2.7:7411", "not a peer id"),
        (f"peerage:{CID}?from={PID}@192.0.2.7", "not an address"),
        (f"peerage:{CID}?from={PID}@192.0.2.7:0", "can be dialled"),
        (f"peerage:{CID}?from={PID}@0.0.0.0:7411", "can be dialled"),
        (f"peerage:{CID}?from={PID}@:7411", "can be dialled"),
        (f"peerage:{CID}?" + "&".join(f"from={PID}@h{n}:1" for n in range(17)), "more than 16 sources"),
        (f"peerage:{CID}?" + "&" * 100, "parameters"),
        ("peerage:" + "a" * 9000, "too long"),
    ],
)
def test_a_hostile_or_damaged_link_gets_a_clear_sentence(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        parse_link(text)


def test_messages_never_repeat_raw_control_characters() -> None:
    with pytest.raises(AddressError) as caught:
        parse_link("peerage:\x1b[2J\n" + "x" * 7000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_what_is_meant_as_a_link_is_told_from_the_rest() -> None:
    assert is_link(" Peerage:whatever")
    assert not is_link("peerage")
    assert not is_link("some words")


def test_a_source_stands_alone_too() -> None:
    assert parse_source(f"{PID}@192.0.2.7:7411") == LinkSource(PEER, Address("192.0.2.7", 7411))
    with pytest.raises(AddressError):
        parse_source("192.0.2.7:7411")
