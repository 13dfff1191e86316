"""Finding on the command line between real processes: explained searches, browsing, saved searches, an index."""

import random
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


def content(size, seed):
    return random.Random(seed).randbytes(size)


def test_a_search_explains_itself(machines):
    giver, taker = machines(), machines()
    giver.write("Summer in the city.bin", content(1000, 1))
    listen = giver.up()["listen"]
    giver.do("share", "Summer in the city.bin")
    taker.up("--connect", listen)
    wait_until(lambda: taker.do("search", "summer", "--seconds", "2", "--json").json_lines, "a hit")
    *hits, ended = taker.do("search", "summer", "--seconds", "2", "--explain", "--json").json_lines
    assert [hit["name"] for hit in hits] == ["Summer in the city.bin"]
    stages = {stage["name"]: stage for stage in ended["stages"]}
    assert {"local", "neighbours", "index", "dht"} <= stages.keys()
    assert stages["local"]["asked"]
    assert sum(stage["messages"] for stage in stages.values()) == ended["messages"] > 0
    shown = taker.do("search", "summer", "--seconds", "2", "--explain", "--budget-messages", "50").out
    assert "together\t" in shown
    assert "local: the cheapest first" in shown
    assert "It ended because" in shown
    status = taker.do("status").out
    assert "role\t" in status
    assert "by flood\tneighbour, 1 peer" in status


def test_browsing_folder_by_folder(machines):
    giver, taker = machines(), machines()
    giver.write("album/old/one.flac", content(1000, 1))
    giver.write("album/cover.png", content(1000, 2))
    status = giver.up()
    giver.do("share", "album")
    taker.up("--connect", status["listen"])
    top = taker.do("browse", status["listen"]).out
    assert "album/\t2.0 kB\tfolder\t2" in top
    inside = taker.do("browse", status["peer_id"][:10], "album").out.splitlines()
    assert [line.split("\t")[1] for line in inside] == ["old/", "cover.png"]
    assert "album/old/one.flac" in taker.do("browse", status["listen"], "--all").out
    number = next(
        hit["number"] for hit in taker.do("browse", status["listen"], "--json").json_lines if "flac" in hit["name"]
    )
    got = taker.do("get", number, "--into", taker.folder / "into", "--json").json
    assert (taker.folder / "into/one.flac").read_bytes() == content(1000, 1)
    assert got["state"] == "done"
    assert taker.try_to("browse", "nobody").status == 1


def test_a_wish_is_searched_for_and_told(machines):
    giver, taker = machines(), machines()
    giver.write("Rare song.mp3", content(5000, 1))
    status = giver.up()
    giver.do("share", "Rare song.mp3")
    taker.up("--connect", status["listen"])
    wait_until(lambda: taker.do("search", "rare", "--seconds", "2", "--json").json_lines, "a hit")
    wish = taker.do("wish", "add", "rare", "song", "--json").json
    assert (wish["id"], wish["text"]) == (1, "rare song")
    wait_until(lambda: taker.do("wish", "list", "--json").json["new"], "a new result")
    assert "1 new for your wish" in taker.do("status").err
    (result,) = taker.do("wish", "results", 1, "--json").json_lines
    assert (result["hit"]["name"], result["new"]) == ("Rare song.mp3", True)
    assert taker.do("wish", "list", "--json").json["new"] == 0
    assert taker.do("transfers", "--json").out == ""
    taker.do("get", 1, "--into", taker.folder / "into")
    assert (taker.folder / "into/Rare song.mp3").read_bytes() == content(5000, 1)
    assert taker.do("wish", "remove", 1, "--json").json["text"] == "rare song"
    assert taker.do("wish", "list", "--json").out == ""
    assert taker.try_to("wish", "results", 1).status == 1


def test_an_index_in_the_middle(machines):
    index, giver, taker = machines(), machines(), machines()
    place = index.up("--serve-index", "--overlay", "index")["listen"]
    giver.write("Winter.bin", content(1000, 1))
    giver.up("--overlay", "index", "--index", place)
    giver.do("share", "Winter.bin")
    taker.up("--overlay", "index", "--index", place)
    (hit,) = wait_until(lambda: taker.do("search", "winter", "--seconds", "2", "--json").json_lines, "a hit")
    taker.do("get", hit["link"], "--into", taker.folder / "into")
    assert (taker.folder / "into/Winter.bin").read_bytes() == content(1000, 1)
    assert index.do("status", "--json").json["role"] == "index server"
