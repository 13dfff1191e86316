"""Voting on the command line between real processes: what one says is fake is hidden, and shown again with --all."""

import secrets

import pytest
from cli_machine import Machine, wait_until


@pytest.fixture
def machines(tmp_path):
    """A factory of machines on a network of their own."""
    made = []
    network = f"test-{secrets.token_hex(6)}"

    def make():
        made.append(Machine(tmp_path / f"machine{len(made)}", network))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


def test_a_fake_is_voted_down_and_hidden(machines):
    giver, taker = machines(), machines()
    giver.write("Summer in the city.bin", b"noise" * 100)
    listen = giver.up()["listen"]
    giver.do("share", "Summer in the city.bin")
    taker.up("--connect", listen)
    find = ("search", "summer", "--seconds", "2")
    wait_until(lambda: taker.do(*find, "--json").json_lines, "a hit")
    (hit,) = taker.do(*find, "--json").json_lines
    assert (hit["trust"]["proved"], hit["trust"]["standing"]) == (True, "show")
    assert "You say fake: Summer in the city.bin" in taker.do("vote", "1", "fake").out
    assert "Summer" not in taker.do(*find).out
    assert "HIDE: you said fake" in taker.do(*find, "--all").out
    assert "fake\tSummer in the city.bin" in taker.do("votes").out
    wait_until(lambda: giver.do("search", "summer", "--json").json_lines[0]["trust"], "the vote")
    (mine,) = giver.do("search", "summer", "--json").json_lines
    assert mine["trust"]["votes_against"] == 1
    assert mine["trust"]["weight_against"] == 0
