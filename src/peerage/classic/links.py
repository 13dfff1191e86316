"""Links to files that old peers have: `classic://HOST:PORT/NAME`, perhaps with the content id the file should have.

Invariant: `parse_old_link(str(link)) == link`. A link says where and under which name to ask, and proves nothing; until
the bytes were hashed the file goes by an id made of its link, which is no content id.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote_to_bytes

import msgspec
from blake3 import blake3

from peerage.classic.file_names import MAX_WIRE_NAME, from_wire
from peerage.errors import AddressError
from peerage.identity.address import Address, parse_address
from peerage.identity.keys import format_id, parse_id
from peerage.wire.classic import bytes_of, text_of

SCHEME: Final = "classic://"
_CONTENT: Final = "?content="
_ID_CONTEXT: Final = "peerage 2026 place of a file at an old peer"


class OldLink(msgspec.Struct, frozen=True):
    """Where a file can be asked for; `content` is what it should be, None when nobody knows."""

    holder: Address
    wire_name: str
    content: bytes | None = None

    def __str__(self) -> str:
        content = f"{_CONTENT}{format_id(self.content)}" if self.content is not None else ""
        return f"{SCHEME}{self.holder}/{quote(bytes_of(self.wire_name), safe='')}{content}"

    @property
    def name(self) -> str:
        """The name as a person writes it: from elsewhere, so neither safe to show nor to be a path."""
        return from_wire(self.wire_name).name

    @property
    def place_id(self) -> bytes:
        """What the file goes by here as long as its content is not known: 32 bytes."""
        return blake3(
            f"{self.holder}/{self.wire_name}".encode(errors="surrogateescape"), derive_key_context=_ID_CONTEXT
        ).digest()


def is_old_link(text: str) -> bool:
    """Whether a text is meant as such a link."""
    return text.strip().lower().startswith(SCHEME)


def parse_old_link(text: str) -> OldLink:
    """Read a link; raises AddressError."""
    rest = text.strip()[len(SCHEME) :]
    rest, _, content = rest.partition(_CONTENT)
    place, slash, name = rest.partition("/")
    wire_name = text_of(unquote_to_bytes(name))
    if not is_old_link(text) or not slash or not 0 < len(wire_name) <= 2 * MAX_WIRE_NAME:
        raise AddressError(f"{text[:100]!r} is no link to an old peer's file: write {SCHEME}HOST:PORT/NAME")
    holder = parse_address(place)
    if not holder.is_dialable:
        raise AddressError(f"nobody can be asked at {place}")
    return OldLink(holder, wire_name, parse_id(content) if content else None)
