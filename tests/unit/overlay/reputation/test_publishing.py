"""Publishing by hand costs the usual stamp; a flood of it, by one key or from one subnet, costs ever more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peerage.overlay.reputation.publishing import PublishGate, PublishRules

RULES = PublishRules(bits=16, bits_max=26, free=60, subnet_free=240, step=10, step_bits=2, seconds=3600.0)
ANNA, HOME = b"anna", "192.0.2.0/24"


def publish(gate: PublishGate, times: int, now: float = 0.0, key: bytes = ANNA, subnet: str = "") -> None:
    for _ in range(times):
        assert gate.admits(key, subnet, 64, now)


def test_the_first_sixty_of_an_hour_cost_the_usual():
    gate = PublishGate(RULES)
    publish(gate, 59)
    assert gate.bits(ANNA, "", 0.0) == 16
    publish(gate, 1)
    assert gate.bits(ANNA, "", 0.0) == 18
    publish(gate, 10)
    assert gate.bits(ANNA, "", 0.0) == 20
    publish(gate, 100)
    assert gate.bits(ANNA, "", 0.0) == 26
    assert gate.bits(b"bert", "", 0.0) == 16


def test_a_cheap_stamp_is_refused_and_not_counted():
    gate = PublishGate(RULES)
    publish(gate, 60)
    for _ in range(100):
        assert not gate.admits(ANNA, "", 17, 0.0)
    assert gate.admits(ANNA, "", 18, 0.0)


def test_it_becomes_cheap_again():
    gate = PublishGate(RULES)
    publish(gate, 80)
    assert gate.bits(ANNA, "", 1800.0) == 22
    assert gate.bits(ANNA, "", 3600.0 + 1800.0) == 16, "half of them still count"
    assert gate.bits(ANNA, "", 3 * 3600.0) == 16
    publish(gate, 59, 3 * 3600.0)
    assert gate.bits(ANNA, "", 3 * 3600.0) == 16


def test_attack_many_keys_of_one_subnet_pay_as_one():
    gate = PublishGate(RULES)
    for number in range(240):
        publish(gate, 1, key=bytes([number]), subnet=HOME)
    assert gate.bits(b"newcomer", HOME, 0.0) == 18
    assert gate.bits(b"newcomer", "198.51.100.0/24", 0.0) == 16
    assert gate.bits(b"newcomer", "", 0.0) == 16, "a local network has no price"


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.floats(0, 4000)), max_size=80))
def test_a_stamp_of_the_bits_named_always_gets_in(steps):
    gate, now = PublishGate(RULES), 0.0
    for key, pause in steps:
        now += pause
        bits = gate.bits(key, HOME, now)
        assert RULES.bits <= bits <= RULES.bits_max
        assert gate.admits(key, HOME, bits, now)
