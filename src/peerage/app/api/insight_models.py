"""What the API gives to look closer: pieces, statistics, uploads, logs; what holds for `models.py` holds here, too."""

from __future__ import annotations

from peerage.app.api.models import Answer


class PieceMap(Answer, frozen=True):
    """The pieces of a transfer, cut into equal cells in their order; no cells where nothing is known."""

    pieces: int
    here: int
    cells: list[int]  # percent of each that is here; -1 for one that is not wanted
    busy: list[int]  # the numbers of the cells that are being fetched


class Statistics(Answer, frozen=True):
    """Since the node was started: bytes of content, and everything that it counts."""

    started: float
    down: int
    up: int
    rate_down: float
    rate_up: float
    uploads: int  # peers that wait for pieces now
    counters: dict[str, int]  # by name, and reason behind a ":"


class UploadEntry(Answer, frozen=True):
    """Bytes of one content that went to one peer."""

    peer_id: str
    name: str  # what the owner calls the peer, or ""
    content_id: str
    bytes: int
    began: float
    last: float


class LogEntry(Answer, frozen=True):
    """One line of the log."""

    time: float
    level: str
    logger: str
    message: str
    trace: str = ""
