"""What all downloads of a node share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec

from peerage.content.buffers import BufferPool
from peerage.content.rate import RateLimit
from peerage.content.source import Source
from peerage.peer.peer import Peer

Locate = Callable[[bytes], AsyncIterator[Source]]


class Surroundings(msgspec.Struct, frozen=True):
    """The node as a download sees it; the two functions for manifests block."""

    peer: Peer
    buffers: BufferPool
    rate: RateLimit  # of everything that comes in
    locate: Locate  # sources of a content id
    load_manifest: Callable[[bytes], bytes]  # by content id; empty when it is not known
    save_manifest: Callable[[bytes, bytes], None]  # content id and encoded manifest
    changed: Callable[[bytes], None]  # this content can be served from here now
    noted: Callable[[bytes], None]  # its download stands otherwise than before
