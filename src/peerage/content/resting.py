"""What a download consists of, and how much of it is here, while it does not run: from the disk alone.

Invariant: it changes nothing and keeps nothing in memory, whatever there are of paused and finished downloads. What the
journal marks is believed, as far as nobody looked; a download that goes on checks the rest anew. All of it blocks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from peerage.content.bitmap import Bitmap
from peerage.content.choice import Plan, Rule, plan_of
from peerage.content.disk import open_folder, storing
from peerage.content.journal import Journal
from peerage.content.ledger import Ledger, PieceState
from peerage.content.manifest import PieceSpace
from peerage.content.picker import Priority
from peerage.content.placing import part_name_of
from peerage.content.status import Amount, DownloadState, Wanted

_HAVE: Final = bytes([PieceState.HAVE])


class Inside(NamedTuple):
    """What a download consists of, what is wanted of it, and the state of each piece, one byte each (`PieceState`)."""

    plan: Plan
    rules: Sequence[Rule]
    states: bytes


def inside_at_rest(encoded: bytes, wanted: Wanted, rules: Sequence[Rule], state: DownloadState) -> Inside:
    """Look into a download that does not run; raises StoreError, or RemoteError when its manifest is damaged."""
    plan = plan_of(wanted.content, encoded, wanted.target.name, wanted.only)
    return Inside(plan, rules, states_at_rest(plan, wanted, rules, state))


def bytes_here(space: PieceSpace, file: int, states: bytes) -> int:
    """Return how many bytes of a file are here: all its pieces are of one length, but the last."""
    pieces = space.pieces_of(file)
    if not pieces:
        return 0
    last = pieces[-1]
    whole = states.count(_HAVE, pieces.start, last) * space.length_of(pieces.start)
    return whole + (space.length_of(last) if states[last] == PieceState.HAVE else 0)


def amount_of(inside: Inside, rules: Sequence[Rule]) -> Amount:
    """Return how many bytes these rules want, and how many of them are here."""
    space, kept = inside.plan.space, inside.plan.choice.kept(rules)
    here = sum(bytes_here(space, file, inside.states) for file in kept)
    return Amount(sum(map(space.file_size, kept)), here)


def states_at_rest(plan: Plan, wanted: Wanted, rules: Sequence[Rule], state: DownloadState) -> bytes:
    """Return the state of each piece, one byte each (`PieceState`); raises StoreError when the disk refuses."""
    kept = plan.choice.kept(rules)
    if state is DownloadState.DONE:
        have = Bitmap(plan.space.count, (index for file in kept for index in plan.space.pieces_of(file)))
    else:
        have = _marked(plan, wanted)
    ledger = Ledger(plan.space, have)
    ledger.set_priorities(plan.choice.ranges(rules), Priority.NORMAL)
    return ledger.states()


def _marked(plan: Plan, wanted: Wanted) -> Bitmap:
    """Return the pieces that the journal beside the target marks."""
    target = wanted.target
    with storing(target):
        try:
            folder = open_folder(target.parent / part_name_of(target.name, wanted.content))
        except FileNotFoundError:
            return Bitmap(plan.space.count)
        try:
            return Journal(folder, wanted.content, plan.space.count).read()
        finally:
            os.close(folder)
