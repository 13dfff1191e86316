"""Three nodes on one network, with no configuration: they find each other, and what they share."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from cli_machine import Machine, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture
def machines(tmp_path):
    """Three computers on a network of their own: the loopback interface, whose multicast leaves nothing."""
    with ExitStack() as stack:
        made = [Machine(tmp_path / str(number), f"lan-{tmp_path.name}") for number in range(3)]
        for machine in made:
            stack.callback(machine.close)
        yield made


def test_three_nodes_on_a_local_network_find_each_other_and_what_they_share(machines):
    for machine in machines:
        local = ("--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--network", machine.network)
        machine.do("up", *local, "--detach")
    for machine in machines:
        wait_until(lambda m=machine: m.do("status", "--json").json["peers"] == 2, "finding both others", 60)
    song = machines[0].write("blue train.flac", b"all aboard")
    machines[0].do("share", song)
    for machine in machines[1:]:
        found = wait_until(lambda m=machine: m.do("search", "blue train", "--json").out, "finding the song", 60)
        assert "blue train.flac" in found
        machine.do("get", "1", "--into", machine.files)
        assert (machine.files / "blue train.flac").read_bytes() == b"all aboard"
