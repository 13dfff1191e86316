"""What is thought of contents: the votes of this node's owner and of others, and who could show what he offers.

Invariant: a search waits for this a moment at the most, asks about its first few hits only, and takes nothing out of
its list: hits carry what is known, and who shows them decides. What votes mean is decided in overlay/reputation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from peerage.app.api.trust_models import Trust
from peerage.app.api.vote_models import OpinionName, VoteEntry
from peerage.app.naming import UnknownNameError
from peerage.app.recent import RecentHits
from peerage.catalogue.record import Record
from peerage.content.manifest import ContentId, decode
from peerage.content.messages import Want
from peerage.errors import (
    ForgedError,
    LimitError,
    LocalError,
    PeerageError,
    ProtocolError,
    RefusedError,
    UnsafeNameError,
)
from peerage.identity.keys import PeerId, format_id, parse_id
from peerage.overlay.base import Holder
from peerage.overlay.hits import MergedHit
from peerage.overlay.reputation import Opinion, OwnVote, Reputation, Standing, Verdict
from peerage.overlay.reputation.possession import Possession
from peerage.overlay.reputation.proofs import Checked, Offer, Proof
from peerage.overlay.reputation.rules import PROOF_BYTES, PROOF_HITS, PROOF_SECONDS
from peerage.peer.connection import PeerConnection
from peerage.peer.peer import Peer
from peerage.wire.message import ErrorCode

NameOf = Callable[[str], tuple[bytes, str]]
"""Says which content somebody means who names one of his downloads, and what it is called; raises LocalError."""

_PROVE_SECONDS: Final = PROOF_SECONDS  # for one holder; all of them together have no more
_UNPROVED: Final = -0.5  # the score of what all its holders failed to show
_NAMES: Final[dict[Opinion, OpinionName]] = {
    Opinion.GOOD: "good",
    Opinion.FAKE: "fake",
    Opinion.MALWARE: "malware",
}


class Opinions:
    """Votes and proofs of one node; `reputation` is mounted by whoever makes this."""

    def __init__(self, peer: Peer, reputation: Reputation, recent: RecentHits, downloads: NameOf) -> None:
        self.reputation = reputation
        self._peer = peer
        self._recent = recent
        self._downloads = downloads
        self._possession = Possession(self._prove)
        self._checked: dict[bytes, Checked] = {}  # of the searches of late, bounded by `vet`

    # --- the owner's votes --------------------------------------------------------------------------------------------

    async def vote(self, said: str, opinion: OpinionName) -> VoteEntry:
        """Vote on a hit of the last search (its number, id or name) or on a download; raises LocalError."""
        content, name = self._meant(said)
        vote = await self.reputation.vote(content, name, Opinion[opinion.upper()])
        return _entry(OwnVote(vote, name))

    def votes(self) -> list[VoteEntry]:
        """Return the owner's votes, the latest first."""
        return [_entry(each) for each in self.reputation.own_votes()]

    def followed(self) -> list[str]:
        """Return the ids of those whose votes count as friends'."""
        return sorted(map(format_id, self.reputation.follows))

    async def follow(self, peer: str, *, follow: bool) -> list[str]:
        """Let a peer's votes count as a friend's, or no longer; returns all who are followed."""
        await self.reputation.follow(PeerId(parse_id(peer)), follow=follow)
        return self.followed()

    def _meant(self, said: str) -> tuple[bytes, str]:
        if said.isascii() and said.isdigit():
            hit = self._recent.get(int(said) if len(said) < 6 else 0)
            if hit is None:
                raise LocalError(f"the last search has no hit number {said[:20]}")
        else:
            try:
                hit = self._recent.find(said)
            except UnknownNameError:
                return self._downloads(said)
        if hit.unverified:
            raise LocalError(
                "an old peer says that it has this; nobody knows what it is, so there is nothing to vote on"
            )
        return parse_id(hit.content_id), hit.name

    # --- what a search shows ------------------------------------------------------------------------------------------

    def score(self, record: Record) -> float:
        """Return what is known of a record's content: from -1, bad, over 0, nothing, to 1, good."""
        score = self.reputation.score(record)
        checked = self._checked.get(record.content)
        return min(score, _UNPROVED) if checked is not None and checked.proved is False else score

    async def vet(self, hits: Sequence[MergedHit], seconds: float) -> None:
        """Learn what others say of these hits, the best first, and let holders of the first few show what they have."""
        others = [hit for hit in hits if not hit.mine]
        if not others:
            return
        offers = [
            Offer(hit.content, tuple(Holder(each.peer_id, each.addresses) for each in hit.holders))
            for hit in others[:PROOF_HITS]
        ]
        holders = [hit.holders[0].peer_id for hit in others if hit.holders]
        learning = self.reputation.learn([hit.content for hit in others], holders)
        checked, _ = await asyncio.gather(self._possession.check(offers, min(seconds, PROOF_SECONDS)), learning)
        if len(self._checked) > 100 * PROOF_HITS:
            self._checked.clear()  # whoever searches again has it checked again, or remembered by the book of proofs
        self._checked.update((each.content, each) for each in checked)

    def trusted(self, merged: MergedHit) -> tuple[MergedHit, Trust | None]:
        """Return a hit without the holders that could not show it, and what is known of it, None when nothing is."""
        checked = self._checked.get(merged.content)
        if checked is not None and checked.failed:
            left = tuple(each for each in merged.holders if each.peer_id not in checked.failed)
            merged = msgspec.structs.replace(merged, holders=left)
        verdict = self.reputation.verdict(merged.content, merged.name)
        proved = checked.proved if checked is not None else None
        if proved is None and not verdict.votes_for and not verdict.votes_against:
            return merged, None
        return merged, _trust(verdict, proved)

    # --- proofs -------------------------------------------------------------------------------------------------------

    async def _prove(self, holder: Holder, content: bytes) -> Proof:
        """Ask a holder for the manifest, which shows that it knows the content."""
        try:
            async with asyncio.timeout(_PROVE_SECONDS):
                proof = await self._shown(await self._link_to(holder), content)
        except RefusedError as error:
            proof = Proof.FAILED if error.code == ErrorCode.NOT_FOUND else Proof.SILENT
        except (ForgedError, ProtocolError, UnsafeNameError):
            proof = Proof.FAILED
        except (PeerageError, TimeoutError):
            proof = Proof.SILENT
        self._peer.metrics.count("proofs", proof.value)
        return proof

    async def _link_to(self, holder: Holder) -> PeerConnection:
        if not holder.addresses:
            return await self._peer.connect_to(holder.peer_id)
        connection = self._peer.connection_to(holder.peer_id)
        return connection or await self._peer.connect(holder.addresses[0], holder.peer_id)

    async def _shown(self, connection: PeerConnection, content: bytes) -> Proof:
        manifest = bytearray()
        async with aclosing(connection.request_parts(Want(ContentId(content)), _PROVE_SECONDS)) as parts:  # type: ignore[type-var]  # it is a generator
            async for part in parts:
                if part.manifest_bytes > PROOF_BYTES:
                    return Proof.UNASKED
                manifest += part.data[: part.manifest_bytes - len(manifest)]
                if len(manifest) >= part.manifest_bytes:
                    break
        try:
            await self._peer.in_thread(decode, bytes(manifest), content)
        except LimitError:
            return Proof.FAILED
        return Proof.PROVED


def _trust(verdict: Verdict, proved: bool | None) -> Trust:  # noqa: FBT001 -- one of three answers
    return Trust(
        standing=verdict.standing.value if proved is not False or verdict.standing is Standing.HIDE else "warn",
        score=round(verdict.score, 3),
        votes_for=verdict.votes_for,
        votes_against=verdict.votes_against,
        weight_for=round(verdict.weight_for, 3),
        weight_against=round(verdict.weight_against, 3),
        malware=verdict.malware,
        own=_NAMES[verdict.own] if verdict.own is not None else "",
        proved=proved,
        why=[*verdict.reasons, *(["nobody could show that he has it"] if proved is False else [])],
    )


def _entry(own: OwnVote) -> VoteEntry:
    vote = own.vote
    return VoteEntry(
        content_id=format_id(vote.content), name=own.name, opinion=_NAMES[vote.opinion], cast=float(vote.cast)
    )
