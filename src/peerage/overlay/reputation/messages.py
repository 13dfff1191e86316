"""What peers say to each other about votes: news by gossip, and answers to who asks about some contents.

Votes are checked by whoever gets them, so it does not matter who passes them on. Pure.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from peerage.catalogue.record import ContentId
from peerage.overlay.reputation.rules import VOTES_ASKED, VOTES_SENT, VOTES_TOLD
from peerage.overlay.reputation.vote import Vote
from peerage.wire.message import Message, Request


class NewVotes(Message, frozen=True):
    """Votes that the sender did not know before; `hops` links away from the farthest of their voters."""

    code: ClassVar[bytes] = b"VOTE"
    hops: Annotated[int, msgspec.Meta(ge=1, le=16)]
    votes: Annotated[tuple[Vote, ...], msgspec.Meta(max_length=VOTES_SENT)]


class ToldVotes(Message, frozen=True):
    """Votes on what was asked about."""

    code: ClassVar[bytes] = b"VTLD"
    votes: Annotated[tuple[Vote, ...], msgspec.Meta(max_length=VOTES_TOLD)]


class AskVotes(Request[ToldVotes], frozen=True):
    """Who said what about these contents?"""

    code: ClassVar[bytes] = b"VASK"
    contents: Annotated[tuple[ContentId, ...], msgspec.Meta(max_length=VOTES_ASKED)]
