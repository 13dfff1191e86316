"""The demo network as a newcomer uses it: a real daemon, its nodes in a process of their own, a film that comes in."""

import json
import os
import signal
from pathlib import Path

import httpx
import pytest
from cli_machine import Machine, is_alive, wait_until

from peerage.app.demo.shelves import FILM

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


class Demo:
    """A node with its demo network, asked over its API."""

    def __init__(self, machine):
        self.machine = machine
        self.status = machine.up()
        token = (machine.home / "api.token").read_text()
        self.api = httpx.Client(
            base_url=f"http://{self.status['api']}/api/v1/",
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=60,
        )

    def start(self):
        assert self.api.post("demo").json()["state"] == "starting"
        wait_until(lambda: self.view()["state"] == "running", "a demo network", 90)
        return self.view()

    def view(self):
        view = self.api.get("demo").json()
        assert view["state"] != "failed", view
        return view

    def search(self, text):
        answer = self.api.get("search", params={"q": text, "timeout": 5})
        lines = [json.loads(line) for line in answer.text.splitlines() if line]
        return {line["hit"]["name"]: line["hit"] for line in lines if line["event"] == "hit"}

    def process(self):
        """Return the id of the process of the demo network."""
        (pid,) = children_of(self.status["pid"])
        return pid


@pytest.fixture
def demo(tmp_path):
    machine = Machine(tmp_path / "machine", "demo-test")
    demo = Demo(machine)
    with demo.api:
        yield demo
    machine.close()


def children_of(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and is_alive(int(path.parent.name)):
            found.append(int(path.parent.name))
    return found


def listeners_of(pid):
    """Return the addresses at which a process listens, as the kernel writes them."""
    sockets = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(handle)
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    rows = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    ]
    return [row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets]


def test_a_newcomer_finds_and_plays_a_film_from_several_nodes(demo):
    view = demo.start()
    assert view["peers"] == 5
    for word in view["searches"]:
        holders = {each["peer_id"] for hit in demo.search(word).values() for each in hit["holders"]}
        assert len(holders) >= 3, word

    process = demo.process()
    assert listeners_of(process) == ["0100007F"] * 5  # 127.0.0.1, and nothing else
    hit = demo.search("film")[FILM]
    assert hit["sources"] == 4
    transfer = demo.api.post("transfers", json={"target": hit["link"]}).json()
    place = f"transfers/{hit['content_id']}"
    with demo.api.stream("GET", f"content/{hit['content_id']}", headers={"range": "bytes=0-299999"}) as playing:
        assert playing.status_code == 206
        assert playing.headers["content-type"] == "video/webm"
        beginning = playing.read()
    transfer = demo.api.get(place).json()
    assert transfer["state"] == "running"  # it plays, and is not here yet
    sources = wait_until(lambda: (now := demo.api.get(place).json())["sources"] == 4 and now, "four sources", 30)
    assert sources["done"] < hit["size"]
    done = wait_until(lambda: (now := demo.api.get(place).json())["state"] == "done" and now, "the whole film", 90)
    film = Path(done["path"]).read_bytes()
    assert film[:300_000] == beginning
    assert film == (demo.machine.home / "demo" / FILM).read_bytes()
    given = [peer["roles"] for peer in demo.api.get("peers").json()]
    assert given == [["demo"]] * 5

    assert demo.api.delete("demo").json() == {"state": "off", "peers": 0, "searches": [], "error": ""}
    assert not is_alive(process)
    assert not (demo.machine.home / "demo").exists()
    assert demo.api.get("peers").json() == []
    assert list(demo.search("demo")) == []
    demo.machine.do("down")
    assert json.loads((demo.machine.home / "peers.json").read_bytes()) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_node_however_that_ends(demo, how):
    demo.start()
    process = demo.process()
    os.kill(demo.status["pid"], how)
    wait_until(lambda: not is_alive(process), "the end of the demo network", 30)
    assert not (demo.machine.home / "demo").exists()


def test_a_process_that_was_killed_leaves_nothing_that_the_next_one_does_not_clear_away(demo):
    demo.start()
    os.kill(demo.process(), signal.SIGKILL)
    wait_until(lambda: demo.api.get("demo").json()["state"] == "failed", "the node's notice", 30)
    assert "unexpectedly" in demo.api.get("demo").json()["error"]
    assert not (demo.machine.home / "demo").exists()
    assert demo.start()["peers"] == 5
