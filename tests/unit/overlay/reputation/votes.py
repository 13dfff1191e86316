"""What the tests of votes share: voters, contents, and signed votes without work."""

from __future__ import annotations

from blake3 import blake3

from peerage.identity.keys import PeerKey
from peerage.overlay.reputation.ballots import Ballots, Told
from peerage.overlay.reputation.rules import ReputationRules
from peerage.overlay.reputation.vote import Ballot, Opinion, Vote, cast, vote_subject
from peerage.overlay.stamps import find_stamp

NOW = 1_790_000_000.0
RULES = ReputationRules(stamp_bits=1)
GOOD, FAKE, MALWARE = Opinion.GOOD, Opinion.FAKE, Opinion.MALWARE


def key_of(name: str) -> PeerKey:
    return PeerKey.from_seed(blake3(name.encode()).digest())


def content_of(number: int | str) -> bytes:
    return blake3(f"content {number}".encode()).digest()


def stamp_of(key: PeerKey, content: bytes, bits: int = 1) -> int:
    stamp = find_stamp(vote_subject(key.public_key, content), bits, range(1 << 20))
    assert stamp is not None
    return stamp


def vote(voter: str, number: int | str, opinion: Opinion = GOOD, at: float = NOW, name: str = "a song") -> Vote:
    key, content = key_of(voter), content_of(number)
    return cast(key, Ballot(content, name, opinion), stamp_of(key, content), at)


def told(voter: str, number: int | str, opinion: Opinion = GOOD, at: float = NOW, subnet: str = "") -> Told:
    return Told(vote(voter, number, opinion, at), subnet)


def fill(ballots: Ballots, voter: str, said: str, first: int = 0, subnet: str = "") -> None:
    """Let a voter say + or - of contents, one after the other; a space says nothing."""
    for number, sign in enumerate(said, first):
        if sign != " ":
            assert ballots.put(told(voter, number, GOOD if sign == "+" else FAKE, subnet=subnet), NOW)
