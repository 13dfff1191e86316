"""Asks holders to prove that they have what they offer, before it is offered to the user.

How one holder is asked is passed in: content moves in another part of the program. Whom to ask is decided in proofs.py.
Invariant: at most PROOF_HITS contents are checked at once and PROOF_HOLDERS of each asked, one after the other, and all
of it ends after PROOF_SECONDS; what was found out by then counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from peerage.overlay.base import Holder
from peerage.overlay.reputation.proofs import Checked, Offer, Proof, ProofBook
from peerage.overlay.reputation.rules import PROOF_HITS, PROOF_SECONDS

Prove = Callable[[Holder, bytes], Awaitable[Proof]]
"""Asks a holder to show that it has the content of this id; raises nothing that a peer can cause."""


class Possession:
    """The possession check of one node, with a memory."""

    def __init__(self, prove: Prove) -> None:
        self._prove = prove
        self._book = ProofBook()

    async def check(self, offers: Sequence[Offer], seconds: float = PROOF_SECONDS) -> list[Checked]:
        """Check the first PROOF_HITS offers, all at once, within `seconds`; returns what is known of each of them."""
        first = offers[:PROOF_HITS]
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for offer in first:
                    if self._book.to_ask(offer, self._now()):
                        group.create_task(self._check(offer))
        except TimeoutError:
            pass  # the list of hits is not to wait for the slowest
        return [self._book.sum_up(offer, self._now()) for offer in first]

    async def _check(self, offer: Offer) -> None:
        for holder in self._book.to_ask(offer, self._now()):
            proof = await self._prove(holder, offer.content)
            self._book.note(offer.content, holder.peer_id, proof, self._now())
            if proof in {Proof.PROVED, Proof.UNASKED}:
                return

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
