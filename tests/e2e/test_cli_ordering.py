"""Downloads in order on the command line, between real processes, and over kill -9; and a link as a picture."""

import os
import secrets
import signal

import httpx
import pytest
from cli_machine import Machine, wait_until


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "machine", f"test-{secrets.token_hex(6)}")
    yield made
    made.close()


def begin(machine, letters):
    """Begin downloads that nobody has, as a page does it."""
    status = machine.do("status", "--json").json
    headers = {"authorization": f"Bearer {(machine.home / 'api.token').read_text().strip()}"}
    for letter in letters:
        target = f"peerage:{letter * 51}a?name={letter}"
        url = f"http://{status['api']}/api/v1/transfers"
        assert httpx.post(url, json={"target": target}, headers=headers, trust_env=False).status_code == 201
    return status["pid"]


def order(machine):
    listed = machine.do("transfers", "--json").json_lines
    return "".join(each["name"] for each in sorted(listed, key=lambda each: each["place"]))


def test_what_was_ordered_outlives_a_kill(machine):
    machine.up()
    assert "downloads at once\t1\n" in machine.do("limits", "--at-once", "1").out
    pid = begin(machine, "abc")
    machine.do("move", "c", "top")
    machine.do("move", "a", "bottom")
    changed = machine.do("prefer", "b", "high", "--limit", "500kB", "--json").json
    assert (changed["priority"], changed["limit"]) == ("high", 500_000)
    machine.do("pause", "c")
    assert order(machine) == "bca"
    os.kill(pid, signal.SIGKILL)
    machine.up()
    assert order(machine) == "bca"
    listed = {each["name"]: each for each in machine.do("transfers", "--json").json_lines}
    assert (listed["b"]["priority"], listed["b"]["limit"], listed["c"]["state"]) == ("high", 500_000, "paused")
    assert machine.do("limits", "--json").json["downloads_at_once"] == 1
    wait_until(lambda: machine.do("transfers", "--json").json_lines[1]["state"] == "finding", "b begins")


def test_orders_that_make_no_sense(machine):
    machine.up()
    begin(machine, "a")
    assert machine.try_to("move", "a", "left").status == 2
    assert machine.try_to("move", "nothing", "top").status == 1
    assert machine.try_to("prefer", "a", "normal", "--limit", "quick").status == 2
    assert machine.try_to("forget").status == 2
    assert machine.try_to("forget", "a", "--finished").status == 2
    assert "cancel it first" in machine.try_to("forget", "a").err
    assert machine.do("forget", "--finished").out == "Off the list: 0 downloads\n"
    assert "Nobody" in machine.do("sources", "a").err
    assert machine.do("sources", "a", "--json").out == ""


def test_a_link_as_a_picture(machine):
    machine.write("song.ogg", b"la")
    machine.do("share", "song.ogg")
    lines = machine.do("link", "song.ogg", "--qr").out.splitlines()
    assert lines[0].startswith("peerage:")
    assert len(lines) > 15
    assert len({len(line) for line in lines[1:]}) == 1
    assert set("".join(lines[1:])) <= set(" ▀▄█")
    assert machine.do("link", "song.ogg", "--qr", "--json").json["name"] == "song.ogg"
