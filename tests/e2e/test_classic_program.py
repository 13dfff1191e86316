"""A program in the manner of 2007 runs unchanged, and ten thousand requests leave nothing behind: real processes."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.e2e

# All that an old program needs to find the framework under its old name.
BTPEER = "from peerage.classic.btpeer import *\n"

# A telephone directory: it names no module but btpeer, formats with %, locks with peerlock, reaches into self.peers,
# and starts threads as the programs of the time did.
DIRECTORY = """
from btpeer import *
import sys

STORE, FIND, REPLY, ERROR = "STOR", "FIND", "REPL", "ERRO"


class DirectoryPeer(BTPeer):

    def __init__(self, maxpeers, serverport, serverhost=None):
        BTPeer.__init__(self, maxpeers, serverport, None, serverhost)
        self.numbers = {}
        self.rounds = 0
        self.addrouter(self.__router)
        handlers = {STORE: self.__handle_store, FIND: self.__handle_find}
        for mt in handlers:
            self.addhandler(mt, handlers[mt])

    def __debug(self, msg):
        if self.debug:
            btdebug(msg)

    def __router(self, peerid):
        if peerid not in self.getpeerids():
            return (None, None, None)
        else:
            rt = [peerid]
            rt.extend(self.peers[peerid])
            return rt

    def __handle_store(self, peerconn, data):
        self.peerlock.acquire()
        try:
            try:
                name, number = data.split()
                self.numbers[name] = int(number)
                self.__debug("stored for %s" % str(peerconn))
                peerconn.senddata(REPLY, "stored: %s" % name)
            except:
                peerconn.senddata(ERROR, "store: incorrect arguments")
        finally:
            self.peerlock.release()

    def __handle_find(self, peerconn, data):
        found = [n for n in self.numbers if data in n]
        peerconn.senddata(REPLY, "%d" % len(found))
        for n in found:
            peerconn.senddata(REPLY, "%s %d" % (n, self.numbers[n]))

    def count(self):
        self.rounds += 1


def main():
    first = DirectoryPeer(5, int(sys.argv[1]), "127.0.0.1")
    second = DirectoryPeer(5, int(sys.argv[2]), "127.0.0.1")
    second.debug = True
    for p in (first, second):
        t = threading.Thread(target=p.mainloop, args=[])
        t.start()
        p.startstabilizer(p.checklivepeers, 3)
    second.startstabilizer(second.count, 0.1)
    time.sleep(1)
    first.addpeer(second.myid, "127.0.0.1", sys.argv[2])
    for entry in ("anna 1001", "annabel 1002", "bert"):
        for mt, text in first.sendtopeer(second.myid, STORE, entry):
            sys.stdout.write("%s %s\\n" % (mt, text))
    resp = first.connectandsend("127.0.0.1", sys.argv[2], FIND, "anna")
    resp.reverse()
    resp.pop()
    while len(resp):
        name, number = resp.pop()[1].split()
        sys.stdout.write("%s has %d\\n" % (name, int(number)))
    assert first.sendtopeer("nobody", FIND, "x") is None
    c = BTPeerConnection("x", "127.0.0.1", sys.argv[2])
    c.senddata(FIND, "bert")
    assert c.recvdata() == (REPLY, "0")
    assert c.recvdata() == (None, None)
    c.close()
    assert struct.calcsize("!4sL") == 8 and second.rounds > 1 and socket and traceback
    first.shutdown = second.shutdown = True


main()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_program_in_the_manner_of_2007_runs_unchanged(tmp_path: Path) -> None:
    (tmp_path / "btpeer.py").write_text(BTPEER, "utf-8")
    (tmp_path / "directory.py").write_text(DIRECTORY, "utf-8")
    done = subprocess.run(
        [sys.executable, "directory.py", str(free_port()), str(free_port())],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if not line.startswith("[")]
    assert lines == [
        "REPL stored: anna",
        "REPL stored: annabel",
        "ERRO store: incorrect arguments",
        "anna has 1001",
        "annabel has 1002",
    ]
    assert "stored for |None|" in done.stdout


def test_the_keyboard_ends_the_main_loop(tmp_path: Path) -> None:
    program = """
import sys, threading
from peerage.classic import BTPeer

peer = BTPeer(5, sys.argv[1], serverhost="127.0.0.1")
peer.addhandler("NAME", lambda peerconn, msgdata: peerconn.senddata("REPL", peer.myid))

def watch():
    while not peer.connectandsend("127.0.0.1", peer.serverport, "NAME", ""):
        pass
    print("listens", flush=True)

threading.Thread(target=watch).start()
peer.mainloop()
print(peer.shutdown, [each.name for each in threading.enumerate() if "engine" in each.name])
"""
    running = subprocess.Popen(
        [sys.executable, "-c", program, str(free_port())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert says(running) == "listens"
        running.send_signal(signal.SIGINT)
        said, errors = running.communicate(timeout=30)
    finally:
        running.kill()
    assert (running.returncode, errors) == (0, "")
    assert said.splitlines()[-1] == "True []"


# Linux tells how many files and how much memory a process has; elsewhere threads and objects must do.
SOAK = """
import gc, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from peerage.classic import BTPeer

def left():
    gc.collect()
    files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    pages = int(open("/proc/self/statm").read().split()[1]) if os.path.exists("/proc/self/statm") else 0
    return threading.active_count(), files, len(gc.get_objects()), pages * os.sysconf("SC_PAGE_SIZE") // 1024

def serve(port):
    peer = BTPeer(5, port, serverhost="127.0.0.1")
    peer.addhandler("BACK", lambda peerconn, msgdata: peerconn.senddata("REPL", msgdata))
    peer.addhandler("FAIL", lambda peerconn, msgdata: peerconn.senddata("REPL", msgdata) and peerconn.close())
    loop = threading.Thread(target=peer.mainloop)
    loop.start()
    while not peer.connectandsend("127.0.0.1", port, "BACK", "x"):
        pass
    return peer, loop

def ask(peer, number):
    text = "%d " % number + "x" * (number % 3000)
    kind = ("BACK", "FAIL", "NONE", "back")[number % 4]
    replies = peer.connectandsend("127.0.0.1", peer.serverport, kind, text)
    return replies == ([] if kind == "NONE" else [("REPL", text)])

def run(peer, loop, requests):
    with ThreadPoolExecutor(50) as pool:
        good = sum(pool.map(lambda first: sum(ask(peer, each) for each in range(first, requests, 50)), range(50)))
    peer.shutdown = True
    loop.join()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(20)
    return good

run(*serve(int(sys.argv[1])), 1000)
before = left()
print(run(*serve(int(sys.argv[2])), 10_000), *before, *left())
"""


def test_ten_thousand_requests_from_fifty_threads_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "soak.py").write_text(SOAK, "utf-8")
    done = subprocess.run(
        [sys.executable, "soak.py", str(free_port()), str(free_port())],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout)
    good, *counts = map(int, done.stdout.split())
    threads, files, objects, memory = (after - before for before, after in zip(counts[:4], counts[4:], strict=True))
    assert good == 10_000
    assert (threads, files) == (0, 0)
    assert objects < 1000
    assert memory < 16 * 1024  # KiB


def test_the_sample_application_on_the_command_line(tmp_path: Path) -> None:
    for name in ("anna", "bert"):
        (tmp_path / name).mkdir()
    (tmp_path / "anna" / "a morning song.txt").write_text("la la la\n", "utf-8")
    first, second = str(free_port()), str(free_port())
    anna = start("anna", tmp_path, first, "--share", "a morning song.txt")
    try:
        assert says(anna) == "shares a_morning_song.txt"
        assert says(anna) == f"127.0.0.1:{first} knows 0 peers"
        bert = start("bert", tmp_path, second, "--join", f"127.0.0.1:{first}")
        try:
            assert says(bert) == f"127.0.0.1:{second} knows 1 peers"
            types(bert, "search morning song")
            types(bert, "files")
            while says(bert) != "a_morning_song.txt":  # the answer comes by and by
                types(bert, "files")
            types(bert, "fetch a_morning_song.txt")
            while (said := says(bert)) != "fetched a_morning_song.txt":
                assert said in ("", "a_morning_song.txt")
            types(anna, "peers")
            assert says(anna) == f"127.0.0.1:{second}"
        finally:
            leaves(bert)
        types(anna, "share no such file")
        assert "no such file" in says(anna)
        types(anna, "peers")
        assert says(anna) == ""  # bert has said goodbye
    finally:
        leaves(anna)
    assert (tmp_path / "bert" / "a_morning_song.txt").read_text("utf-8") == "la la la\n"


def start(folder: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, EXAMPLES / "classic_filer.py", *arguments],
        cwd=home / folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def says(program: subprocess.Popen[str]) -> str:
    line = program.stdout.readline()
    assert line, "it has ended"
    return line.rstrip("\n")


def types(program: subprocess.Popen[str], line: str) -> None:
    program.stdin.write(line + "\n")
    program.stdin.flush()


def leaves(program: subprocess.Popen[str]) -> None:
    try:
        program.communicate("quit\n", timeout=30)
    finally:
        program.kill()
    assert program.returncode == 0
