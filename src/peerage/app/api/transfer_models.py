"""What the API takes and gives to order transfers; what holds for `models.py` holds here, too."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from peerage.app.api.models import Answer, Body, LevelName, Rate
from peerage.limits import MAX_LEVELS

StateName = Literal["resting", "connecting", "asking", "queued", "ready", "sending"]
"""Of a source: tried again later; being dialled; asked what it has; lets us wait; owes nothing or is slow; sends."""


class MoveBody(Body, frozen=True):
    """Let a transfer stand elsewhere in the queue."""

    to: Literal["top", "up", "down", "bottom"]


class TransferLimitBody(Body, frozen=True):
    """Limit one transfer, in bytes a second; 0 is no limit of its own."""

    down: Rate


class FileLevel(Body, frozen=True):
    """How much one file of a transfer is wanted, by its number in the list of files."""

    number: Annotated[int, msgspec.Meta(ge=0, le=2**31)]
    level: LevelName


class FilesBody(Body, frozen=True):
    """Fetch these files sooner, later or not at all; the others stay as they are. The last word on a file counts."""

    files: Annotated[list[FileLevel], msgspec.Meta(min_length=1, max_length=MAX_LEVELS)]


class TransferSource(Answer, frozen=True):
    """A peer that has the content of a transfer, or may have it."""

    peer_id: str
    name: str  # what the owner calls it, or ""
    address: str  # where it is connected, or would be dialled first
    rate_down: float
    received: int  # bytes from it since this node was started, for this transfer
    here: int  # percent of the pieces that it has, 0 while that is not known
    state: StateName
    agent: str  # what it runs, as it says


class Forgotten(Answer, frozen=True):
    """So many transfers were taken off the list; their files stay."""

    count: int
