"""The model against real nodes with the same parameters: they agree on messages and success."""

from __future__ import annotations

import pytest

from peerage.lab.experiment import Spec, run_experiment
from peerage.lab.model.crosscheck import TOLERANCE, differences, model_of
from peerage.lab.model.shards import in_silence, run_here


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("generation", "peers", "queries"), [("index-1999", 1000, 60), ("flood", 100, 90)])
def test_real_nodes_and_the_model_agree(generation: str, peers: int, queries: int) -> None:
    spec = Spec(generation=generation, peers=peers, queries=queries)

    found = differences([run_experiment(spec, in_silence)], [run_here(model_of(spec))])

    promised = [each for each in found if each.promised]
    assert len(promised) == 6
    assert [each for each in promised if abs(each.share) > TOLERANCE] == []
    assert all(abs(each.share) < 0.25 for each in found)


def test_a_difference_is_seen_and_marked() -> None:
    spec = Spec(generation="index-1999", peers=200, queries=9)
    one = run_here(model_of(spec))
    other = run_here(model_of(Spec(generation="flood", peers=200, queries=9)))

    same, apart = differences([one], [one]), differences([one], [other])

    assert all(each.agrees and not each.share for each in same)
    messages = next(each for each in apart if each.figure == "messages-rare")
    assert messages.share == pytest.approx(other.kinds[1].messages / 3 - 1)
    assert not messages.agrees
