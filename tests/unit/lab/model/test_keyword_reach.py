"""What the model says of keyword tables is what real tables, made of the same numbers, say."""

from __future__ import annotations

import pytest

from peerage.lab.model.contents import Contents
from peerage.lab.model.keyword_tables import KeywordTables
from peerage.lab.model.meshes import mesh
from peerage.lab.model.randomness import source
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.workload import Workload
from peerage.overlay.keywords import KeywordBag, KeywordTable, Need, merged

SPEC = ModelSpec(peers=400, queries=60)


def real_table(contents: Contents, tables: KeywordTables, peer: int) -> KeywordTable:
    """A real table of what a peer holds; kinds of files, which no query has, make it as large as it would be."""
    bag = KeywordBag()
    for item in contents.items_of.row(peer):
        bag.add(tables.number_of(int(word)) for word in contents.words[item])
        bag.add([tables.locator_of(int(item))])
    return bag.table()


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_tables_say_what_real_ones_do(depth: int) -> None:
    contents = Contents(SPEC)
    workload = Workload(SPEC, contents)
    network = mesh(source(SPEC.seed, "network"), workload.alive)
    tables = KeywordTables(contents, network, depth)
    own = [real_table(contents, tables, peer) for peer in range(SPEC.peers)]
    around = [merged(own[other] for other in network.row(peer)) for peer in range(SPEC.peers)]

    more = less = right = 0
    for query in workload.queries:
        need = Need(tuple(((tables.number_of(word),),) for word in query.words))
        levels = tables.near(query.words)
        assert len(levels) == depth
        for found, theirs in zip(levels, (own, around), strict=False):
            real = {peer for peer, table in enumerate(theirs) if table.may_match(need)}
            more += len(set(found.tolist()) - real)
            less += len(real - set(found.tolist()))
            right += len(real)
        if depth:
            assert set(contents.holders.row(query.item).tolist()) <= set(levels[0].tolist())
    assert more + less <= 0.1 * right  # a table may be one size larger or smaller than reckoned
