"""The numpy model against real nodes, at 10,000: messages for a query and success of each class, and by how much they differ.

Real nodes are those of the laboratory, asked as `peerage lab compare` asks, but settled at once where joining takes
most of the time: the mesh of `flood` is linked by bars/meshes.py; tables of the hash table are filled, and postings laid
down at the peers that are nearest, as a network has them that has settled (which is what the model is about). The model
runs ten times as many queries. `share` is how much larger the model's figure is; of success, in points.
"""

# ruff: noqa: SLF001 -- a network that has settled is put together from its parts

from __future__ import annotations

import random
import time
from typing import Any

import msgspec
import numpy as np
from bars.meshes import settle_mesh

from peerage.catalogue.record import encode
from peerage.lab.experiment import Experiment, Spec, run_experiment
from peerage.lab.fleet import run_here
from peerage.lab.generations import CHEAP_STAMPS, Dht, Generation
from peerage.lab.holdings import Held
from peerage.lab.member import Member
from peerage.lab.model.crosscheck import TOLERANCE, differences, model_of
from peerage.lab.model.local_runner import run_in_processes
from peerage.overlay.base import Overlay
from peerage.overlay.dht import DhtOverlay
from peerage.overlay.dht.contacts import SPACE, Contact, number_of
from peerage.overlay.dht.messages import Store
from peerage.overlay.dht.overlay import _words_of
from peerage.overlay.dht.records import Posting, Whereabouts, key_of_word
from peerage.overlay.dht.store import Publisher
from peerage.overlay.dht.words import words_to_post

_STILL = 86_400.0  # seconds between rounds of upkeep: the tables stay as they are
_RULES = msgspec.structs.replace(CHEAP_STAMPS, stamp_bits=0, upkeep=_STILL)
_MESH_SECONDS = 150.0
_ELECTED_SECONDS = 600.0  # until supernodes that were too many have stepped down, and each knows how many there are


class SettledDht(Dht):
    """The hash table without what finds out whether a node can be dialled, and without joining."""

    settle = 1.0

    def overlay(self, member: Member) -> Overlay:
        """Return the table as a node has it once it knows that it can be dialled."""
        return DhtOverlay(member.shelf, reachable=lambda: True, rules=_RULES)

    async def equip(self, member: Member) -> None:
        """Mount it; nothing is published by it."""
        member.overlay = self.overlay(member)
        await member.node.peer.mount(member.overlay)


class Settled(Experiment):
    """The usual experiment, of a network that is there at once."""

    def make_generation(self) -> Generation:
        """Return what the nodes are equipped with."""
        return SettledDht() if self.spec.generation == Dht.name else super().make_generation()

    async def _join(self) -> None:
        members = self.population.living()
        rng = random.Random(f"settled {self.spec.seed}")
        if self.spec.generation == Dht.name:
            table = Table(members, rng)
            table.fill()
            table.lay_down(members)
            await self.wait(1.0, "settling")
        elif self.spec.generation == "flood":
            await settle_mesh(members, rng)
            await self.wait(_MESH_SECONDS, "settling")
        else:
            await super()._join()


class Table:
    """All nodes in the order of their ids."""

    def __init__(self, members: list[Member], rng: random.Random) -> None:
        self._rng = rng
        self._members = sorted(members, key=lambda member: member.node.peer.peer_id)
        self._numbers = [number_of(member.node.peer.peer_id) for member in self._members]
        self._heads = np.array([number >> 192 for number in self._numbers], dtype=np.uint64)

    def fill(self) -> None:
        """Give every node full buckets, and the right idea of how many there are."""
        contacts = [Contact(member.node.peer.peer_id, (member.node.address,)) for member in self._members]
        for at, member in enumerate(self._members):
            assert isinstance(member.overlay, DhtOverlay)
            inner, size = member.overlay._node, member.overlay.rules.bucket
            low, high = 0, len(contacts)
            for bit in range(255, -1, -1):
                pivot = ((self._numbers[at] >> bit) | 1) << bit
                middle = low + int(np.searchsorted(self._heads[low:high], np.uint64(pivot >> 192)))
                others, (low, high) = (
                    ((middle, high), (low, middle)) if at < middle else ((low, middle), (middle, high))
                )
                count = others[1] - others[0]
                for each in range(*others) if count <= size else self._rng.sample(range(*others), size):
                    inner.table.add(contacts[each], inner.now())
                if high - low <= 1:
                    break
            step = SPACE // len(contacts)
            inner.size.note_home([step * rank for rank in range(1, size + 1)], inner.now())
            member.overlay._upkeep._joined_at = inner.now()

    def lay_down(self, members: list[Member]) -> None:
        """Have everybody's postings kept by those who are nearest, as publishing does."""
        where = {}
        for member in members:
            key, overlay = member.node.peer.key, member.overlay
            assert isinstance(overlay, DhtOverlay)
            now = member.node.clock.time()
            signed = Whereabouts.sign(key, member.node.peer.addresses[:1], int(now + overlay.rules.life))
            sender = Publisher(member.node.peer.peer_id, "", member.node.address.host)
            for record in member.held.records():
                overlay._counted.learn(_words_of(record))
                for word in words_to_post(record, overlay._rarity, overlay.rules.words):
                    at = key_of_word(word)
                    if at not in where:
                        where[at] = self._keepers(at)
                    message = Store(signed, postings=(Posting(at, encode(record), 0),))
                    for keeper in where[at]:
                        keeper.overlay._node.keeper.take(message, sender, key.public_key, now)  # type: ignore[attr-defined]

    def _keepers(self, key: bytes) -> list[Member]:
        rules = CHEAP_STAMPS
        far = self._heads ^ np.uint64(number_of(key) >> 192)
        order = np.argsort(far)[: rules.region_max]
        inside = int((far <= np.uint64(rules.region * (2**64 // len(self._heads)))).sum())
        return [self._members[at] for at in order[: min(rules.region_max, max(rules.region_min, inside))].tolist()]


def check(generation: str, seed: int, peers: int, queries: int) -> dict[str, Any]:
    """Run both, and compare."""
    begun = time.process_time()
    settle = _ELECTED_SECONDS if generation == "supernode" else 0.0
    spec = Spec(generation=generation, seed=seed, peers=peers, queries=queries, settle=settle, quiet=5.0)
    real = run_experiment(spec, lambda _step, _share: None, Settled)
    [model] = run_in_processes([model_of(spec)], 1, lambda jobs, _at_once: run_here(jobs, lambda _told: None), 1)
    sheet: dict[str, Any] = {}
    for kind in (Held.POPULAR, Held.RARE, Held.SINGLE):
        one, other = real.of(kind), model.of(kind)
        assert one is not None
        assert other is not None
        sheet[str(kind)] = {
            "queries": one.queries,
            "real": {"success": one.success, "messages": one.messages},
            "model": {"success": other.success, "messages": other.messages},
            "messages_share": other.messages / one.messages - 1,
            "success_points": other.success - one.success,
        }
    found = [each for each in differences([real], [model]) if each.promised]
    sheet["worst"] = max(abs(each.share) for each in found)
    sheet["within"] = sum(abs(each.share) <= TOLERANCE for each in found)
    sheet["compared"] = len(found)
    return {**sheet, "cpu_seconds": round(time.process_time() - begun, 1)}


def measure(seed: int, peers: int = 10_000, queries: int = 90) -> dict[str, Any]:
    """Check the hash table."""
    return check("dht", seed, peers, queries)
