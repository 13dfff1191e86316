"""The networks of the model have the shape that they are to have."""

from __future__ import annotations

import numpy as np

from peerage.lab.model.lists import Lists
from peerage.lab.model.meshes import components, host_cache, mesh, with_degrees
from peerage.lab.model.randomness import source
from peerage.limits import NEIGHBOURS_SPARE, NEIGHBOURS_WANTED


def edges_of(network: Lists) -> list[tuple[int, int]]:
    return [(peer, int(other)) for peer in range(len(network)) for other in network.row(peer)]


def assert_sound(network: Lists) -> None:
    edges = edges_of(network)
    assert len(set(edges)) == len(edges)
    assert all(one != other for one, other in edges)
    assert {(other, one) for one, other in edges} == set(edges)


def test_the_mesh_has_the_neighbours_that_are_wanted() -> None:
    network = mesh(source(1, "mesh"), np.ones(1001, dtype=np.bool_))

    assert_sound(network)
    degrees = network.lengths()
    assert set(degrees.tolist()) <= set(range(NEIGHBOURS_WANTED - 2, NEIGHBOURS_WANTED + NEIGHBOURS_SPARE + 1))
    assert (degrees >= NEIGHBOURS_WANTED).mean() > 0.99
    assert components(network, np.ones(1001, dtype=np.bool_)) == 1


def test_who_has_gone_has_no_links() -> None:
    alive = source(3, "alive").random(500) > 0.3

    for network in (mesh(source(1, "mesh"), alive), host_cache(source(1, "cache"), alive)):
        assert_sound(network)
        assert not network.lengths()[~alive].any()


def test_the_host_cache_makes_old_nodes_busy() -> None:
    network = host_cache(source(1, "cache"), np.ones(1000, dtype=np.bool_))

    assert_sound(network)
    degrees = network.lengths()
    assert 3.9 < degrees.mean() < 4.1
    assert degrees.min() == 2
    assert degrees[:50].mean() > 2 * degrees[-500:].mean()


def test_dense_networks_come_out_sound() -> None:
    network = with_degrees(source(1, "dense"), np.full(40, 32))

    assert_sound(network)
    assert network.lengths().mean() > 29


def test_parts_are_counted() -> None:
    ring = [(peer, (peer + 1) % 10) for peer in range(10)] + [(10, 11), (11, 12), (20, 21)]
    both = np.array(ring + [(other, one) for one, other in ring])
    alive = np.ones(30, dtype=np.bool_)
    alive[13:20] = alive[22:] = False

    assert components(Lists.grouped(both[:, 0], both[:, 1], 30), alive) == 3
