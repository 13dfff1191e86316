"""Which holders of a content are asked to prove that they have it, and what is known from earlier proofs.

What can be proved cheaply: the holder shows the manifest, whose hash is the content id, over a link that proves who it
is. That unmasks whoever names contents that do not exist, or says that it has what it never saw. It does not prove that
the holder has all bytes: a piece is proved only by sending it, which every download does, piece by piece, and a keyed
hash over some of the bytes can be checked only by who has them already.
Invariant: few holders are asked for each content, of different subnets where that is possible, and none twice within
the life of its answer. Pure: time is an argument (seconds).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from peerage.identity.keys import PeerId
from peerage.limits import HOLDERS_PER_SUBNET
from peerage.overlay.base import Holder
from peerage.overlay.expiring import ExpiringTable
from peerage.overlay.reputation.rules import PROOF_HOLDERS, PROOF_LIFE, PROOFS_KEPT
from peerage.peer.subnet import subnets_of


class Proof(StrEnum):
    """What came of asking one holder."""

    PROVED = "proved"
    FAILED = "failed"  # it answered, and has it not, or something else
    SILENT = "silent"  # it could not be reached, or did not answer in time: it may sit behind a router
    UNASKED = "unasked"  # too large to be fetched for this


class Offer(msgspec.Struct, frozen=True):
    """A content that a search has found, and who says that he has it, the best first."""

    content: bytes
    holders: tuple[Holder, ...]


class Checked(msgspec.Struct, frozen=True):
    """What is known of an offer; `proved`: None where nobody could be asked. `failed` holders are to be dropped."""

    content: bytes
    proved: bool | None
    failed: frozenset[PeerId]


class ProofBook:
    """The proofs of the last half hour."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: ExpiringTable[tuple[bytes, PeerId], Proof] = ExpiringTable(PROOFS_KEPT, PROOF_LIFE)

    def note(self, content: bytes, holder: PeerId, proof: Proof, now: float) -> None:
        """Remember what came of asking; silence is not remembered, as it may have been the line."""
        if proof is not Proof.SILENT:
            self._known.put((content, holder), proof, now)

    def to_ask(self, offer: Offer, now: float) -> list[Holder]:
        """Return whom to ask, in order, until one has proved it; nobody when that is settled."""
        known = [self._known.get((offer.content, each.peer_id), now) for each in offer.holders]
        if Proof.PROVED in known or Proof.UNASKED in known:
            return []
        return _spread([each for each, proof in zip(offer.holders, known, strict=True) if proof is None])

    def sum_up(self, offer: Offer, now: float) -> Checked:
        """Return what is known of an offer by now."""
        known = {each.peer_id: self._known.get((offer.content, each.peer_id), now) for each in offer.holders}
        failed = frozenset(peer_id for peer_id, proof in known.items() if proof is Proof.FAILED)
        if Proof.PROVED in known.values():
            return Checked(offer.content, True, failed)
        all_failed = bool(failed) and len(failed) == len(known)
        return Checked(offer.content, False if all_failed else None, failed)


def _spread(holders: Sequence[Holder]) -> list[Holder]:
    """Choose the first few who can be dialled, no more of one subnet than HOLDERS_PER_SUBNET."""
    counts: Counter[str] = Counter()
    chosen: list[Holder] = []
    for holder in holders:
        subnets = subnets_of(holder.addresses)
        if len(chosen) < PROOF_HOLDERS and all(counts[each] < HOLDERS_PER_SUBNET for each in subnets):
            counts.update(subnets)
            chosen.append(holder)
    return chosen
