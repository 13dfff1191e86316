"""A thousand real peers in virtual time: they find their places, what searches find and cost, and what a loss does.

A third of the peers cannot be dialled, links take 50 to 130 ms.
"""

from __future__ import annotations

import pytest

from peerage.lab.experiment import Experiment, Spec, run_experiment
from peerage.lab.holdings import Held
from peerage.overlay.supernode import Role

SPEC = Spec(generation="supernode", seed=3, peers=1000, queries=36, nat=0.33, joining=40.0, settle=70.0, quiet=5.0)
pytestmark = pytest.mark.timeout(900)  # a minute of processor time, on a machine that may do much else

SMALL = Spec(generation="supernode", seed=5, peers=60, queries=6, nat=0.3, joining=20.0, settle=60.0, quiet=5.0)


class LosingSupernodes(Experiment):
    """After the usual searches every fourth supernode vanishes, and people go on searching."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.settled = []
        self.lost = 0
        self.outcomes = []

    async def strike(self):
        self.settled = [(member.overlay.role, member.overlay.supernodes) for member in self.population.living()]

    async def ask(self, kind, number):
        outcomes = await super().ask(kind, number)
        if kind is Held.SINGLE:
            await self.lose()
            self.outcomes = await super().ask(kind, number)
        return outcomes

    async def lose(self):
        supernodes = [member for member in self.population.living() if member.overlay.role is Role.SUPERNODE]
        for member in supernodes[::4]:
            self.lost += 1
            await self.population.leave(member, silently=True)


@pytest.fixture(scope="module")
def world():
    made = []

    def make(*arguments):
        made.append(LosingSupernodes(*arguments))
        return made[0]

    result = run_experiment(SPEC, lambda *_: None, make)
    return made[0], {kind.kind: kind for kind in result.kinds}


def test_a_thousand_peers_find_their_places(world):
    experiment, _ = world
    roles = [role for role, _ in experiment.settled]
    assert roles.count(Role.IDLE) <= 5
    assert 15 <= roles.count(Role.SUPERNODE) <= 100
    leaves = [links for role, links in experiment.settled if role is Role.LEAF]
    assert sum(links == 3 for links in leaves) >= 0.98 * len(leaves)


def test_what_is_common_rare_or_single_is_found_soon_and_for_little(world):
    _, kinds = world
    assert kinds[Held.POPULAR].success == 1.0
    assert kinds[Held.POPULAR].messages < 100
    assert kinds[Held.RARE].success >= 0.95
    assert kinds[Held.SINGLE].success >= 0.9
    for kind in kinds.values():
        assert kind.first is not None
        assert kind.first.p50 < 1.0


def test_the_loss_of_supernodes_is_not_noticed(world):
    experiment, _ = world
    assert experiment.lost >= 4
    assert len(experiment.outcomes) >= 12
    assert sum(outcome.found for outcome in experiment.outcomes) >= 0.9 * len(experiment.outcomes)


def test_the_same_seed_gives_the_same_run():
    one, other = (run_experiment(SMALL, lambda *_: None) for _ in range(2))
    assert one.digest == other.digest
    assert one.deliveries > 5_000
