"""Against pollution and Sybils: signed votes, weighed by how they agree with one's own, and proofs of possession."""

from peerage.overlay.reputation.reputation import OwnVote, Reputation
from peerage.overlay.reputation.rules import ReputationRules
from peerage.overlay.reputation.store import VoteStore
from peerage.overlay.reputation.verdict import Standing, Verdict
from peerage.overlay.reputation.vote import Opinion, Vote

__all__ = ["Opinion", "OwnVote", "Reputation", "ReputationRules", "Standing", "Verdict", "Vote", "VoteStore"]
