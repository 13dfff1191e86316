"""The networks of the model: who is linked to whom.

Invariant: a link goes both ways, nobody is linked to itself or twice to the same; who has gone has no links. All are
drawn at once, not grown: what makes a real network of each kind is its degrees and that links go anywhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from peerage.lab.model.lists import Bools, Ints, Lists, distinct
from peerage.limits import NEIGHBOURS_SPARE, NEIGHBOURS_WANTED

_CROWDED: Final = 0.75  # share of the nodes that have a spare neighbour, too, in worlds of 1,000 and 10,000 real ones
_MIXES: Final = 20  # of stubs that met their own or met twice
_DENSE: Final = 4  # peers for each link of a peer, below which drawn links would meet too often


def mesh(rng: np.random.Generator, alive: Bools) -> Lists:
    """Return the neighbours of everybody as HyParView makes them: the wanted number, or one more."""
    spare = (rng.random(len(alive)) < _CROWDED) * NEIGHBOURS_SPARE
    return with_degrees(rng, np.where(alive, NEIGHBOURS_WANTED + spare, 0))


def with_degrees(rng: np.random.Generator, degrees: Ints) -> Lists:
    """Return a random network of these degrees, all but a few links that could not be made."""
    count = len(degrees)
    if _DENSE * int(degrees.max(initial=0)) > count:
        return _both_ways(_dealt(rng, degrees), count)
    stubs: Ints = rng.permutation(np.repeat(np.arange(count), degrees))
    stubs = stubs[: len(stubs) // 2 * 2]
    keys: Ints = np.empty(0, dtype=np.int64)
    for _ in range(_MIXES):
        ones, others = stubs[0::2], stubs[1::2]
        low, high = np.minimum(ones, others), np.maximum(ones, others)
        keys, again = _joined(keys, low * count + high, ones == others)
        if not len(again):
            break
        low, high = again // count, again % count
        broken = rng.choice(len(keys), min(len(again), len(keys)), replace=False)
        low = np.concatenate((low, keys[broken] // count))
        high = np.concatenate((high, keys[broken] % count))
        keys = np.delete(keys, broken)
        stubs = rng.permutation(np.concatenate((low, high)))
    return _both_ways(keys, count)


def _dealt(rng: np.random.Generator, degrees: Ints) -> Ints:
    """Return the links of a small network in which nearly all are linked: every pair in turn, while both have room."""
    count = len(degrees)
    low, high = np.triu_indices(count, 1)
    room = degrees.tolist()
    keys = []
    order = rng.permutation(len(low))
    for one, other in zip(low[order].tolist(), high[order].tolist(), strict=True):
        if room[one] and room[other]:
            room[one] -= 1
            room[other] -= 1
            keys.append(one * count + other)
    return np.sort(np.array(keys, dtype=np.int64))


def backbone(rng: np.random.Generator, count: int, degree: int, spare: int) -> Lists:
    """Return the network of supernodes: each seeks `degree` links among all, and takes a few more of those who ask."""
    linked: list[set[int]] = [set() for _ in range(count)]
    for one in rng.permutation(count).tolist():
        candidates = rng.permutation(count) if count <= _MIXES * degree else rng.integers(0, count, _MIXES * degree)
        for other in candidates.tolist():
            if len(linked[one]) >= degree:
                break
            if other != one and len(linked[other]) < degree + spare:
                linked[one].add(other)
                linked[other].add(one)
    keys = [one * count + other for one, others in enumerate(linked) for other in others if one < other]
    return _both_ways(np.sort(np.array(keys, dtype=np.int64)), count)


def host_cache(rng: np.random.Generator, alive: Bools) -> Lists:
    """Return the network of 2001: each newcomer dials two of those who are there (lab/host_cache.py)."""
    count = len(alive)
    later = np.arange(2, count)
    first = (rng.random(len(later)) * later).astype(np.int64)
    second = (rng.random(len(later)) * (later - 1)).astype(np.int64)
    second += second >= first
    low = np.concatenate(([0], first, second))
    high = np.concatenate(([1], later, later))
    there = alive[low] & alive[high]
    return _both_ways(low[there] * count + high[there], count)


def components(network: Lists, alive: Bools) -> int:
    """Return into how many parts a network falls: each takes the smallest number it hears of until none changes."""
    count = len(network)
    ones = np.repeat(np.arange(count), network.lengths())
    names = np.arange(count)
    while True:
        heard = names.copy()
        np.minimum.at(heard, ones, names[network.values])
        heard = heard[heard]
        if np.array_equal(heard, names):
            return len(np.unique(names[alive]))
        names = heard


def _joined(keys: Ints, fresh: Ints, wrong: Bools) -> tuple[Ints, Ints]:
    """Return the links that there are now, and those that met themselves or came twice."""
    order = np.argsort(fresh, kind="stable")
    fresh, wrong = fresh[order], wrong[order].copy()
    wrong[1:] |= fresh[1:] == fresh[:-1]
    wrong |= np.isin(fresh, keys)
    return distinct(np.concatenate((keys, fresh[~wrong]))), fresh[wrong]


def _both_ways(keys: Ints, count: int) -> Lists:
    low, high = (keys // count).astype(np.int32), (keys % count).astype(np.int32)
    return Lists.grouped(np.concatenate((low, high)), np.concatenate((high, low)), count)
