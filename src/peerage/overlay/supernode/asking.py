"""One question of a leaf to its supernodes: one is asked, the others when that fails, is silent, or brings little.

Invariant: no supernode is asked twice, and all ends with the question; so the loss of one meanwhile costs a moment, not
a result. Results are checked before they are given out (reading.py), answers are compared at the end (comparison.py);
how a question runs is in overlay/inquiry.py.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from typing import Any, ClassVar

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay import inquiry
from peerage.overlay.base import FoundT, Request
from peerage.overlay.checks import Refused
from peerage.overlay.inquiry import Checked
from peerage.overlay.supernode.comparison import Comparison, Verdict
from peerage.overlay.supernode.messages import AskSupernode, SeekAtSupernode
from peerage.overlay.supernode.reading import Read
from peerage.overlay.supernode.surroundings import Surroundings
from peerage.peer.connection import PeerConnection

Question = AskSupernode | SeekAtSupernode
Reader = Callable[[Any, Address], Iterator[Read[FoundT] | Refused]]


class Inquiry(inquiry.Inquiry[FoundT]):
    """One question under way; `cost` can be read at any time, `on_verdict` is told at the end."""

    name: ClassVar[str] = "supernode"
    parts_waiting: ClassVar[int] = 32

    def __init__(self, request: Request, question: Question, reader: Reader[FoundT], around: Surroundings) -> None:
        super().__init__(request, question, around.peer)
        self.on_verdict: Callable[[Verdict], None] = lambda _verdict: None
        self._reader = reader
        self._around = around
        self._comparison = Comparison(request.wanted)
        self._ask_more_at = 0.0

    def results(self, supernodes: Iterable[PeerId]) -> AsyncGenerator[FoundT, None]:
        """Ask these in turn, and yield what is found as it comes."""
        return self._ask(supernodes, 1, ())

    # --- inside -------------------------------------------------------------------------------------------------

    def _ask_next(self) -> None:
        self._ask_more_at = self._now() + self._around.rules.patience
        super()._ask_next()

    async def _reach(self, peer_id: PeerId) -> PeerConnection:
        connection = await self._around.reach(peer_id)
        self._comparison.begin(peer_id)
        return connection

    def _check(self, peer_id: PeerId, holder: Any, remote: Address) -> Iterator[Checked[FoundT] | Refused]:
        for each in self._reader(holder, remote):
            if isinstance(each, Refused):
                yield each
                continue
            self._comparison.note(peer_id, each.key)
            yield Checked(each.found, each.hops + 1)

    def _blame(self, peer_id: PeerId) -> None:
        self._comparison.refused(peer_id)

    def _note_end(self, peer_id: PeerId, *, worked: bool) -> bool:
        if worked:
            self._comparison.ended(peer_id)
        return not worked or self._is_little()

    def _more_at(self) -> float | None:
        return self._ask_more_at if self._is_little() else None

    def _compare(self) -> None:
        for verdict in self._comparison.verdicts():
            self.on_verdict(verdict)

    def _is_little(self) -> bool:
        return self.cost.found < min(self._request.wanted, self._around.rules.few)
