"""Limits: each with its reason, and none that contradicts another."""

from __future__ import annotations

import inspect
import re

import msgspec
import pytest

from peerage import limits
from peerage.identity.address import Address
from peerage.limits import DEFAULT, Limits
from peerage.peer.messages import MAX_CONTACTS, Contact, Hello, LinkKind, Shuffle
from peerage.wire.frame import HEADER_BYTES
from peerage.wire.message import encode

LINES = inspect.getsource(limits).splitlines()
CONSTANTS = [
    name for name in vars(limits) if re.fullmatch(r"[A-Z][A-Z_]+", name) and name not in {"KIB", "MIB", "DEFAULT"}
]
LONGEST_ADDRESS = Address("h" * 253, 65535)


@pytest.mark.parametrize("name", [*CONSTANTS, *Limits.__struct_fields__])
def test_every_bound_is_positive_and_has_a_reason(name: str) -> None:
    value = getattr(DEFAULT, name, None) or getattr(limits, name)
    assert value > 0
    [index] = [index for index, line in enumerate(LINES) if re.match(rf"\s*{name}\b.*=", line)]
    own_words = "#" in LINES[index] or "#" in LINES[index - 1]
    says_it_all = LINES[index].split("=")[0].strip().split(":")[0] in {"MAX_QUERY_TERMS", "PING_TIMEOUT"}
    names_another = "MAX_" in LINES[index].split("=")[1] or "_TIMEOUT" in LINES[index].split("=")[1]
    assert own_words or says_it_all or names_another, f"limits.py:{index + 1}: {name} gives no reason"


def test_no_limit_contradicts_another() -> None:
    assert DEFAULT.tasks_per_link <= DEFAULT.tasks
    assert DEFAULT.connections_per_peer <= DEFAULT.connections_per_address <= DEFAULT.connections
    assert DEFAULT.talk_reserved < DEFAULT.connections // 2
    assert DEFAULT.idle_timeout > 2 * limits.PING_INTERVAL + limits.PING_TIMEOUT
    assert limits.MAX_PART_PAYLOAD < limits.MAX_CONTROL_PAYLOAD <= limits.MAX_BULK_PAYLOAD
    assert limits.MAX_PARTS * limits.MAX_PART_PAYLOAD >= limits.MAX_MANIFEST


def test_memory_of_one_process_is_bounded() -> None:
    """What hostile neighbours together can make one process hold, beside content that was asked for."""
    links = DEFAULT.connections * 100 * limits.KIB
    reading = DEFAULT.connections * 256 * limits.KIB
    assert links + reading < 128 * limits.MIB


def test_the_longest_framework_messages_fit_into_a_frame() -> None:
    addresses = (LONGEST_ADDRESS,) * limits.MAX_ADDRESSES
    hello = Hello(1, LinkKind.TALK, "a" * 64, addresses, ("f" * 32,) * 32)
    contacts = (Contact(bytes(32), addresses),) * MAX_CONTACTS  # type: ignore[arg-type]
    for message in (hello, Shuffle(1, 1, contacts[0], contacts)):
        assert len(encode(message)) < limits.MAX_CONTROL_PAYLOAD + HEADER_BYTES
    assert len(encode(hello)) < 4096, "a hello must fit into what a link reads before anyone listens"


def test_limits_cannot_be_changed_behind_a_peers_back() -> None:
    with pytest.raises(AttributeError):
        DEFAULT.tasks = 1  # type: ignore[misc]
    assert msgspec.structs.replace(DEFAULT, tasks=1).tasks == 1
