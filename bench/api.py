"""What the local API and the page cost: while files move at full speed, while nothing happens, and when the page is opened.

Claim: `GET status` is answered in under 5 ms (median) by both daemons of a transfer at full speed; an idle page costs its
daemon under 1 % of a core; everything that the page pulls in is under 300 KB and here in under 1 s; with the page open a
transfer loses less than 10 % of its rate. How to read the output: bench/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import gzip
import http.client
import json
import os
import re
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

from _harness import WORK, ContestError, Process, machine, median, note, processes, table

MIB = 1024**2
CHUNK = 4 * MIB
STATUS_MS = 5.0  # median, while a transfer runs
IDLE_SHARE = 0.01  # of a core, for one idle page
FIRST_LOAD_BYTES = 300_000
FIRST_LOAD_SECONDS = 1.0
OPEN_RATE = 0.9  # of the rate with the page closed
KINDS = "transfers,peers,shares,wishes,notices,statistics"  # what the page follows
LISTS = ("status", "transfers", "peers", "shares", "wishes")  # and reads when it begins
POLLS = {"doctor": 20.0, "demo": 10.0}  # and asks again, at the view that it begins with; seconds
CONNECTIONS = 6  # of a browser to one place
PAUSE = 0.01  # seconds between two questions for the status
PATIENCE = 120.0  # seconds for one transfer
BROWSER = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


class Daemon:
    """One node as a process, and its API."""

    def __init__(self, name: str, folder: Path, running: list[Process]) -> None:
        self.name = name
        self.home = folder / name
        self.files = folder / f"{name}-files"
        self.files.mkdir(parents=True)
        local = ["--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--no-lan", "--network", f"bench-{os.getpid()}"]
        command = [sys.executable, "-m", "peerage", "--home", str(self.home), "up", *local]
        self.process = Process(command, folder / f"{name}.log")
        running.append(self.process)
        self.api = self._where()
        self.token = (self.home / "api.token").read_text().strip()

    def connection(self) -> http.client.HTTPConnection:
        """Open a connection to its API."""
        return http.client.HTTPConnection(self.api, timeout=PATIENCE)

    def headers(self) -> dict[str, str]:
        """What the owner's requests say."""
        return {"authorization": f"Bearer {self.token}", "content-type": "application/json"}

    def ask(self, method: str, route: str, body: object = None) -> bytes:
        """Make one request; raises ContestError when it fails."""
        with contextlib.closing(self.connection()) as connection:
            encoded = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{route}", encoded, self.headers())
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 400:
            raise ContestError(f"{method} {route} of {self.name}: {text[:300]!r}")
        return text

    def share(self, path: Path) -> str:
        """Share a file and return its link."""
        self.ask("POST", "shares", {"paths": [str(path)]})
        return json.loads(self.ask("GET", "shares"))[0]["link"]

    def _where(self) -> str:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, KeyError):
                if api := json.loads((self.home / "daemon.json").read_text())["api"]:
                    return api
            time.sleep(0.02)
        raise ContestError(f"{self.name} did not start")


# --- a transfer at full speed ---------------------------------------------------------------------------------------


class Transfers:
    """Fetches the same file again and again; nobody asks the API meanwhile but whoever is measured."""

    def __init__(self, source: Daemon, target: Daemon, path: Path) -> None:
        self.daemons = (source, target)
        self._target = target
        self._path = path
        self._link = source.share(path)

    def once(self) -> dict[str, float]:
        """Fetch the file; returns MiB a second, and the CPU seconds of both daemons for each GiB."""
        arrives = self._target.files / self._path.name
        before, began = self._cpu(), time.perf_counter()
        self._target.ask("POST", "transfers", {"target": self._link, "into": str(self._target.files)})
        while not arrives.exists():
            if time.perf_counter() - began > PATIENCE:
                raise ContestError("a transfer took too long")
            time.sleep(0.002)
        seconds, size = time.perf_counter() - began, self._path.stat().st_size
        spent = self._cpu() - before
        if not filecmp.cmp(self._path, arrives, shallow=False):
            raise ContestError("what came is not what was sent")
        self._forget()
        arrives.unlink()
        return {"mib_per_s": size / MIB / seconds, "cpu_s_per_gib": spent * 1024 * MIB / size}

    def _forget(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:  # its file is in place a moment before it is done
            (listed,) = json.loads(self._target.ask("GET", "transfers"))
            if listed["state"] == "done":
                self._target.ask("POST", f"transfers/{listed['content_id']}/cancel")
                return
            if time.monotonic() > end:
                raise ContestError(f"a transfer did not end: {listed}")
            time.sleep(0.01)

    def _cpu(self) -> float:
        return sum(each.process.cpu() for each in self.daemons)


def status_times(daemon: Daemon, over: Callable[[], bool]) -> list[float]:
    """Ask for the status again and again, one question at a time; returns milliseconds."""
    times = []
    with contextlib.closing(daemon.connection()) as connection:
        while not over():
            began = time.perf_counter()
            connection.request("GET", "/api/v1/status", headers=daemon.headers())
            connection.getresponse().read()
            times.append(1000 * (time.perf_counter() - began))
            time.sleep(PAUSE)
    return times


def measure_status(moving: Transfers, seconds: float) -> dict[str, object]:
    """Ask both daemons, first idle, then while files move."""
    result: dict[str, object] = {}
    for daemon in moving.daemons:
        result[daemon.name] = asked = {}
        end, before = time.monotonic() + seconds / 3, daemon.process.cpu()
        times = status_times(daemon, lambda end=end: time.monotonic() > end)
        asked["idle"] = spread(times) | {"cpu_ms": round(1000 * (daemon.process.cpu() - before) / len(times), 2)}
        over, times = threading.Event(), list[float]()
        asking = threading.Thread(target=lambda d=daemon, o=over, t=times: t.extend(status_times(d, o.is_set)))
        moving.once()
        asking.start()
        end, rates = time.monotonic() + seconds, []
        try:
            while time.monotonic() < end:
                rates.append(moving.once()["mib_per_s"])
        finally:
            over.set()
            asking.join()
        asked["moving"] = spread(times) | {"mib_per_s": median(rates)}
    return result


def spread(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {
        "asked": len(times),
        "median_ms": median(times),
        "p95_ms": round(cuts[94], 2),
        "worst_ms": round(max(times), 2),
    }


# --- a page that is open --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def follower(daemon: Daemon) -> Iterator[None]:
    """Do what the page does while it is open: read everything once, then follow the events."""
    over = threading.Event()

    def follow(connection: http.client.HTTPConnection) -> None:
        connection.request("GET", f"/api/v1/events?kinds={KINDS}", headers=daemon.headers())
        answer = connection.getresponse()
        with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
            while not over.is_set() and answer.read1(65536):
                pass

    def poll(route: str, seconds: float) -> None:
        daemon.ask("GET", route)
        while not over.wait(seconds):
            daemon.ask("GET", route)

    for route in LISTS:
        daemon.ask("GET", route)
    connection = daemon.connection()
    connection.connect()
    work = [threading.Thread(target=follow, args=(connection,))]
    work += [threading.Thread(target=poll, args=each) for each in POLLS.items()]
    for each in work:
        each.start()
    try:
        yield
    finally:
        over.set()
        connection.sock.shutdown(2)
        for each in work:
            each.join()


@contextlib.contextmanager
def browser(daemon: Daemon) -> Iterator[None]:
    """Open the page itself, in Chromium, as the owner."""
    from playwright.sync_api import sync_playwright

    link = json.loads(daemon.ask("POST", "link"))["url"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(BROWSER))
        page = started.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(link)
        page.wait_for_selector("h1")
        yield
        started.close()


def measure_idle(daemon: Daemon, opened: Callable, seconds: float) -> dict[str, float]:
    """Return which share of a core a daemon uses by itself, and with the page open."""
    alone = share_of_core(daemon, seconds)
    with opened(daemon):
        time.sleep(3)  # the first load is not what is measured
        together = share_of_core(daemon, seconds)
    return {"alone": alone, "with_page": together, "page": round(together - alone, 5), "seconds": seconds}


def share_of_core(daemon: Daemon, seconds: float) -> float:
    before, began = daemon.process.cpu(), time.monotonic()
    time.sleep(seconds)
    return round((daemon.process.cpu() - before) / (time.monotonic() - began), 5)


def measure_open(moving: Transfers, opened: Callable, rounds: int) -> dict[str, object]:
    """Fetch with the page closed and with it open on both sides, in turn."""
    rows: dict[str, list[dict[str, float]]] = {"closed": [], "open": []}
    watched = moving.daemons if opened is follower else moving.daemons[1:]
    for number in range(rounds + 1):
        for name in ("closed", "open")[:: 1 if number % 2 else -1]:  # who comes second finds warmer caches
            with contextlib.ExitStack() as pages:
                for daemon in watched if name == "open" else ():
                    pages.enter_context(opened(daemon))
                figures = moving.once()
            if number:  # the first round warms up
                rows[name].append(figures)
    ratios = [
        after["mib_per_s"] / before["mib_per_s"] for before, after in zip(rows["closed"], rows["open"], strict=True)
    ]
    result: dict[str, object] = {
        name: {key: median(each[key] for each in some) for key in some[0]} for name, some in rows.items()
    }
    return result | {"rounds": rounds, "ratios": [round(each, 3) for each in ratios], "rate_times": median(ratios)}


# --- the first load -------------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """Notes what a page pulls in by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        address = said.get("href") if tag == "link" else said.get("src")
        if address and tag in {"link", "script", "img"}:
            self.found.append(address)


def pulled_in(path: str, text: str) -> list[str]:
    """Return the paths that one file of the page refers to."""
    if path.endswith(".js"):
        said = re.findall(
            r"""(?:^|[;}\s])(?:import|export)\b[^'";]*?from\s*["']([^"']+)["']|^import\s*["']([^"']+)["']""",
            text,
            re.MULTILINE,
        )
        found = [first or second for first, second in said]
    elif path.endswith(".css"):
        found = re.findall(r"""@import\s+(?:url\()?["']([^"']+)["']""", text)
    elif path.endswith((".svg", ".webmanifest", ".png")):
        found = []
    else:
        links = Links()
        links.feed(text)
        found = links.found
    return [urljoin(path, each) for each in found if not each.startswith(("data:", "http"))]


def measure_first_load(daemon: Daemon) -> dict[str, object]:
    """Fetch all that `GET /` pulls in, as many at once as a browser does; bytes are those of the answers, with headers."""
    seen, sizes, local = {"/"}, dict[str, int](), threading.local()

    def fetch(path: str) -> tuple[str, str]:
        if not hasattr(local, "connection"):
            local.connection = daemon.connection()
        local.connection.request("GET", path, headers={"accept-encoding": "gzip"})
        answer = local.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ContestError(f"the page refers to {path}, which is not there: {answer.status}")
        sizes[path] = len(body) + sum(len(name) + len(value) + 4 for name, value in answer.getheaders()) + 17
        packed = answer.getheader("content-encoding") == "gzip"
        return path, (gzip.decompress(body) if packed else body).decode("utf-8", "replace")

    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        waiting = [pool.submit(fetch, "/")]
        while waiting:
            for path in pulled_in(*waiting.pop(0).result()):
                if path not in seen:
                    seen.add(path)
                    waiting.append(pool.submit(fetch, path))
    seconds = time.perf_counter() - began
    largest = sorted(sizes.items(), key=lambda each: -each[1])[:5]
    named = {re.sub(r"/page/[0-9a-f]+/", "", path): size for path, size in largest}
    return {"files": len(sizes), "bytes": sum(sizes.values()), "seconds": round(seconds, 3), "largest": named}


def measure_in_browser(daemon: Daemon) -> dict[str, object]:
    """Open the page in a browser that has never seen it, and ask that how long it took and how much came."""
    from playwright.sync_api import sync_playwright

    link = json.loads(daemon.ask("POST", "link"))["url"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(BROWSER))
        page = started.new_page()
        page.goto(link)
        page.wait_for_selector("h1")
        entries = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
            .map((each) => ({bytes: each.transferSize, end: each.responseEnd, api: each.name.includes("/api/")}))"""
        found = page.evaluate(entries)
        paint = page.evaluate("performance.getEntriesByType('paint').map((each) => [each.name, each.startTime])")
        started.close()
    own = [each for each in found if not each["api"]]
    return {
        "files": len(own),
        "bytes": sum(each["bytes"] for each in own),
        "seconds": round(max(each["end"] for each in own) / 1000, 3),
        "first_contentful_paint": round(dict(paint).get("first-contentful-paint", 0) / 1000, 3),
    }


# --- all of it ------------------------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> dict[str, object]:
    folder = WORK / f"api-{os.getpid()}"
    opened = browser if options.chromium else follower
    result: dict[str, object] = {"bench": "api", "machine": machine(), "page": opened.__name__, "mib": options.size}
    try:
        with processes() as running:
            source, target = (Daemon(name, folder, running) for name in ("source", "target"))
            result["first_load"] = [measure_first_load(target) for _ in range(3)]
            if options.chromium:
                result["in_browser"] = [measure_in_browser(target) for _ in range(3)]
            result["idle"] = measure_idle(target, opened, options.idle)
            moving = Transfers(source, target, random_file(folder / "file.bin", options.size))
            result["status"] = measure_status(moving, options.seconds)
            result["transfer"] = measure_open(moving, opened, options.rounds)
            for daemon in (source, target):
                daemon.ask("POST", "down")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result["load_after"] = round(os.getloadavg()[0], 2)
    result["met"] = judge(result)
    return result


def judge(result: dict) -> dict[str, bool]:
    """Compare with the claim; of the first loads, the median."""
    slowest = max(each["moving"]["median_ms"] for each in result["status"].values())
    loads = [result[name] for name in ("first_load", "in_browser") if name in result]
    return {
        "status": slowest < STATUS_MS,
        "idle": result["idle"]["with_page"] < IDLE_SHARE,
        "bytes": all(median(each["bytes"] for each in some) < FIRST_LOAD_BYTES for some in loads),
        "seconds": all(median(each["seconds"] for each in some) < FIRST_LOAD_SECONDS for some in loads),
        "transfer": result["transfer"]["rate_times"] > OPEN_RATE,
    }


def random_file(path: Path, size: int) -> Path:
    """Write so many MiB of random bytes."""
    with path.open("wb") as file:
        for _ in range(size * MIB // CHUNK):
            file.write(os.urandom(CHUNK))
    return path


def show(result: dict) -> None:
    """Print the figures for people."""
    rows = [
        (f"status, {name}, {what}", figures["median_ms"], figures["p95_ms"], figures["worst_ms"])
        for name, asked in result["status"].items()
        for what, figures in asked.items()
    ]
    table(("ms", "median", "95 %", "worst"), rows)
    closed, open_ = result["transfer"]["closed"], result["transfer"]["open"]
    table(
        ("transfer", "MiB/s", "CPU s/GiB"),
        [(name, each["mib_per_s"], each["cpu_s_per_gib"]) for name, each in (("closed", closed), ("open", open_))],
    )
    note(
        f"idle page: {100 * result['idle']['with_page']:.2f} % of a core (alone {100 * result['idle']['alone']:.2f} %)"
    )
    for each in (*result["first_load"], *result.get("in_browser", ())):
        note(f"first load: {each['files']} files, {each['bytes']:,} bytes, {each['seconds']} s")
    note(f"met: {result['met']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the file that is sent")
    parser.add_argument("--seconds", type=float, default=15.0, help="to ask for the status, at each daemon")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds of an idle page")
    parser.add_argument("--rounds", type=int, default=5, help="of transfers, with the page closed and open")
    parser.add_argument("--chromium", action="store_true", help="the page itself in Chromium (needs playwright)")
    result = run(parser.parse_args())
    show(result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
