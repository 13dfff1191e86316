"""What the local API takes and gives about votes; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Literal

from peerage.app.api.models import Answer, Body, Text

OpinionName = Literal["good", "fake", "malware"]


class VoteBody(Body, frozen=True):
    """Say what a content is; `target` is a hit of the last search (number, id or name) or a download."""

    target: Text
    opinion: OpinionName


class VoteEntry(Answer, frozen=True):
    """A vote of this node's owner."""

    content_id: str
    name: str  # by which the owner knew the content
    opinion: OpinionName
    cast: float


class FollowBody(Body, frozen=True):
    """Let the votes of a peer (its whole id) count as those of a friend, or no longer."""

    peer: Text
    follow: bool = True
