"""What became of each stage of a search: for whoever wants to know who was asked, and what it cost.

Invariant: a `Stage` is a picture of one moment; numbers count what this node sent and received itself, and only results
that no other stage had brought before.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from peerage.overlay.base import Cost, Overlay, Search
from peerage.overlay.planner.plan import Route


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One overlay's part in a search; times are seconds from the start of the whole search, None when it was not asked.

    `why` says why it was asked, or why it was not.
    """

    name: str  # "neighbours", "index", ...
    overlay: str  # the overlay that was asked
    why: str
    began: float | None = None
    ended: float | None = None
    first_found: float | None = None
    peers_asked: int = 0
    hops: int = 0
    messages: int = 0
    bytes: int = 0
    found: int = 0
    refused: int = 0

    @property
    def asked(self) -> bool:
        """Whether it was asked at all."""
        return self.began is not None


class StageRun:
    """One stage as it runs; times are those of the event loop."""

    def __init__(self, overlay: Overlay, route: Route) -> None:
        self.overlay = overlay
        self.route = route
        self.search: Search[Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.began: float | None = None
        self.ended: float | None = None
        self.first_found: float | None = None
        self.found = 0

    @property
    def cost(self) -> Cost:
        """What it has cost so far."""
        return self.search.cost if self.search is not None else Cost()

    def note_found(self, now: float) -> None:
        """It brought something new."""
        self.found += 1
        if self.first_found is None:
            self.first_found = now

    def picture(self, why: str, start: float) -> Stage:
        """Return what became of it so far; `start` is when the whole search began."""
        cost = self.cost
        return Stage(
            name=self.route.name,
            overlay=self.overlay.name,
            why=why,
            began=_since(start, self.began),
            ended=_since(start, self.ended),
            first_found=_since(start, self.first_found),
            peers_asked=cost.peers_asked,
            hops=cost.hops,
            messages=cost.messages_sent + cost.messages_received,
            bytes=cost.bytes_sent + cost.bytes_received,
            found=self.found,
            refused=cost.refused,
        )


def _since(start: float, time: float | None) -> float | None:
    return None if time is None else time - start
