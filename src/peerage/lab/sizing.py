"""How much a node keeps for its overlay: entries in its tables and bytes of memory, by walking through its objects.

It follows attributes and containers from the overlay down and stops at what belongs to others: the peer, its links,
the shelf, classes, functions. Invariant: each object counts once. Bytes are CPython's on this computer, so they compare
generations, not languages; what lies inside SQLite is not seen, and its owner reports it.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, GenericAlias, MethodType, ModuleType
from typing import Any, Final

import msgspec

from peerage.lab.shelf import HeldShelf, Library
from peerage.peer.connection import PeerConnection
from peerage.peer.metrics import Metrics
from peerage.peer.peer import Peer

_CONTAINERS: Final = (dict, list, set, deque)
_ATOMS: Final = (str, bytes, int, float, bool, complex, type(None))
_FOREIGN: Final = (
    Peer,
    PeerConnection,
    Metrics,
    HeldShelf,
    Library,
    random.Random,
    type,
    ModuleType,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    CodeType,
    GenericAlias,
)


class State(msgspec.Struct, frozen=True):
    """What a node keeps."""

    entries: int
    bytes: int


def state_of(*roots: object) -> State:
    """Measure everything that can be reached from `roots` and is theirs."""
    seen: set[int] = set()
    entries = size = 0
    waiting: list[Any] = list(roots)
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _FOREIGN):
            continue
        seen.add(id(each))
        size += sys.getsizeof(each)
        if isinstance(each, _CONTAINERS):
            entries += len(each)
        if not isinstance(each, _ATOMS):
            waiting.extend(_parts(each))
    return State(entries, size)


def _parts(each: Any) -> Iterable[object]:
    if isinstance(each, dict):
        return [*each.keys(), *each.values()]
    if isinstance(each, list | tuple | set | frozenset | deque):
        return list(each)
    return list(_attributes(each))


def _attributes(each: Any) -> Iterator[object]:
    """Yield what an object of the package holds; of other libraries' objects nothing."""
    kind = type(each)
    if not kind.__module__.startswith("peerage."):
        return
    own = getattr(each, "__dict__", None)
    if own is not None:
        yield own
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if (value := getattr(each, name, None)) is not None:
                yield value
    for name in getattr(kind, "__struct_fields__", ()):
        yield getattr(each, name)
