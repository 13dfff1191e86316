"""A closer look at a node: the pieces of a transfer, what it counts, what it gave to whom.

Invariant: it looks and changes nothing; what it returns is bounded whatever the size of what it looks at.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from peerage.app.api.insight_models import PieceMap, Statistics, UploadEntry
from peerage.classic.downloads import OldDownload
from peerage.content.ledger import PieceState
from peerage.identity.keys import format_id

if TYPE_CHECKING:
    from peerage.app.fetching import AnyDownload
    from peerage.app.node import Node

_HAVE: Final = bytes([PieceState.HAVE])
_IN_FLIGHT: Final = bytes([PieceState.IN_FLIGHT])
_UNWANTED: Final = bytes([PieceState.UNWANTED])


async def piece_map(node: Node, download: AnyDownload, cells: int) -> PieceMap:
    """Return the pieces of a download in at most so many cells, also of one that rests."""
    inside = None if isinstance(download, OldDownload) else await node.transfers.look_inside(download.content_id)
    states = inside.states if inside is not None else b""
    count = min(cells, len(states))
    edges = [len(states) * number // count for number in range(count + 1)] if count else []
    parts = [states[first:stop] for first, stop in pairwise(edges)]
    return PieceMap(
        pieces=len(states),
        here=states.count(_HAVE),
        cells=[_percent(part) for part in parts],
        busy=[number for number, part in enumerate(parts) if _IN_FLIGHT in part],
    )


def statistics_of(node: Node) -> Statistics:
    """Return what a node has counted since its start."""
    return Statistics(
        started=node.started,
        down=node.transfers.rate.total,
        up=node.exchange.rate.total,
        rate_down=node.traffic.down.rate,
        rate_up=node.traffic.up.rate,
        uploads=node.exchange.waiting,
        counters={f"{name}:{reason}" if reason else name: count for name, reason, count in node.peer.metrics},
    )


def uploads_of(node: Node) -> list[UploadEntry]:
    """Return what was uploaded to whom, the latest first."""
    return [
        UploadEntry(
            peer_id=format_id(upload.peer_id),
            name=known.alias if (known := node.peer.table.get(upload.peer_id)) is not None else "",
            content_id=format_id(upload.content),
            bytes=upload.count,
            began=upload.began,
            last=upload.last,
        )
        for upload in node.exchange.given.all()
    ]


def _percent(part: bytes) -> int:
    wanted = len(part) - part.count(_UNWANTED)
    return 100 * part.count(_HAVE) // wanted if wanted else -1
