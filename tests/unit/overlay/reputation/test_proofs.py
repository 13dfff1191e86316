"""Who is asked to show what he offers, what is remembered of it, and that no search waits long for it."""

from __future__ import annotations

import asyncio
import random

from votes import content_of, key_of

from peerage.identity.address import Address
from peerage.lab.clock import run_virtual
from peerage.overlay.base import Holder
from peerage.overlay.reputation.possession import Possession
from peerage.overlay.reputation.proofs import Offer, Proof, ProofBook
from peerage.overlay.reputation.rules import PROOF_HITS, PROOF_HOLDERS, PROOF_LIFE


def holder(name: str, host: str = "10.0.0.1") -> Holder:
    return Holder(key_of(name).peer_id, (Address(host, 7411),))


def offer(*names: str, number: int = 1) -> Offer:
    return Offer(content_of(number), tuple(holder(name) for name in names))


def test_asked_are_few_of_different_subnets():
    crowd = tuple(holder(f"near {number}", f"20.0.0.{number}") for number in range(5))
    other = holder("far", "21.0.0.1")
    assert ProofBook().to_ask(Offer(content_of(1), (*crowd, other)), 0.0) == [crowd[0], crowd[1], other]
    assert len(ProofBook().to_ask(offer(*"abcdefg"), 0.0)) == PROOF_HOLDERS


def test_what_was_shown_or_not_is_remembered_for_a_while():
    book, offered = ProofBook(), offer("a", "b")
    assert book.sum_up(offered, 0.0).proved is None
    book.note(offered.content, offered.holders[0].peer_id, Proof.FAILED, 0.0)
    found = book.sum_up(offered, 0.0)
    assert (found.proved, found.failed) == (None, {offered.holders[0].peer_id})
    assert book.to_ask(offered, 0.0) == [offered.holders[1]]
    book.note(offered.content, offered.holders[1].peer_id, Proof.PROVED, 1.0)
    assert book.sum_up(offered, 1.0).proved is True
    assert book.to_ask(offered, 1.0) == []
    assert book.to_ask(offered, PROOF_LIFE + 2) == list(offered.holders)


def test_only_when_all_have_failed_nobody_has_it():
    book, offered = ProofBook(), offer("a", "b")
    for each in offered.holders:
        book.note(offered.content, each.peer_id, Proof.FAILED, 0.0)
    assert book.sum_up(offered, 0.0).proved is False
    assert book.sum_up(offer("a", "b", "c"), 0.0).proved is None
    assert book.sum_up(offer(), 0.0).proved is None


def test_silence_is_no_proof_of_anything():
    book, offered = ProofBook(), offer("a")
    book.note(offered.content, offered.holders[0].peer_id, Proof.SILENT, 0.0)
    assert book.to_ask(offered, 0.0) == list(offered.holders)
    assert book.sum_up(offered, 0.0).failed == frozenset()


def test_a_check_asks_until_one_has_shown_it_and_ends_in_time():
    asked: list[tuple[bytes, bytes]] = []
    answers = {key_of("liar").peer_id: Proof.FAILED, key_of("giver").peer_id: Proof.PROVED}

    async def prove(who: Holder, content: bytes) -> Proof:
        asked.append((who.peer_id, content))
        await asyncio.sleep(0.1 if who.peer_id in answers else 60)
        return answers.get(who.peer_id, Proof.SILENT)

    async def main(_rng: random.Random) -> None:
        possession, loop = Possession(prove), asyncio.get_running_loop()
        begun = loop.time()
        offers = [offer("liar", "giver", "third"), offer("liar", number=2), offer("sleeper", number=3)]
        offers += [offer("sleeper", number=number) for number in range(10, 30)]
        checked = await possession.check(offers, 2.0)
        assert loop.time() - begun == 2.0
        assert [each.proved for each in checked[:3]] == [True, False, None]
        assert checked[0].failed == checked[1].failed == {key_of("liar").peer_id}
        assert len(checked) == PROOF_HITS
        assert (key_of("third").peer_id, content_of(1)) not in asked
        before = len(asked)
        await possession.check(offers[:2], 2.0)
        assert len(asked) == before
        assert loop.time() - begun == 2.0

    run_virtual(main)
