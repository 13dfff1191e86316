"""Spoofing: hostile nodes answer everything in the name of others, with records that those never signed.

Against it: records are signed by their holder, an answer straight from a peer must be its own, and askers check both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from peerage.catalogue.query import Query, Words
from peerage.catalogue.record import Description, Record, Visibility, decode
from peerage.catalogue.record_finder import Audience
from peerage.errors import ForgedError, ProtocolError
from peerage.identity.keys import PeerKey
from peerage.lab.attacks.attack import Attack, Extra
from peerage.lab.attacks.holes import hole
from peerage.lab.holdings import Item
from peerage.lab.member import Member
from peerage.overlay.base import Hit
from peerage.overlay.checks import Refused, check_hit, check_record


class ForgingShelf:
    """Whatever is asked for, "somebody else has it"; the signature is made up."""

    def __init__(self, victim: bytes) -> None:
        self._victim = victim

    async def find(self, query: Query, limit: int, audience: Audience) -> Sequence[Record]:  # noqa: ARG002 -- it lies to all
        """Return a record that fits the query and was signed by nobody."""
        words = [word for term in query.terms() if isinstance(term, Words) for word in term.words]
        described = Description(
            content=bytes(32), name=f"{' '.join(words) or 'free'}.exe", size=1, mime="application/octet-stream"
        )
        return [Record.draft(self._victim, described)]

    async def visibility(self, content_id: bytes) -> Visibility | None:  # noqa: ARG002 -- it has everything
        """Claim to have it."""
        return Visibility.PUBLIC

    def fetching(self) -> Iterable[bytes]:
        """Return nothing."""
        return ()


def believe_record(raw: bytes, sender: bytes | None) -> Record | Refused:  # noqa: ARG001 -- that is the hole
    """Take any record from anybody (in the place of checks.check_record)."""
    try:
        return decode(raw)
    except ProtocolError:
        return Refused.MALFORMED


def believe_hit(raw: bytes, sender: bytes | None, query: Query) -> Record | Refused:
    """Take any record that fits (in the place of checks.check_hit)."""
    record = believe_record(raw, sender)
    return record if isinstance(record, Refused) or query.matches(record) else Refused.OFF_TOPIC


class Spoof(Attack):
    """A fifth of the peers claim that others hold what was asked for."""

    name = "spoof"
    about = "hostile peers answer every search with records in the name of others"
    defence = "records are signed by their holder, and whoever asks checks it"
    overlays = ("flood", "flood-2001")

    _shown = 0
    _forged = 0

    def turn(self, member: Member) -> None:
        """Give it a shelf of lies."""
        member.shelf = ForgingShelf(PeerKey.from_seed(b"somebody who signed none of that").public_key)

    @classmethod
    @contextmanager
    def without_defence(cls) -> Iterator[None]:
        """Let everything pass that looks like a record."""
        with hole(check_record, believe_record), hole(check_hit, believe_hit):
            yield

    def note_hit(self, member: Member, item: Item, hit: Hit) -> None:
        """Check, as the node should have done."""
        del member, item
        self._shown += 1
        try:
            hit.record.verify()
        except ForgedError:
            self._forged += 1

    def extras(self) -> list[Extra]:
        """Return how many lies people were shown."""
        return [Extra("forged, of all hits shown", self._forged / self._shown if self._shown else None)]
