"""One walk towards a point: whom to ask next, and when it is over (Kademlia, with the disjoint paths of S/Kademlia).

Every peer belongs to the path on which it was first heard of, and is asked at most once. A path goes on until its own
nearest peers have answered, and the walk until the nearest of all have; so one path that is led astray by liars costs
time, not the result. Whoever names three peers of which none answers is not believed any more.
Invariant: no path has more than its share of `parallel` questions waiting, and never more than `walk_questions` are
asked; what is remembered is bounded, in all and for each subnet. Pure: answers are told to it, time is an argument.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum

from peerage.identity.keys import PeerId
from peerage.overlay.dht.contacts import Contact, number_of, subnet_of
from peerage.overlay.dht.rules import DhtRules

_LIES = 3  # peers that somebody named and that do not answer, while none of the others does


class _State(IntEnum):
    WAITING = 0
    ASKED = 1
    ANSWERED = 2
    GONE = 3


class _Candidate:
    """A peer that this walk has heard of."""

    __slots__ = ("bad", "contact", "depth", "distance", "good", "path", "serving", "source", "state")

    def __init__(self, contact: Contact, distance: int, path: int, source: _Candidate | None) -> None:
        self.contact = contact
        self.distance = distance
        self.path = path
        self.source = source
        self.depth: int = 1 if source is None else source.depth + 1
        self.state = _State.WAITING
        self.serving = True
        self.good = 0  # of the peers it named: how many answered
        self.bad = 0

    def __lt__(self, other: _Candidate) -> bool:
        return self.distance < other.distance

    @property
    def is_liar(self) -> bool:
        return self.bad >= _LIES and not self.good


class _Path:
    """One of the disjoint ways: its candidates that are not gone, the nearest first."""

    __slots__ = ("asked", "ranked")

    def __init__(self) -> None:
        self.ranked: list[_Candidate] = []
        self.asked = 0  # questions that wait for an answer


class LookupPlan:
    """What a walk is for: `enough` nearest peers must have answered, on how many paths, and by when."""

    __slots__ = ("deadline", "enough", "paths")

    def __init__(self, enough: int, paths: int, deadline: float) -> None:
        self.enough = enough
        self.paths = paths
        self.deadline = deadline


class Lookup:
    """One walk of this node towards `target`."""

    def __init__(self, target: int, own: PeerId, plan: LookupPlan, rules: DhtRules) -> None:
        self.target = target
        self.questions = 0
        self._rules = rules
        self._plan = plan
        self._own = own
        self._known: dict[PeerId, _Candidate] = {}
        self._ranked: list[_Candidate] = []  # all that are not gone, the nearest first
        self._paths = [_Path() for _ in range(plan.paths)]
        self._subnets: Counter[str] = Counter()
        self._turn = 0

    # --- whom to ask ------------------------------------------------------------------------------------------------

    def begin(self, seeds: Iterable[Contact]) -> None:
        """Start with these peers, dealt out to the paths in turn."""
        for number, contact in enumerate(seeds):
            self._hear(contact, number % len(self._paths), None)

    def next(self, now: float) -> list[Contact]:
        """Return whom to ask now; nobody when all places are taken or nobody is worth it."""
        chosen: list[Contact] = []
        if now >= self._plan.deadline:
            return chosen
        idle = 0
        while idle < len(self._paths) and self.questions < self._rules.walk_questions:
            self._turn = (self._turn + 1) % len(self._paths)
            candidate = self._choose(self._turn)
            if candidate is None:
                idle += 1
                continue
            idle = 0
            candidate.state = _State.ASKED
            self._paths[self._turn].asked += 1
            self.questions += 1
            chosen.append(candidate.contact)
        return chosen

    @property
    def waiting(self) -> int:
        """How many questions wait for an answer."""
        return sum(path.asked for path in self._paths)

    # --- what came back ---------------------------------------------------------------------------------------------

    def answered(self, peer_id: PeerId, contacts: Iterable[Contact], *, serving: bool = True) -> int:
        """Take an answer; `serving`: whether that peer keeps records. Returns how many links of talk away it is."""
        candidate = self._end(peer_id)
        if candidate is None:
            return 0
        candidate.state = _State.ANSWERED
        candidate.serving = serving
        if candidate.source is not None:
            candidate.source.good += 1
        if not serving:
            self._unrank(candidate)
        for contact in contacts:
            self._hear(contact, candidate.path, candidate)
        return candidate.depth

    def unheard(self, contacts: Iterable[Contact]) -> list[Contact]:
        """Return those of some contacts that this walk does not know yet."""
        return [each for each in contacts if each.peer_id not in self._known]

    def failed(self, peer_id: PeerId) -> None:
        """No answer came, or a false one."""
        candidate = self._end(peer_id)
        if candidate is None:
            return
        candidate.state = _State.GONE
        self._unrank(candidate)
        source = candidate.source
        if source is not None:
            source.bad += 1
            if source.is_liar:
                self._forget_named_by(source)

    # --- what was found ---------------------------------------------------------------------------------------------

    def closest(self, count: int) -> list[Contact]:
        """Return the peers nearest to the target that have answered and keep records, the nearest first."""
        found = (each.contact for each in self._ranked if each.state is _State.ANSWERED)
        return [contact for contact, _ in zip(found, range(count), strict=False)]

    def known(self, radius: int, least: int, most: int) -> list[Contact]:
        """Return the peers within `radius`, but the `least` nearest in any case, that were not found to be gone."""
        inside = bisect_left(self._ranked, radius, key=_distance)
        return [each.contact for each in self._ranked[: min(most, max(least, inside))]]

    def distances(self, count: int) -> list[int]:
        """Return the distances of `closest`."""
        found = (each.distance for each in self._ranked if each.state is _State.ANSWERED)
        return [distance for distance, _ in zip(found, range(count), strict=False)]

    @property
    def rounds(self) -> int:
        """How many answers, one after the other, led to the farthest peer that answered."""
        return max((each.depth for each in self._known.values() if each.state is _State.ANSWERED), default=0)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _hear(self, contact: Contact, path: int, source: _Candidate | None) -> None:
        peer_id = contact.peer_id
        if peer_id in self._known or peer_id == self._own:
            return
        distance = number_of(peer_id) ^ self.target
        if len(self._known) >= self._rules.walk_known and not self._make_room(distance):
            return
        subnet = subnet_of(contact)
        if subnet:
            if self._subnets[subnet] >= self._rules.walk_subnet:
                return
            self._subnets[subnet] += 1
        candidate = _Candidate(contact, distance, path, source)
        self._known[peer_id] = candidate
        insort(self._ranked, candidate)
        insort(self._paths[path].ranked, candidate)

    def _make_room(self, distance: int) -> bool:
        """Forget the farthest peer if it is farther than that and was not asked."""
        last = self._ranked[-1] if self._ranked else None
        if last is None or last.state is not _State.WAITING or last.distance <= distance:
            return False
        self._unrank(last)
        del self._known[last.contact.peer_id]
        subnet = subnet_of(last.contact)
        if subnet:
            self._subnets[subnet] -= 1
        return True

    def _choose(self, number: int) -> _Candidate | None:
        """Return the nearest peer of a path that is worth a question and was not asked yet."""
        path = self._paths[number]
        if path.asked >= max(1, -(-self._rules.parallel // len(self._paths))):
            return None
        last = self._ranked[min(self._plan.enough, len(self._ranked)) - 1].distance if self._ranked else 0
        for rank, candidate in enumerate(path.ranked):
            if rank >= self._rules.path_end and candidate.distance > last:
                return None
            if candidate.state is _State.WAITING:
                return candidate
        return None

    def _end(self, peer_id: PeerId) -> _Candidate | None:
        candidate = self._known.get(peer_id)
        if candidate is None or candidate.state is not _State.ASKED:
            return None
        self._paths[candidate.path].asked -= 1
        return candidate

    def _unrank(self, candidate: _Candidate) -> None:
        for ranked in (self._ranked, self._paths[candidate.path].ranked):
            at = bisect_left(ranked, candidate)
            if at < len(ranked) and ranked[at] is candidate:
                del ranked[at]

    def _forget_named_by(self, liar: _Candidate) -> None:
        """Ask none of the others that a liar named; what it said of itself still counts."""
        for candidate in self._known.values():
            if candidate.source is liar and candidate.state is _State.WAITING:
                candidate.state = _State.GONE
                self._unrank(candidate)


def _distance(candidate: _Candidate) -> int:
    return candidate.distance
