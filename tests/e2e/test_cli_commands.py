"""Every command as a script meets it: real processes, exit statuses, what stands on which stream."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest
from cli_machine import Machine, is_alive, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture
def machines(tmp_path):
    """Make machines of one network that is nobody else's."""
    made = []

    def make():
        made.append(
            Machine(
                tmp_path / f"machine-{len(made)}",
                f"test-{os.getpid()}-{random.randrange(2**40)}" if not made else made[0].network,
            )
        )
        return made[-1]

    yield make
    for machine in made:
        machine.close()


def content(size, seed=0):
    return random.Random(seed).randbytes(size)


# --- the node ---------------------------------------------------------------------------------------------------


def test_a_node_comes_up_tells_and_goes_down(machines):
    machine = machines()
    up = machine.do("up", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--detach")
    status = machine.do("status", "--json").json
    assert {"peer_id", "listen", "api", "network", "peers", "shares", "transfers"} <= status.keys()
    assert status["peer_id"] == machine.do("id").out.strip() == machine.do("id", "--json").json["peer_id"]
    for said in (status["peer_id"], status["listen"], f"peerage --home {machine.home} share PATH"):
        assert said in up.out
    again = machine.try_to("up", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan")
    assert again.status == 1
    assert str(status["pid"]) in again.err
    assert again.err.count("\n") == 1
    assert is_alive(status["pid"])
    machine.do("down")
    assert not is_alive(status["pid"])
    for command in ("status", "down"):
        result = machine.try_to(command)
        assert result.status == 1
        assert result.err.endswith(f"start one with: peerage --home {machine.home} up\n")


def test_up_in_the_foreground_tells_and_stops_in_order_on_ctrl_c(machines):
    machine = machines()
    node = machine.start("up", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--json")
    status = json.loads(node.stdout.readline())
    assert status["peers"] == 0
    assert machine.do("status", "--json").json["peer_id"] == status["peer_id"]
    node.send_signal(signal.SIGINT)
    out, err = node.communicate(timeout=20)
    assert (node.returncode, out) == (0, ""), err


def test_up_that_cannot_listen_says_why_in_one_line(machines):
    machine = machines()
    for arguments in (["--listen", "192.0.2.1:7411"], ["--listen", "127.0.0.1:0", "--network", "\x1b"]):
        for detach in ([], ["--detach"]):
            result = machine.try_to("up", *arguments, "--api", "127.0.0.1:0", "--no-lan", *detach)
            assert result.status == 1, result
            assert result.err.startswith("peerage: ")
            assert "Traceback" not in result.err
            assert result.err.count("\n") == 1


# --- sharing ----------------------------------------------------------------------------------------------------


def test_shares_are_kept_without_a_node_and_served_once_there_is_one(machines):
    machine = machines()
    path = machine.write("notes.txt", b"some notes")
    machine.write("album/one.txt", b"one")
    machine.write("album/two.txt", b"two")
    shares = machine.do("share", "notes.txt", "album", "--visibility", "link", "--json").json_lines
    assert [(share["name"], share["size"]) for share in shares] == [("notes.txt", 10), ("album", 6)]
    assert all(share["link"].startswith("peerage:" + share["content_id"]) for share in shares)
    status = machine.up()
    assert status["shares"] == 2
    listed = machine.do("library", "--json").json_lines
    assert {share["path"] for share in listed} == {str(path), str(machine.files / "album")}
    assert {share["visibility"] for share in listed} == {"link"}
    assert machine.do("link", "notes.txt").out.strip().startswith("peerage:")
    assert machine.do("link", "notes.txt", "--json").json["name"] == "notes.txt"
    machine.do("unshare", "notes.txt")
    assert [share["name"] for share in machine.do("library", "--json").json_lines] == ["album"]
    assert path.exists()
    missing = machine.try_to("unshare", "notes.txt")
    assert missing.status == 1
    assert "notes.txt" in missing.err


def test_a_path_that_is_not_there_fails_and_the_others_are_shared(machines):
    machine = machines()
    machine.write("a.txt", b"a")
    result = machine.try_to("share", "a.txt", "b.txt", "--json")
    assert result.status == 1
    assert "b.txt" in result.err
    assert result.json["name"] == "a.txt"


def test_attack_escape_sequences_in_a_file_name_reach_no_terminal(machines):
    machine = machines()
    name = "\x1b]0;owned\x07\x1b[2J[red]x[/red].txt"
    machine.write(name, b"x")
    for arguments in (["share", name], ["library"], ["share", name, "--json"], ["library", "--json"], ["link", name]):
        result = machine.do(*arguments)
        assert "\x1b" not in result.out + result.err
        assert "\x07" not in result.out + result.err


# --- searching and fetching -------------------------------------------------------------------------------------


def test_search_and_get_between_two_nodes(machines):
    giver, taker = machines(), machines()
    data = content(3_000_000)
    giver.write("Summer in the city.bin", data)
    listen = giver.up()["listen"]
    shared = giver.do("share", "Summer in the city.bin", "--json").json
    taker.up("--connect", listen)
    (hit,) = wait_until(lambda: taker.do("search", "summer", "city", "--timeout", "2", "--json").json_lines, "a hit")
    assert {"link", "content_id", "name", "size", "sources", "type", "meta"} <= hit.keys()
    assert (hit["content_id"], hit["size"], hit["sources"]) == (shared["content_id"], len(data), 1)
    into = taker.folder / "into"
    got = taker.do("get", hit["number"], "--into", into, "--json").json
    assert got["state"] == "done"
    assert (into / "Summer in the city.bin").read_bytes() == data
    assert got["path"] == str(into / "Summer in the city.bin")
    (listed,) = taker.do("transfers", "--json").json_lines
    assert (listed["content_id"], listed["state"], listed["done"]) == (hit["content_id"], "done", len(data))
    nothing = taker.do("search", "winter", "--timeout", "0.5", "--json")
    assert (nothing.out, nothing.err) == ("", "")
    peer = taker.do("peers", "--json").json_lines[0]
    assert (peer["connected"], peer["received"] >= len(data)) == (True, True)


def test_get_without_a_node_and_only_some_files_of_a_folder(machines):
    giver, taker = machines(), machines()
    giver.write("album/one.flac", content(100_000, 1))
    giver.write("album/cover.png", content(1000, 2))
    giver.up()
    link = giver.do("share", "album", "--json").json["link"]
    taker.do(
        "up", "--network", giver.network, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--detach"
    )
    taker.do("down")
    (taker.home / "config.toml").write_text(
        f'network = "{giver.network}"\nlan = false\nlisten = "127.0.0.1:0"\napi = "127.0.0.1:0"\n'
    )
    result = taker.do("get", link, "--into", taker.folder / "into", "--only", "*.flac")
    assert "Downloaded album" in result.out
    assert (taker.folder / "into/album/one.flac").read_bytes() == content(100_000, 1)
    assert not (taker.folder / "into/album/cover.png").exists()
    assert taker.try_to("status").status == 1


def test_ctrl_c_leaves_a_download_that_goes_on_where_it_was(machines):
    giver, taker = machines(), machines()
    data = content(12_000_000)
    giver.write("film.bin", data)
    giver.up()
    giver.do("limits", "--up", "3MB")
    link = giver.do("share", "film.bin", "--json").json["link"]
    taker.up()
    get = taker.start("get", link, "--into", taker.folder / "into")
    wait_until(lambda: any(t["done"] for t in taker.do("transfers", "--json").json_lines), "a piece")
    get.send_signal(signal.SIGINT)
    _, err = get.communicate(timeout=20)
    assert get.returncode == 1
    assert f"goes on with: peerage --home {taker.home} get " in err
    (transfer,) = taker.do("transfers", "--json").json_lines
    assert transfer["state"] == "paused"
    assert 0 < int(err.split("paused at ")[1].split(" %")[0]) < 100
    giver.do("limits", "--up", "off")
    again = taker.do("get", transfer["content_id"][:12])
    assert "Downloaded film.bin" in again.out
    assert (taker.folder / "into/film.bin").read_bytes() == data


def test_pause_resume_and_cancel(machines):
    giver, taker = machines(), machines()
    giver.write("film.bin", content(8_000_000))
    giver.up()
    giver.do("limits", "--up", "1MB")
    link = giver.do("share", "film.bin", "--json").json["link"]
    taker.up()
    get = taker.start("get", link, "--into", taker.folder / "into", "--json")
    wait_until(lambda: taker.do("transfers", "--json").json_lines, "the download's start")
    assert taker.do("pause", "film.bin", "--json").json["state"] == "paused"
    get.communicate(timeout=20)
    assert get.returncode == 1
    assert taker.do("resume", "film.bin", "--json").json["state"] != "paused"
    taker.do("cancel", "film.bin")
    assert not list((taker.folder / "into").glob("*.bin"))
    missing = taker.try_to("pause", "film.bin")
    assert missing.status == 1
    assert "film.bin" in missing.err


# --- peers and limits -------------------------------------------------------------------------------------------


def test_friends_and_bans(machines):
    one, two = machines(), machines()
    one.write("diary.txt", b"for friends")
    first = one.up()
    one.do("share", "diary.txt", "--visibility", "friends")
    second = two.up()
    connected = two.do("connect", first["listen"], "--json").json
    assert connected["peer_id"] == first["peer_id"]
    assert two.do("search", "diary", "--timeout", "0.5", "--json").out == ""
    made = one.do("friend", second["peer_id"][:12], "--name", "Two", "--json").json
    assert (made["friend"], made["name"]) == (True, "Two")
    wait_until(lambda: two.do("search", "diary", "--timeout", "1", "--json").out, "the friend finding it")
    assert one.do("friend", second["peer_id"][:12], "--undo", "--json").json["friend"] is False
    assert one.do("ban", second["peer_id"], "--json").json["banned"] is True
    wait_until(lambda: not any(p["connected"] for p in two.do("peers", "--json").json_lines), "the end of the link")
    assert two.try_to("connect", first["listen"]).status == 1


def test_limits_hold_at_the_next_start(machines):
    machine = machines()
    machine.up()
    assert machine.do("limits", "--json").json["down"] == 0
    changed = machine.do("limits", "--down", "5MB", "--up", "800 kB/s", "--slots", "3", "--json").json
    assert changed.items() >= {"down": 5_000_000, "up": 800_000, "upload_slots": 3}.items()
    machine.do("down")
    assert machine.do("limits", "--json").json == changed
    assert "5.0 MB/s" in machine.do("limits").out


def test_a_private_network_is_for_those_who_have_the_secret(machines):
    one, two = machines(), machines()
    local = ["--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--detach"]
    secret = one.write("secret", b"correct horse battery staple\n")
    secret.chmod(0o600)
    one.do("up", *local, "--secret-file", secret)
    listen = one.do("status", "--json").json["listen"]
    two.do("up", *local)
    refused = two.try_to("connect", listen)
    assert refused.status == 1
    assert "network" in refused.err
    two.do("down")
    two.do("up", *local, "--secret-file", "-", text="correct horse battery staple\n")
    assert two.do("connect", listen, "--json").json["connected"] is True
    assert two.do("status", "--json").json["private"] is True


# --- wrong usage ------------------------------------------------------------------------------------------------


def test_a_wrong_query_points_at_the_character(machines):
    machine = machines()
    machine.up()
    result = machine.try_to("search", "size:>lots")
    assert result.status == 2
    lines = result.err.splitlines()
    assert lines[1] == "  size:>lots"
    assert lines[2].strip() == "^"
    assert machine.try_to("get", "peerage:nonsense").status == 2


# --- beside the node --------------------------------------------------------------------------------------------


def test_bash_completes_commands_and_options(machines):
    machine = machines()
    script = machine.do("completion", "bash").out
    commands = f'{script}\npeerage() {{ {sys.executable} -m peerage "$@"; }}\nCOMP_WORDS=(peerage sha) COMP_CWORD=1\n_peerage_completion peerage\necho "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", commands], env=machine.environment, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["share"], done


def test_whoever_stops_reading_gets_no_traceback(machines):
    machine = machines()
    for number in range(300):
        machine.write(f"many/{number}.txt", b"x")
    machine.do("share", *(f"many/{number}.txt" for number in range(300)))
    library = machine.start("library", "--json")
    library.stdout.read(10)
    library.stdout.close()
    err = library.stderr.read()
    library.wait(30)
    assert "Traceback" not in err
    assert "Exception" not in err


def test_the_id_needs_no_node(machines):
    machine = machines()
    assert len(machine.do("id").out.strip()) == 52
    assert not (machine.home / "catalogue.sqlite").exists()
