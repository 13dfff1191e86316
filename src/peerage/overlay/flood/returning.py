"""The way back: answers of others, handed to the search that asked or to the link that the question came from.

Invariant: what is passed on is a record, public, and from its holder as far as that can be seen; each answer counts its
links, and its addresses are places that may be dialled. A relay checks no signatures: the asker does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from peerage.catalogue.record import Visibility
from peerage.identity.keys import PeerId
from peerage.overlay.checks import Refused, check_record
from peerage.overlay.flood.asking import Answer, Arrived, Asking
from peerage.overlay.flood.audit import Audit
from peerage.overlay.flood.messages import HolderFound, RecordsFound
from peerage.overlay.flood.sending import Sender
from peerage.overlay.flood.state import AnswerSize, Dropped, FloodState, Passage
from peerage.overlay.reach import reachable
from peerage.peer.connection import PeerConnection
from peerage.wire.message import encode

AnswerT = TypeVar("AnswerT", RecordsFound, HolderFound)


class ReturnPath:
    """Takes the answers that come over the links of one overlay; `asking` are this node's questions, by id."""

    def __init__(self, state: FloodState, sender: Sender, audit: Audit, asking: Mapping[bytes, Asking[Any]]) -> None:
        self._audit = audit
        self._state = state
        self._sender = sender
        self._asking = asking
        self._direct = sender.family.direct

    def on_records(self, connection: PeerConnection, message: RecordsFound) -> None:
        """Take records."""
        if not message.hops and self._audit.take_answer(message.question_id, connection.peer_id, self._now()):
            self._sender.refuse(Refused.FORGED)
            return
        size = len(encode(message))
        passage = self._pass(connection, message, AnswerSize(message.hops, len(message.records), size))
        if passage is None or not self._is_believed(connection, message):
            return
        sender = self._holder(connection, message)
        records = message.records[: passage.hits]
        if passage.back is not None:
            records = tuple(raw for raw in records if self._is_relayable(raw, sender))
        if not records:
            return
        onward = msgspec.structs.replace(self._one_hop_on(connection, message), records=records)
        self._pass_on(passage.back, Arrived(onward, connection.peer_id, sender, size))

    def on_holder(self, connection: PeerConnection, message: HolderFound) -> None:
        """Take the word that somebody has a content."""
        size = len(encode(message))
        passage = self._pass(connection, message, AnswerSize(message.hops, 1, size))
        if passage is None:
            return
        sender = self._holder(connection, message)
        if sender is not None and message.peer_id != connection.peer_id:
            self._sender.refuse(Refused.FOREIGN)
        elif message.private and (sender is None or passage.back is not None):
            self._sender.refuse(Refused.PRIVATE)
        else:
            onward = self._one_hop_on(connection, message)
            self._pass_on(passage.back, Arrived(onward, connection.peer_id, sender, size))

    def _pass(self, connection: PeerConnection, message: Answer, size: AnswerSize) -> Passage | None:
        verdict = self._state.take_answer(message.question_id, connection.peer_id, size, self._now())
        if isinstance(verdict, Dropped):
            self._sender.drop(f"answer-{verdict}")
            return None
        return verdict

    def _is_believed(self, connection: PeerConnection, message: RecordsFound) -> bool:
        """Count what a peer answers itself; False for one that was caught answering what has no answer."""
        if message.hops:
            return True
        self._audit.note_answered(connection.peer_id)
        if self._audit.is_liar(connection.peer_id, self._now()):
            self._sender.refuse("liar")
            return False
        return True

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _holder(self, connection: PeerConnection, message: Answer) -> bytes | None:
        """Return the key of the peer at the other end when it speaks for itself."""
        return connection.public_key if self._direct and not message.hops else None

    def _one_hop_on(self, connection: PeerConnection, message: AnswerT) -> AnswerT:
        """Count the link, and keep of the addresses what may be dialled."""
        addresses = reachable(message.addresses, connection.remote, first_hop=not message.hops)
        return msgspec.structs.replace(message, hops=message.hops + 1, addresses=addresses)

    def _is_relayable(self, raw: bytes, sender: bytes | None) -> bool:
        record = check_record(raw, sender)
        if not isinstance(record, Refused) and record.visibility is not Visibility.PUBLIC:
            record = Refused.PRIVATE
        if isinstance(record, Refused):
            self._sender.refuse(record)
            return False
        return True

    def _pass_on(self, back: PeerId | None, arrived: Arrived) -> None:
        if back is not None:
            if self._sender.give(back, encode(arrived.answer)):
                self._sender.count("answers_relayed")
            return
        asking = self._asking.get(arrived.answer.question_id)
        if asking is None or not asking.offer(arrived):
            self._sender.drop(f"answer-{Dropped.ENOUGH}")
