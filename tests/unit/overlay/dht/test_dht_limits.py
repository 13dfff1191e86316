import inspect
import re

import pytest

from peerage.limits import MAX_CONTROL_PAYLOAD
from peerage.overlay.dht import limits
from peerage.overlay.dht.rules import DEFAULT_RULES

LINES = [line for line in inspect.getsource(limits).splitlines() if line.startswith("DHT_")]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split(" ")[0])
def test_every_bound_is_positive_and_has_a_reason(line):
    name = line.split(" ")[0]
    assert getattr(limits, name) > 0
    says_it_all = re.match(r"DHT_(RPC_TIMEOUT_MAX|SALT_BYTES|ANSWER_BYTES|LOOK_BURST|STORE_BURST)$", name)
    assert "#" in line or says_it_all


def test_no_bound_contradicts_another():
    rules = DEFAULT_RULES
    assert rules.region_min <= rules.region <= rules.region_max
    assert rules.renew_min <= rules.renew < rules.life
    assert rules.subnet_bucket <= rules.subnet_table
    assert rules.per_key_publisher <= rules.per_key_subnet <= rules.per_key
    assert rules.stored_per_publisher <= rules.stored_per_subnet <= rules.stored
    assert max(limits.DHT_STORE_BYTES, limits.DHT_ANSWER_BYTES) < MAX_CONTROL_PAYLOAD
    assert limits.DHT_RPC_TIMEOUT_MIN < limits.DHT_RPC_TIMEOUT < limits.DHT_RPC_TIMEOUT_MAX
