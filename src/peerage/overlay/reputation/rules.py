"""The bounds and numbers of votes and proofs, each with its reason, and those of a node in one struct.

Invariant: all nodes of a network should have the same `life` and `stamp_bits`; the other numbers are each node's own
business. Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

VOTE_LIFE: Final = 15_552_000.0  # seconds that a vote counts: half a year, then what was fake may long have gone
VOTE_SKEW: Final = 3600.0  # seconds that clocks may differ
VOTE_STAMP_BITS: Final = 14  # of work in each vote: some hundredths of a second, and a million Sybils' votes cost days
VOTES_KEPT: Final = 20_000  # of others, some 10 MiB; those of strangers give way first, the oldest before the others
VOTES_PER_VOTER: Final = 1000  # nobody judges more; one key cannot take the place of all others
VOTES_PER_CONTENT: Final = 256  # kept about one content
VOTES_SENT: Final = 10  # votes in one round of gossip to a neighbour
VOTES_INTERVAL: Final = 5.0  # seconds between two rounds while there is news, as in Tribler; without news there is none
VOTES_WAITING: Final = 500  # votes that wait to be passed on; those that came farthest give way
VOTE_HOPS: Final = 6  # links that a vote travels by gossip: a well-knit network of ten thousand is no wider
VOTES_RATE: Final = (
    3.0  # votes a second that one link may bring, and how many at once: a little above what honest ones send
)
VOTES_BURST: Final = 60.0
VOTES_TOLD: Final = 200  # votes in one answer: 36 KiB
VOTES_TOLD_EACH: Final = 24  # of one content in it
VOTES_ASKED: Final = 64  # contents in one question
VOTE_QUESTIONS_RATE: Final = 2.0  # questions for votes a second that one link may bring, and how many at once
VOTE_QUESTIONS_BURST: Final = 20.0
VOTE_LINKS_ASKED: Final = 8  # peers asked what they know of the contents of one search
VOTE_ASK_SECONDS: Final = 1.5  # for their answers: the list of hits is there already and only gets better
VOTE_ASK_PAUSE: Final = 60.0  # seconds before the same content is asked about again
VOTE_COMMON: Final = 5  # contents that two must both have voted on before their votes are compared
VOTE_CORRELATION: Final = 0.5  # correlation below which it is taken for chance (Credence)
VOTE_DAMPING: Final = 0.5  # of the weight of who agrees with those who agree with the owner (Credence)
VOTE_COMPARED: Final = 32  # of those, the best, through whom others are judged
PROOF_HITS: Final = 10  # contents of one search that are checked for whether anybody really has them
PROOF_HOLDERS: Final = 3  # holders of each that are asked until one has proved it
PROOF_SECONDS: Final = 2.0  # for all of them together
PROOF_LIFE: Final = 1800.0  # seconds that a proof, or a failure to give one, counts
PROOF_BYTES: Final = 1024 * 1024  # of a manifest that is fetched for it: files up to 16 GiB; larger ones stay unproved
PROOFS_KEPT: Final = 2000  # holders and contents whose proof is remembered


class ReputationRules(msgspec.Struct, frozen=True, kw_only=True):
    """What one node keeps, sends and believes; times in seconds."""

    life: float = VOTE_LIFE
    skew: float = VOTE_SKEW
    stamp_bits: int = VOTE_STAMP_BITS
    kept: int = VOTES_KEPT
    per_voter: int = VOTES_PER_VOTER
    per_content: int = VOTES_PER_CONTENT
    # gossip and questions
    sent: int = VOTES_SENT
    interval: float = VOTES_INTERVAL
    waiting: int = VOTES_WAITING
    hops: int = VOTE_HOPS
    rate: float = VOTES_RATE
    burst: float = VOTES_BURST
    question_rate: float = VOTE_QUESTIONS_RATE
    question_burst: float = VOTE_QUESTIONS_BURST
    links_asked: int = VOTE_LINKS_ASKED
    ask_seconds: float = VOTE_ASK_SECONDS
    ask_pause: float = VOTE_ASK_PAUSE
    # who is believed
    common: int = VOTE_COMMON
    correlation: float = VOTE_CORRELATION
    damping: float = VOTE_DAMPING
    compared: int = VOTE_COMPARED
    chance: float = 2.7  # chi square, one degree of freedom: agreement that chance gives in one case of twenty
    shrink: float = 2.0  # so many contents in common count as half of the evidence: five agree easily
    # what follows
    voices: float = 2.0  # strongest voices of one subnet that count: addresses there are cheap to have
    contrary: float = 0.5  # all that liars add by saying the opposite: else who lies always could be used to hide
    other_name: float = 0.5  # of a vote that was cast under another name of the content
    malware: float = 2.0  # a false alarm costs a look, a missed one a computer
    hide: float = 1.0  # surplus of weight against a content that hides it: one friend, or two strangers who agree
    warn: float = 0.4  # and that makes it suspect


DEFAULT_RULES = ReputationRules()
