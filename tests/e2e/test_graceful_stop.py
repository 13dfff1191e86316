"""A node that is told to stop in the middle of its work: in bounded time, in order, and nothing that it had is lost."""

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
from cli_machine import Machine, wait_until

pytestmark = pytest.mark.e2e

FILES = 3
SIZE = 8_000_000
RATE = 1_000_000  # bytes a second for all, so that the signal comes in the middle
BOUND = 15.0  # seconds that an order to stop may take; it takes about one
SLACK = 100_000  # bytes of messages round the pieces
LOCAL = ("--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan")


@pytest.fixture
def machines(tmp_path):
    made = []
    network = f"test-{os.getpid()}-{random.randrange(2**40)}"

    def make(name):
        made.append(Machine(tmp_path / name, network))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


def started(machine, *arguments):
    """Start a node in the foreground and return its process and status."""
    node = machine.start("up", *LOCAL, "--network", machine.network, *arguments, "--json")
    line = node.stdout.readline()
    assert line, node.communicate()
    return node, json.loads(line)


def client(machine, status):
    token = (machine.home / "api.token").read_text().strip()
    return httpx.Client(
        base_url=f"http://{status['api']}/api/v1/", headers={"authorization": f"Bearer {token}"}, trust_env=False
    )


def follow(api, heard, ended):
    """Keep an event stream open until the node ends it, as a page does."""
    with contextlib.suppress(httpx.HTTPError), api.stream("GET", "events", timeout=60) as stream:
        for line in stream.iter_lines():
            heard.append(line)
    ended.set()


def shared(machine, seed):
    """Share one file and return its link and what is in it."""
    content = random.Random(seed).randbytes(SIZE)
    path = machine.write(f"file {seed}.bin", content)
    return machine.do("share", path, "--json").json["link"], content


def by_name(api):
    return {each["name"]: each for each in api.get("transfers").json()}


def test_sigterm_under_load_ends_in_order_and_loses_nothing(machines):
    giver, busy, taker = machines("giver"), machines("busy"), machines("taker")
    _, giving = started(giver)
    given = [shared(giver, seed) for seed in range(FILES)]
    node, status = started(busy, "--connect", giving["listen"])
    own_link, own = shared(busy, 99)
    _, taking = started(taker, "--connect", status["listen"])
    heard, ended = [], threading.Event()
    with client(busy, status) as api, client(taker, taking) as other:
        api.put("limits", json={"down": RATE, "up": RATE}).raise_for_status()
        following = threading.Thread(target=follow, args=(api, heard, ended))
        following.start()
        for link, _ in given:
            api.post("transfers", json={"target": link}).raise_for_status()
        other.post("transfers", json={"target": own_link}).raise_for_status()

        def all_at_work():
            listed = by_name(api)
            going = [each["state"] == "running" and each["done"] > 0 for each in listed.values()]
            return len(going) == FILES and all(going) and by_name(other)["file 99.bin"]["done"] > 0 and listed

        before = wait_until(all_at_work, "three downloads and an upload", 60)
        assert heard
        began = time.monotonic()
        node.send_signal(signal.SIGTERM)
        assert node.wait(BOUND) == 0
        assert time.monotonic() - began < BOUND
        assert ended.wait(BOUND)
        following.join(BOUND)
    assert not (busy.home / "daemon.json").exists()
    said = [line["message"] for line in busy.do("logs", "--json").json_lines]
    assert said[-2:] == ["stopping", "stopped in order"]
    assert not busy.do("logs", "--level", "error").out

    node, status = started(busy, "--connect", giving["listen"])
    with client(busy, status) as api, client(taker, taking) as other:
        after = by_name(api)
        assert after.keys() == before.keys()
        assert {each["state"] for each in after.values()} <= {"queued", "finding", "checking", "running"}
        api.put("limits", json={"down": 0, "up": 0}).raise_for_status()
        other.post("peers/connect", json={"address": status["listen"]})
        wait_until(lambda: all(each["state"] == "done" for each in by_name(api).values()), "the downloads", 60)
        for each, (_, content) in zip(sorted(by_name(api).values(), key=lambda each: each["name"]), given, strict=True):
            assert Path(each["path"]).read_bytes() == content
        wait_until(lambda: by_name(other)["file 99.bin"]["state"] == "done", "the other's download", 60)
        assert Path(by_name(other)["file 99.bin"]["path"]).read_bytes() == own
        missing = sum(SIZE - each["done"] for each in before.values())
        assert api.get("statistics").json()["down"] <= missing + SLACK
    node.send_signal(signal.SIGTERM)
    assert node.wait(BOUND) == 0


def test_a_second_signal_ends_it_at_once(machines):
    """An orderly stop gives a request whose body never comes a second; when that is too short for us, again."""
    machine = machines("machine")
    log = machine.home / "log"
    for _ in range(5):
        node, status = started(machine)
        token = (machine.home / "api.token").read_text().strip()
        head = f"POST /api/v1/shares HTTP/1.1\r\nHost: {status['api']}\r\nAuthorization: Bearer {token}\r\n"
        with socket.create_connection(status["api"].rsplit(":", 1), timeout=20) as slow:
            slow.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n".encode())
            assert slow.recv(100).startswith(b"HTTP/1.1 100")  # the node waits for the body
            known = log.read_text().count("stopping")
            node.send_signal(signal.SIGTERM)
            wait_until(lambda: log.read_text().count("stopping") > known, "the first signal")  # noqa: B023 -- at once
            node.send_signal(signal.SIGTERM)
            if node.wait(BOUND) == -signal.SIGTERM:
                break
    else:
        pytest.fail("it always stopped in order")
    assert not log.read_text().endswith("stopped in order\n")
    again, _ = started(machine)
    again.send_signal(signal.SIGTERM)
    assert again.wait(BOUND) == 0
