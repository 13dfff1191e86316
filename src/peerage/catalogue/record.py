"""One signed entry of the catalogue: who holds which content, what it is called, and who may see it.

Invariant: a `Record` whose text hides or reorders anything, or whose numbers are out of bounds, cannot exist; it fails
while it is decoded. Whether the holder really wrote it is known only after `verify`. A record says nothing about where
the holder can be reached, and nothing here decides who is trusted.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

import msgspec
from blake3 import blake3

from peerage.catalogue.media_type import FOLDER_MIME, MediaType, extension_of, media_type_of
from peerage.catalogue.text import is_showable, showable, words_of_all
from peerage.errors import LocalError, ProtocolError
from peerage.identity.keys import (
    ID_BYTES,
    SIGNATURE_BYTES,
    PeerId,
    PeerKey,
    PublicKeyField,
    SignatureField,
    peer_id_of,
    verify,
)
from peerage.limits import (
    MAX_META_CHARS,
    MAX_MIME_CHARS,
    MAX_NAME_BYTES,
    MAX_RECORD_BYTES,
    MAX_RECORD_PATH,
    MAX_RECORD_PATH_BYTES,
)

ContentId = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
"""BLAKE3-256 over a manifest; content/manifest.py says how."""

_LABEL: Final = b"peerage 2026 record\0"  # a signature over a record can be mistaken for no other signature
_MAX_INT: Final = 2**62  # fits a column of SQLite and a float's range; 4 EiB
_MAX_DURATION: Final = 1e8  # three years, in seconds

# Between two fields stands a word that no query can hold, so that a phrase does not reach from title into album.
FIELD_GAP: Final = "\ue000"


class Kind(IntEnum):
    """What the content is."""

    FILE = 0
    FOLDER = 1


class Visibility(IntEnum):
    """Who may see a share, the most open first."""

    PUBLIC = 0
    FRIENDS = 1
    LINK = 2  # found by nobody; whoever has the link can fetch it


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_BYTES)]
_MetaText = Annotated[str, msgspec.Meta(max_length=MAX_META_CHARS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MAX_INT)]


class Meta(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an audio or video file says about itself; `duration` in seconds, `bitrate` in bits a second, 0 unknown."""

    title: _MetaText = ""
    artist: _MetaText = ""
    album: _MetaText = ""
    duration: Annotated[float, msgspec.Meta(ge=0, le=_MAX_DURATION)] = 0.0
    bitrate: _Count = 0


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a sharer says about one content, before it is signed."""

    content: bytes
    kind: Kind = Kind.FILE
    name: str
    size: int  # in bytes; of a folder: of all its files
    mime: str
    path: tuple[str, ...] = ()  # the folder names that lead to it inside the share, outermost first
    meta: Meta | None = None
    visibility: Visibility = Visibility.PUBLIC


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One entry as it travels; the fields are those of `Description`, then who says so and when."""

    content: ContentId
    kind: Kind
    name: _Name
    size: _Count
    mime: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9.+_-]+/[a-z0-9.+_-]+\Z", max_length=MAX_MIME_CHARS)]
    path: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=MAX_RECORD_PATH)]
    meta: Meta | None
    visibility: Visibility
    holder: PublicKeyField
    issued: _Count  # seconds since 1970, by the holder's clock; of two records about one thing the later counts
    signature: SignatureField

    def __post_init__(self) -> None:
        """Refuse text that hides or reorders what is shown; msgspec calls this while it decodes, too."""
        if not all(is_showable(text) for text in self.texts()):
            raise ValueError("a name holds control or direction characters")
        if len(self.name.encode()) > MAX_NAME_BYTES:
            raise ValueError(f"a name of more than {MAX_NAME_BYTES} bytes")
        if sum(len(folder.encode()) for folder in self.path) > MAX_RECORD_PATH_BYTES:
            raise ValueError(f"a path of more than {MAX_RECORD_PATH_BYTES} bytes")
        if (self.kind is Kind.FOLDER) != (self.mime == FOLDER_MIME):
            raise ValueError("kind and media type disagree")

    @classmethod
    def sign(cls, key: PeerKey, description: Description, issued: int) -> Record:
        """Make the signed record of what this node shares; text is cleaned and cut to its bounds first.

        Raises LocalError when a field cannot be brought into bounds, which only a mistake of the caller can cause.
        """
        try:
            unsigned = msgspec.structs.replace(cls.draft(key.public_key, description), issued=issued)
            signature = key.sign(unsigned.signed_bytes())
            return decode(encode(msgspec.structs.replace(unsigned, signature=signature)))
        except (ProtocolError, ValueError) as error:
            raise LocalError(f"cannot make a record of {description.name!r}: {error}") from error

    def signed_bytes(self) -> bytes:
        """Return what the holder signs: a label, then the encoded record without its signature."""
        return _LABEL + _encoder.encode(self)[:-SIGNATURE_BYTES]

    def verify(self) -> None:
        """Check that the holder wrote this; raises ForgedError otherwise."""
        verify(self.holder, self.signature, self.signed_bytes())

    @property
    def peer_id(self) -> PeerId:
        """The id of the peer that holds the content."""
        return peer_id_of(self.holder)

    @property
    def media_type(self) -> MediaType:
        """The broad class, as `type:` in a query names it."""
        return media_type_of(self.mime)

    @property
    def extension(self) -> str:
        """The file name's extension in lower case, empty for a folder."""
        return extension_of(self.name) if self.kind is Kind.FILE else ""

    @property
    def duration(self) -> float | None:
        """Seconds of playing time, None when unknown."""
        return (self.meta.duration or None) if self.meta else None

    def texts(self) -> tuple[str, ...]:
        """Return everything a search looks at, the name first."""
        meta = (self.meta.title, self.meta.artist, self.meta.album) if self.meta else ()
        return (self.name, *meta, *self.path)

    def words(self) -> list[str]:
        """Return the search words of all texts in order, with `FIELD_GAP` between two texts."""
        return words_of_all(self.texts(), FIELD_GAP)

    @classmethod
    def draft(cls, holder: bytes, description: Description) -> Record:
        """Return the record that `sign` would make of it, with cleaned text but neither date nor signature."""
        return cls(
            content=description.content,
            kind=description.kind,
            name=showable(description.name, MAX_NAME_BYTES) or "unnamed",
            size=description.size,
            mime=description.mime,
            path=_short_path(description.path),
            meta=description.meta and _clean_meta(description.meta),
            visibility=description.visibility,
            holder=holder,
            issued=0,
            signature=bytes(SIGNATURE_BYTES),
        )

    def slot(self) -> int:
        """Return a 63-bit number of who calls the content what, and where: a later record takes its slot."""
        told = _encoder.encode((self.holder, self.name, self.path))
        return int.from_bytes(blake3(told).digest(8), "big") >> 1


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """Return the record as MessagePack."""
    return _encoder.encode(record)


def decode(data: bytes | memoryview) -> Record:
    """Read a record, its signature still unchecked; raises ProtocolError for anything else or more than its bound."""
    if len(data) > MAX_RECORD_BYTES:
        raise ProtocolError(f"a record of {len(data)} bytes; at most {MAX_RECORD_BYTES} are allowed")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not a record: {error}") from error


def description_of(record: Record) -> Description:
    """Return what a record says, without who says so."""
    return Description(
        content=record.content,
        kind=record.kind,
        name=record.name,
        size=record.size,
        mime=record.mime,
        path=record.path,
        meta=record.meta,
        visibility=record.visibility,
    )


def display_name(name: str) -> str:
    """Make a name from elsewhere safe to show on a terminal or a page; never empty, one line, at most 255 bytes."""
    return showable(name, MAX_NAME_BYTES).strip() or "unnamed"


def _short_path(path: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the innermost folder names that fit the bounds: they say most about a file."""
    kept: list[str] = []
    room = MAX_RECORD_PATH_BYTES
    for folder in reversed(path[-MAX_RECORD_PATH:]):
        clean = showable(folder, MAX_NAME_BYTES)
        room -= len(clean.encode())
        if room < 0:
            break
        kept.append(clean or "unnamed")
    return tuple(reversed(kept))


def _clean_meta(meta: Meta) -> Meta:
    """Bring the text of foreign tags into bounds."""
    return Meta(
        title=_clean_tag(meta.title),
        artist=_clean_tag(meta.artist),
        album=_clean_tag(meta.album),
        duration=meta.duration,
        bitrate=meta.bitrate,
    )


def _clean_tag(text: str) -> str:
    return showable(text.strip(), 4 * MAX_META_CHARS)[:MAX_META_CHARS]
