"""Whole experiments in small worlds: they find what can be found, count what it costs, and run the same way each time."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from peerage.errors import LocalError
from peerage.lab.experiment import Spec, run_experiment
from peerage.lab.generations import GENERATIONS, Generation
from peerage.lab.holdings import Held
from peerage.overlay.flood import FloodOverlay

SMALL = Spec(peers=40, queries=9, joining=10.0, settle=20.0, quiet=35.0, rate=2.0)


def run(**changes):
    steps = []
    result = run_experiment(msgspec.structs.replace(SMALL, **changes), lambda step, share: steps.append((step, share)))
    assert all(0 <= share <= 1 for _, share in steps)
    assert {"building", "joining", "settling", "quiet"} <= {step for step, _ in steps}
    return result


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation_finds_most_things_in_a_small_world(generation):
    result = run(generation=generation, settle=0.0)
    assert sum(each.queries for each in result.kinds) == SMALL.queries
    assert sum(each.success * each.queries for each in result.kinds) >= 7
    assert result.of(Held.POPULAR).messages > 1
    assert result.of(Held.POPULAR).bytes > 100
    assert 0.05 < result.of(Held.POPULAR).first.p50 < 5
    assert result.of(Held.SINGLE).hits <= 3
    assert result.components == (1 if GENERATIONS[generation].mesh else None)
    assert 0 < result.load.mean <= result.load.busiest
    assert 0 < result.state_bytes.mean <= result.state_bytes.busiest
    assert (result.upkeep.bytes > 0) == GENERATIONS[generation].mesh  # who has no neighbours says nothing when idle
    assert result.join.messages > 1
    assert result.links.mean >= 1 or not GENERATIONS[generation].mesh


def test_plain_flooding_reaches_everybody_over_every_link():
    result = run(generation="flood-2001")
    over_links = result.links.mean * SMALL.peers - SMALL.peers + 1  # each node sends it to all but who sent it
    for each in result.kinds:
        assert over_links <= each.messages <= over_links + 2 * 7 * each.hits


PROBE = (
    "from peerage.lab.experiment import Spec, run_experiment;"
    "import sys;"
    "spec = Spec(peers=16, queries=3, joining=5.0, settle=10.0, quiet=5.0, churn=20.0, nat=0.2, lines='home',"
    " generation=sys.argv[1], seed=int(sys.argv[2]));"
    "print(run_experiment(spec, lambda *_: None).digest)"
)


def digest(generation: str, seed: int, hashing: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hashing}
    command = [sys.executable, "-c", PROBE, generation, str(seed)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("generation", GENERATIONS)
def test_same_specification_same_trace_whatever_python_hashes(generation):
    assert digest(generation, 5, "1") == digest(generation, 5, "2")


def test_another_seed_is_another_world():
    assert digest("index-1999", 5, "1") != digest("index-1999", 6, "1")


def test_an_overlay_of_ones_own_takes_part(monkeypatch):
    class Mine(Generation):
        name = "mine"
        title = "what I have thought of"
        codes = frozenset({b"QUER", b"HITS"})

        def overlay(self, member):
            return FloodOverlay(member.shelf, links=member.membership.active)

    monkeypatch.setitem(GENERATIONS, "mine", Mine)
    result = run(generation="mine")
    assert result.generation == "mine"
    assert result.of(Held.POPULAR).success == 1


def test_searches_work_while_peers_come_and_go():
    result = run(churn=30.0, queries=15, sessions="exponential")
    assert sum(each.success * each.queries for each in result.kinds) >= 8


def test_a_world_with_slow_lines_and_nats_works():
    result = run(lines="2002", nat=0.5)
    assert sum(each.success * each.queries for each in result.kinds) >= 6


@pytest.mark.parametrize(
    "wrong",
    [{"peers": 1}, {"peers": 10**7}, {"queries": 2}, {"nat": 1.0}, {"churn": -1.0}, {"rate": 0.0}, {"generation": "x"}],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(LocalError):
        Spec(**wrong)
