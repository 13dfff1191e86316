"""One question of this node to several indexes: asked together, merged, and compared.

Invariant: at most `used` indexes work on a question by themselves; another one is asked when one fails, is silent for
too long, or has said all it has and there is not enough yet. So nothing is lost with an index that dies meanwhile.
Results are checked before they are given out (answers.py); how a question runs is in overlay/inquiry.py.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import islice
from typing import ClassVar, NamedTuple, cast

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.overlay import inquiry
from peerage.overlay.base import FoundT, Request
from peerage.overlay.checks import Refused
from peerage.overlay.index.answers import Reader
from peerage.overlay.index.comparison import Comparison
from peerage.overlay.index.known import KnownIndexes
from peerage.overlay.index.messages import AskIndex, HolderAnswer, SeekInIndex
from peerage.overlay.index.registrar import Connect
from peerage.overlay.index.rules import IndexRules
from peerage.overlay.inquiry import Checked
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer

Question = AskIndex | SeekInIndex


class Surroundings(NamedTuple):
    """What a question needs of its node."""

    peer: Peer
    known: KnownIndexes
    rules: IndexRules
    connect: Connect


class Inquiry(inquiry.Inquiry[FoundT]):
    """One question under way; `cost` can be read at any time."""

    name: ClassVar[str] = "index"
    parts_waiting: ClassVar[int] = 16

    def __init__(self, request: Request, question: Question, reader: Reader, surroundings: Surroundings) -> None:
        super().__init__(request, question, surroundings.peer)
        self._reader = reader
        self._known, self._rules, self._connect = surroundings[1:]
        self._comparison = Comparison(question.wanted)

    def results(self, own: Sequence[HolderAnswer]) -> AsyncGenerator[FoundT, None]:
        """Yield what is found as it comes, first in the answers of this node's `own` index."""
        usable = (each.peer_id for each in self._known.usable(self._now()))
        whom = usable if self._rules.widens else islice(usable, self._rules.used)
        return self._ask(whom, self._rules.used, own)

    # --- inside -------------------------------------------------------------------------------------------------

    async def _reach(self, peer_id: PeerId) -> PeerConnection:
        known = self._known.get(peer_id)
        if known is not None:
            known.asked += 1
        return await self._connect(peer_id)

    def _check(self, peer_id: PeerId, holder: HolderAnswer, remote: Address) -> Iterator[Checked[FoundT] | Refused]:
        time = self._peer.clock.time()
        for each in self._reader.read(holder, remote, time):
            if isinstance(each, Refused):
                yield each
                continue
            self._comparison.note(peer_id, each.told, time)
            yield Checked(cast(FoundT | None, each.found))

    def _blame(self, peer_id: PeerId) -> None:
        known = self._known.get(peer_id)
        if known is not None:
            known.refused += 1

    def _note_end(self, peer_id: PeerId, *, worked: bool) -> bool:
        if worked:
            self._known.worked(peer_id)
            self._comparison.ended(peer_id)
        else:
            self._known.did_not_work(peer_id, self._now())
        return self._rules.widens

    def _more_at(self) -> float | None:
        return self._now() + self._rules.patience if self._rules.widens else None

    def _note_silent(self) -> None:
        for peer_id in self._tasks:
            self._known.did_not_work(peer_id, self._now())

    def _compare(self) -> None:
        for verdict in self._comparison.verdicts() if self._rules.checks else ():
            self._known.compared(verdict.peer_id, verdict.compared, verdict.omitted)
            if verdict.omitted:
                self._peer.metrics.count("index_omissions", amount=verdict.omitted)
