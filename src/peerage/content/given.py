"""What was uploaded to whom, since the node was started: for its owner to see. Pure.

Invariant: at most GIVEN_KEPT pairs of a peer and a content are remembered; the one that moved least lately gives way.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from peerage.identity.keys import PeerId
from peerage.limits import GIVEN_KEPT


class Upload(msgspec.Struct, frozen=True):
    """Bytes of one content that went to one peer; times are seconds since 1970."""

    peer_id: PeerId
    content: bytes
    count: int
    began: float
    last: float


class Given:
    """The uploads of a node."""

    def __init__(self, maximum: int = GIVEN_KEPT) -> None:
        self._maximum = maximum
        self._uploads: OrderedDict[tuple[PeerId, bytes], Upload] = OrderedDict()

    def add(self, peer_id: PeerId, content: bytes, count: int, now: float) -> None:
        """Note bytes that were sent."""
        before = self._uploads.pop((peer_id, content), None)
        sent, began = (before.count, before.began) if before is not None else (0, now)
        self._uploads[peer_id, content] = Upload(peer_id, content, sent + count, began, now)
        while len(self._uploads) > self._maximum:
            self._uploads.popitem(last=False)

    def all(self) -> list[Upload]:
        """Return the uploads, the latest first."""
        return list(reversed(self._uploads.values()))
