"""Content links: what one person sends another, `peerage:<content id>?name=...&size=...&from=<peer id>@host:port`.

Invariant: `parse_link(str(link)) == link`, and a link that came through `parse_link` holds no text that hides or
reorders what is shown, no id of another length and no more sources than its bound. Parameters that are not known are
passed over, so that later versions may add some. A name in a link is only what the sender calls the content; it becomes
a file name in content/names.py, not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from peerage.errors import AddressError
from peerage.identity.address import Address, parse_address
from peerage.identity.keys import PeerId, format_id, parse_id
from peerage.limits import MAX_LINK_CHARS, MAX_LINK_SOURCES, MAX_NAME_BYTES

SCHEME: Final = "peerage"

_MAX_SIZE: Final = 2**62
_MAX_PARAMETERS: Final = MAX_LINK_SOURCES + 32
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
# C0 and C1 controls, direction marks, line separators, lone surrogates: nothing a name needs, all a trick needs
_UNSHOWABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


class LinkSource(msgspec.Struct, frozen=True, order=True):
    """A peer that had the content when the link was made, and where it listened."""

    peer_id: PeerId
    address: Address

    def __str__(self) -> str:
        return f"{format_id(self.peer_id)}@{self.address}"


class ContentLink(msgspec.Struct, frozen=True, kw_only=True):
    """A content by its 32-byte id; `name` and `size` (bytes, None unknown) are hints, `sources` where to begin."""

    content: bytes
    name: str = ""
    size: int | None = None
    sources: tuple[LinkSource, ...] = ()

    def __str__(self) -> str:
        parameters = "&".join(f"{key}={value}" for key, value in self._parameters())
        return f"{SCHEME}:{format_id(self.content)}" + (f"?{parameters}" if parameters else "")

    def _parameters(self) -> Iterator[tuple[str, str]]:
        if self.name:
            yield "name", quote(self.name, safe="")
        if self.size is not None:
            yield "size", str(self.size)
        for source in self.sources[:MAX_LINK_SOURCES]:
            yield "from", _quoted(source)


@lru_cache(maxsize=1024)  # a list of ten thousand links names few peers
def _quoted(source: LinkSource) -> str:
    return quote(str(source), safe="@:")


def is_link(text: str) -> bool:
    """Whether the text is meant to be a content link, a good one or not."""
    return text.lstrip()[: len(SCHEME) + 1].lower() == f"{SCHEME}:"


def parse_link(text: str) -> ContentLink:
    """Read a content link; raises AddressError with a sentence that says what is wrong with it."""
    text = text.strip()
    if len(text) > MAX_LINK_CHARS:
        raise AddressError(f"the link is too long: at most {MAX_LINK_CHARS} characters are read")
    if not is_link(text):
        raise AddressError(f"{_short(text)} is not a content link: one begins with {SCHEME}: and a content id")
    content, _, query = text[len(SCHEME) + 1 :].partition("?")
    fields = _Fields()
    for key, value in _split(query):
        fields.take(key, value)
    return ContentLink(
        content=_content_id(content), name=fields.name, size=fields.size, sources=tuple(dict.fromkeys(fields.sources))
    )


class _Fields:
    """The parameters of a link as they are read; what may stand once stands once."""

    def __init__(self) -> None:
        self.name = ""
        self.size: int | None = None
        self.sources: list[LinkSource] = []

    def take(self, key: str, value: str) -> None:
        """Take one parameter; unknown ones are passed over."""
        if key == "name":
            self._once(key, taken=bool(self.name))
            self.name = _name(value)
        elif key == "size":
            self._once(key, taken=self.size is not None)
            self.size = _size(value)
        elif key == "from":
            if len(self.sources) >= MAX_LINK_SOURCES:
                raise AddressError(f"the link names more than {MAX_LINK_SOURCES} sources")
            self.sources.append(_source(value))

    def _once(self, key: str, *, taken: bool) -> None:
        if taken:
            raise AddressError(f"the link is damaged: it has more than one {key}")


def _split(query: str) -> Iterator[tuple[str, str]]:
    parts = query.split("&") if query else []
    if len(parts) > _MAX_PARAMETERS:
        raise AddressError(f"the link is damaged: it has more than {_MAX_PARAMETERS} parameters")
    for part in parts:
        key, _, value = part.partition("=")
        yield key, _unquote(value)


def _unquote(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise AddressError(f"the link is damaged: {_short(text)} has a % that two hexadecimal digits must follow")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise AddressError(f"the link is damaged: {_short(text)} is not UTF-8") from error


def _content_id(text: str) -> bytes:
    try:
        return parse_id(text)
    except AddressError:
        raise AddressError(
            f"the link is damaged: {_short(text)} is not a content id, which has 52 letters a-z and digits 2-7"
        ) from None


def _name(text: str) -> str:
    if _UNSHOWABLE.search(text):
        raise AddressError("the link is damaged or a trick: its name holds control or direction characters")
    if len(text.encode()) > MAX_NAME_BYTES:
        raise AddressError(f"the link is damaged: its name is longer than {MAX_NAME_BYTES} bytes")
    return text


def _size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _MAX_SIZE:
        raise AddressError(f"the link is damaged: {_short(text)} is not a size in bytes")
    return int(text)


def parse_source(text: str) -> LinkSource:
    """Read `<peer id>@host:port`; raises AddressError."""
    peer, at, place = text.strip().rpartition("@")
    if not at or len(text) > MAX_LINK_CHARS:
        raise AddressError(f"{_short(text)} is not a source: write PEER_ID@HOST:PORT")
    try:
        peer_id = PeerId(parse_id(peer))
    except AddressError:
        raise AddressError(f"{_short(peer)} is not a peer id, which has 52 letters a-z and digits 2-7") from None
    address = parse_address(place)
    if not address.is_dialable:
        raise AddressError(f"{_short(place)} is not an address that can be dialled")
    return LinkSource(peer_id, address)


def _source(text: str) -> LinkSource:
    try:
        return parse_source(text)
    except AddressError as error:
        raise AddressError(f"the link is damaged: {_short(str(error))[1:-1]}") from None


def _short(text: str) -> str:
    """Quote a text from elsewhere for a message: escaped, and no longer than a line."""
    return ascii(text) if len(text) <= 120 else ascii(text[:100] + "...")
