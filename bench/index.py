"""Claims about an index: it holds five million records, and over TLS it answers not much slower than its own database.

Builds an index file, then takes turns, in one run: the same database asked directly by one thread of one process; and a
peer that serves it, asked over TLS by 50 peers at once (one question each at a time), all of which live in one more
process. Prints one JSON object. What comes over TLS is compared with what the database says. The askers decode what they
get; checking signatures is theirs to do and no part of this claim, so records here are unsigned.

    python bench/index.py [--records N] [--rounds N] [--seconds N] [--file PATH [--keep]]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop
from catalogue import Zipf, pairs

from peerage.catalogue import schema
from peerage.catalogue.index_table import IndexFinder, Tenant
from peerage.catalogue.media_type import mime_of
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Kind, Meta, Record, Visibility
from peerage.catalogue.record_index import RecordIndex
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.overlay.index import IndexOverlay, IndexRules
from peerage.overlay.index.messages import AskIndex
from peerage.overlay.index.signed import Term, make_lease
from peerage.peer.open import open_peer

CLIENTS = 50
HITS = 50  # wanted by each question, as one node gives to a flooded question
HOLDERS = 1000
TEXTS = 100_000  # names, and as many titles, that records are made of
EXPIRES = 2**31
UNLIMITED = IndexRules(queries_rate=1e9, queries_burst=1e9)


class NoShelf:
    """A server that shares nothing itself."""

    async def find(self, *_: Any) -> tuple[()]:
        return ()

    async def visibility(self, *_: Any) -> None:
        return None

    def fetching(self) -> tuple[()]:
        return ()


# --- building ---------------------------------------------------------------------------------------------------------


def records(zipf: Zipf, rng: random.Random) -> Iterator[list[Record]]:
    """Yield, without end, pieces of what one holder shares; texts are put together from a stock, which is fast."""
    names = [zipf.text(2, 6) for _ in range(TEXTS)]
    folders = [zipf.text(1, 3) for _ in range(TEXTS)]
    extensions = ["mp3", "flac", "mkv", "pdf", "jpg", "zip", "txt", "epub"]
    mimes = [mime_of(f"a.{extension}") for extension in extensions]
    metas = [Meta(zipf.text(1, 4), zipf.text(1, 2), zipf.text(1, 3), 200.0, 320_000) for _ in range(TEXTS)]
    signature = bytes(64)
    for serial in itertools.count():
        key = PeerKey.from_seed(serial.to_bytes(32, "big"))
        yield [
            Record(
                rng.randbytes(32), Kind.FILE, f"{names[rng.randrange(TEXTS)]}.{extensions[which]}",
                rng.randrange(10**9), mimes[which], (folders[rng.randrange(TEXTS)],),
                metas[rng.randrange(TEXTS)] if which < 3 else None, Visibility.PUBLIC, key.public_key,
                1_700_000_000 + serial, signature,
            )
            for which in itertools.islice(itertools.cycle(range(8)), 5000)
        ]  # fmt: skip


async def build(path: Path, count: int) -> dict[str, Any]:
    """Build the index with the product's own code, in one thread."""
    rng = random.Random(1999)
    index = await RecordIndex.open(path)
    adding = adding_cpu = 0.0
    started = time.perf_counter()
    for serial, batch in enumerate(records(Zipf(rng), rng)):
        key = PeerKey.from_seed(serial.to_bytes(32, "big"))
        where = (Address("192.0.2.7", 7411),)
        proof = make_lease(key, where, Term(1_700_000_000, EXPIRES), ())
        piece = batch[: count - index.count]
        before, before_cpu = time.perf_counter(), time.process_time()
        await index.put(Tenant(key.peer_id, where, EXPIRES, proof), piece)
        adding += time.perf_counter() - before
        adding_cpu += time.process_time() - before_cpu
        if index.count >= count:
            break
    held = index.count
    await index.close()
    return {
        "records": held,
        "holders": serial + 1,
        "records_per_s": round(held / adding),
        "records_per_cpu_s": round(held / adding_cpu),
        "seconds_with_making_the_records": round(time.perf_counter() - started),
        "file_mb": round(path.stat().st_size / 1e6),
        "bytes_per_record": round(path.stat().st_size / held),
        "max_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def questions(count: int) -> list[str]:
    """Return two-word queries: two common words, a common and a rare one, two middling ones, two rare ones, in turn."""
    zipf, rng = Zipf(random.Random(1999)), random.Random(7)
    each = count // 4
    kinds = (
        pairs(zipf, 0, 20, each, rng),
        [f"{rng.choice(zipf.words[:20])} {rng.choice(zipf.words[2000:20000])}" for _ in range(each)],
        pairs(zipf, 50, 1000, each, rng),
        pairs(zipf, 2000, 20000, each, rng),
    )
    return [text for texts in zip(*kinds, strict=True) for text in texts]


# --- the roles, each a process ------------------------------------------------------------------------------------------


def direct(path: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Ask the database itself, one question after the other."""
    finder = IndexFinder(schema.open_reader(path))
    texts = questions(4000)
    random.Random(seed).shuffle(texts)
    for text in texts[:100]:
        finder.search(parse(text), HITS)
    asked = hits = 0
    cpu, start = time.process_time(), time.perf_counter()
    for text in itertools.cycle(texts):
        hits += len(finder.search(parse(text), HITS))
        asked += 1
        if time.perf_counter() - start >= seconds:
            break
    taken = time.perf_counter() - start
    return {
        "per_s": asked / taken,
        "cpu_ms_per_query": 1000 * (time.process_time() - cpu) / asked,
        "hits_mean": round(hits / asked, 1),
    }


async def serve(path: Path) -> None:
    """Serve the index until standard input ends; a line asks for the CPU seconds so far."""
    index = await RecordIndex.open(path)
    async with open_peer() as peer:
        await peer.mount(IndexOverlay(NoShelf(), serve=index, rules=UNLIMITED))
        print(peer.addresses[0].port, flush=True)
        while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            print(time.process_time(), flush=True)
    await index.close()


async def ask(port: int, seconds: float, seed: int, path: Path) -> dict[str, Any]:
    """Ask with many peers at once, after a sample was compared with the database."""
    texts = questions(4000)
    random.Random(seed).shuffle(texts)
    source = itertools.cycle(texts)
    latencies: list[float] = []
    hits = 0
    async with asyncio.timeout(seconds + 60):
        links = [await stack_link(port) for _ in range(CLIENTS)]
        checked = await compare(links[0][1], texts[:40], path)
        start, cpu = time.perf_counter(), time.process_time()

        async def one(connection: Any) -> None:
            nonlocal hits
            while (began := time.perf_counter()) - start < seconds:
                async for part in connection.request_parts(AskIndex(next(source), HITS), 30.0):
                    hits += sum(len(holder.bodies) for holder in part.holders)
                latencies.append(time.perf_counter() - began)

        async with asyncio.TaskGroup() as tasks:
            for _, connection in links:
                tasks.create_task(one(connection))
        taken = time.perf_counter() - start
        cpu = time.process_time() - cpu
        for peer, _ in links:
            await peer.__aexit__(None, None, None)
    latencies.sort()
    return {
        "per_s": len(latencies) / taken,
        "asked": len(latencies),
        "asker_cpu_ms_per_query": 1000 * cpu / len(latencies),
        "median_ms": round(1000 * statistics.median(latencies), 1),
        "p95_ms": round(1000 * latencies[int(len(latencies) * 0.95)], 1),
        "hits_mean": round(hits / len(latencies), 1),
        "answers_compared": checked,
    }


async def stack_link(port: int) -> tuple[Any, Any]:
    """Open a peer of its own and its link to the index."""
    peer = open_peer(None)
    opened = await peer.__aenter__()
    return peer, await opened.connect(Address("127.0.0.1", port))


async def compare(connection: Any, texts: list[str], path: Path) -> int:
    """Check that the peer answers exactly what the database does."""
    finder = IndexFinder(schema.open_reader(path))
    for text in texts:
        expected = {found.body for found in finder.search(parse(text), HITS)}
        told = {
            body
            async for part in connection.request_parts(AskIndex(text, HITS), 30.0)
            for holder in part.holders
            for body in holder.bodies
        }
        if told != expected:
            raise SystemExit(f"the index told {len(told)} records of {text!r}, the database {len(expected)} others")
    return len(texts)


# --- the run ----------------------------------------------------------------------------------------------------------


class Server:
    """The serving process."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def cpu(self) -> float:
        """Return the CPU seconds that it has used."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return float(await self._process.stdout.readline())


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--role", "serve", "--file", str(path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Server(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


async def in_process(role: str, *arguments: object) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--role", role, *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"the process that was to {role} failed")
    return dict(json.loads(out))


async def rounds(path: Path, count: int, seconds: float) -> dict[str, Any]:
    alone, served, ratios, costs = [], [], [], []
    for number in range(count):
        common = ("--file", path, "--seconds", seconds, "--seed", number)
        alone.append(await in_process("direct", *common))
        async with serving(path) as server:
            await in_process("ask", *common, "--port", server.port, "--seconds", 2)
            before = await server.cpu()
            served.append(await in_process("ask", *common, "--port", server.port))
            costs.append(1000 * (await server.cpu() - before) / served[-1]["asked"])
        ratios.append(served[-1]["per_s"] / alone[-1]["per_s"])
    return {
        "direct_per_s": [round(each["per_s"]) for each in alone],
        "direct_cpu_ms_per_query": [round(each["cpu_ms_per_query"], 2) for each in alone],
        "served_per_s": [round(each["per_s"]) for each in served],
        "server_cpu_ms_per_query": [round(each, 2) for each in costs],
        "asker_cpu_ms_per_query": [round(each["asker_cpu_ms_per_query"], 2) for each in served],
        "served_median_ms": [each["median_ms"] for each in served],
        "served_p95_ms": [each["p95_ms"] for each in served],
        "hits_mean": [alone[-1]["hits_mean"], served[-1]["hits_mean"]],
        "answers_compared": sum(each["answers_compared"] for each in served),
        "ratios": [round(each, 2) for each in ratios],
        "ratio": round(statistics.median(ratios), 2),
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="peerage-bench-") as name:
        path = options.file or Path(name) / "index.sqlite"
        built = None if path.exists() else await build(path, options.records)
        try:
            asked = await rounds(path, options.rounds, options.seconds) if options.rounds else None
        finally:
            if not options.keep:
                for suffix in ("", "-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
    ran = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "cpus": os.cpu_count()}
    return {"bench": "index", "ran": ran, "load": os.getloadavg(), "built": built, "clients": CLIENTS, "asked": asked}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="0: build only")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--file", type=Path, help="where the index lies; one that exists is used as it is")
    parser.add_argument("--keep", action="store_true", help="do not delete it afterwards")
    parser.add_argument("--role", choices=["direct", "serve", "ask"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "serve":
        uvloop.run(serve(options.file))
    elif options.role == "direct":
        print(json.dumps(direct(options.file, options.seconds, options.seed)))
    elif options.role == "ask":
        print(json.dumps(uvloop.run(ask(options.port, options.seconds, options.seed, options.file))))
    else:
        print(json.dumps(asyncio.run(run(options)), indent=1))


if __name__ == "__main__":
    main()
