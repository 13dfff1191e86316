"""What peers say to each other to move content.

A download asks with `Want` for manifest and piece map in one answer (in parts), then for pieces with `GetPiece`, whose
answers are raw bytes. The rest are notices: one way, and harmless when they come too late.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

import msgspec

from peerage.content.manifest import ContentIdField
from peerage.limits import MAX_MANIFEST, MAX_PART_PAYLOAD
from peerage.wire.message import Done, Message, Request

MAX_NOTICE_PIECES: Final = 4096  # piece numbers of one notice: at most 20 KiB
_Index = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
_Indices = Annotated[tuple[_Index, ...], msgspec.Meta(max_length=MAX_NOTICE_PIECES)]


class WantPart(Message, frozen=True):
    """A stretch of an answer to `Want`: the manifest (unless it was not asked for) and then the piece map.

    Every part tells how long the two are; an empty map means that the holder has every piece.
    """

    code: ClassVar[bytes] = b"WNTP"
    manifest_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_MANIFEST)]
    map_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_MANIFEST // 32)]
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_PART_PAYLOAD)]


class Want(Request[WantPart], frozen=True):
    """What have you got of this content? The asker is told from then on what more the holder gets."""

    code: ClassVar[bytes] = b"WANT"
    reply: ClassVar[type[Message]] = WantPart
    content: ContentIdField
    manifest: bool = True  # whether the asker still needs it


class GetPiece(Request[Done], frozen=True):
    """Send one piece; the answer is its bytes, or an ERRO when the holder cannot."""

    code: ClassVar[bytes] = b"GETP"
    reply: ClassVar[type[Message]] = Done
    content: ContentIdField
    index: _Index


class CancelPieces(Message, frozen=True):
    """These need not be sent any more."""

    code: ClassVar[bytes] = b"CNCL"
    content: ContentIdField
    indices: _Indices


class HavePieces(Message, frozen=True):
    """The sender has these by now."""

    code: ClassVar[bytes] = b"HAVE"
    content: ContentIdField
    indices: _Indices


class Queued(Message, frozen=True):
    """All upload slots are taken; the asker's turn comes after `ahead` others."""

    code: ClassVar[bytes] = b"QUED"
    ahead: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class Unqueued(Message, frozen=True):
    """The asker's turn has come."""

    code: ClassVar[bytes] = b"UNQU"
