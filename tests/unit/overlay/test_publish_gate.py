"""Publishing by hand costs the usual stamp; a flood of it, by one key or from one subnet, costs ever more."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from peerage.overlay.publish_gate import PublishGate, PublishRules

RULES = PublishRules(free=60, subnet_free=240, step=10, step_bits=2, rise=10, seconds=3600.0, remembered=1000)
ANNA, HOME = b"anna", "192.0.2.0/24"


def publish(gate: PublishGate, times: int, now: float = 0.0, key: bytes = ANNA, subnet: str = "") -> None:
    for _ in range(times):
        gate.count(key, subnet, now)


def test_the_first_sixty_of_an_hour_cost_the_usual():
    gate = PublishGate(16, RULES)
    publish(gate, 59)
    assert gate.bits(ANNA, "", 0.0) == 16
    publish(gate, 1)
    assert gate.bits(ANNA, "", 0.0) == 18
    publish(gate, 10)
    assert gate.bits(ANNA, "", 0.0) == 20
    publish(gate, 100)
    assert gate.bits(ANNA, "", 0.0) == 26
    assert gate.bits(b"bert", "", 0.0) == 16


def test_it_becomes_cheap_again():
    gate = PublishGate(16, RULES)
    publish(gate, 80)
    assert gate.bits(ANNA, "", 1800.0) == 22
    assert gate.bits(ANNA, "", 3600.0 + 1800.0) == 16, "half of them still count"
    assert gate.bits(ANNA, "", 3 * 3600.0) == 16
    publish(gate, 59, 3 * 3600.0)
    assert gate.bits(ANNA, "", 3 * 3600.0) == 16


def test_a_clock_that_is_put_back_makes_nothing_dearer():
    gate = PublishGate(16, RULES)
    publish(gate, 40, 1e9)
    publish(gate, 1, 1e9 + 3600)  # the forty are those of the hour before
    before = gate.bits(ANNA, "", 1e9 + 3600)
    assert gate.bits(ANNA, "", 1000.0) == before == 16


def test_the_table_of_counts_is_bounded():
    gate = PublishGate(16, msgspec.structs.replace(RULES, remembered=3))
    publish(gate, 60)
    for number in range(3):
        publish(gate, 1, key=bytes([number]))
    assert gate.bits(ANNA, "", 0.0) == 16, "forgotten"
    publish(gate, 59, key=b"\2")
    assert gate.bits(b"\2", "", 0.0) == 18


def test_attack_many_keys_of_one_subnet_pay_as_one():
    gate = PublishGate(16, RULES)
    for number in range(240):
        publish(gate, 1, key=bytes([number]), subnet=HOME)
    assert gate.bits(b"newcomer", HOME, 0.0) == 18
    assert gate.bits(b"newcomer", "198.51.100.0/24", 0.0) == 16
    assert gate.bits(b"newcomer", "", 0.0) == 16, "a local network has no price"


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.floats(0, 4000)), max_size=80))
def test_the_price_has_a_floor_and_a_ceiling(steps):
    gate, now = PublishGate(16, RULES), 0.0
    for key, pause in steps:
        now += pause
        assert 16 <= gate.bits(key, HOME, now) <= 26
        gate.count(key, HOME, now)
