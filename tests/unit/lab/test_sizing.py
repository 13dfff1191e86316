import msgspec

from peerage.lab.shelf import Library
from peerage.lab.sizing import State, state_of
from peerage.overlay.expiring import ExpiringTable
from peerage.peer.limiter import TokenBucket
from peerage.peer.metrics import Metrics


class Pair(msgspec.Struct):
    one: object
    other: object


def test_entries_of_all_tables_count():
    table: ExpiringTable[bytes, TokenBucket] = ExpiringTable(100, 60.0)
    empty = state_of(table)
    for number in range(10):
        table.put(bytes([number]), TokenBucket(1, 1, 0.0), 0.0)
    filled = state_of(table)
    assert filled.entries >= empty.entries + 10
    assert filled.bytes > empty.bytes + 10 * 48


def test_nothing_counts_twice():
    shared = list(range(1000))
    assert state_of([shared, shared]).bytes < 1.1 * state_of([shared]).bytes


def test_rings_end():
    ring: list[object] = []
    ring.append(ring)
    assert state_of(ring).entries == 1


def test_what_belongs_to_others_does_not_count():
    metrics, library = Metrics(), Library([])
    for number in range(100):
        metrics.count(str(number))
    assert state_of({"m": metrics, "l": library, "f": len}).bytes < 1000
    assert state_of(metrics) == State(0, 0)
