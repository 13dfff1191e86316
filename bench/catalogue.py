"""Claims about the catalogue: adding and searching a million records, hashing shared files.

Prints one JSON object. The rivals run in the same process on the same records: FTS5 as a tutorial sets it up (the text in
the table, unicode61, ORDER BY rank), and a LIKE scan. For hashing the rival is a plain loop that reads the same bytes
and hashes them with BLAKE3 in one thread.

    python bench/catalogue.py [--records N] [--rounds N] [--bytes N]
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
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blake3 import blake3

from peerage.catalogue.database import Database
from peerage.catalogue.hashing import ContentHasher, FolderEntry, HashedContent
from peerage.catalogue.library import Library
from peerage.catalogue.media_type import mime_of
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Kind, Meta, Record, Visibility, encode
from peerage.identity.keys import PeerKey

VOCABULARY = 60_000
HOLDERS = 500
RIVAL_RECORDS = 200_000  # of the rival's bulk insert, which is a rate as well


class WallClock:
    def time(self) -> float:
        return time.time()


class Zipf:
    """Words as people use them: the n-th most common one in proportion to 1/n."""

    def __init__(self, rng: random.Random) -> None:
        consonants, vowels = "bcdfghjklmnprstvwz", "aeiou"
        syllables = [a + b for a in consonants for b in vowels]
        words = dict.fromkeys("".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(VOCABULARY * 3))
        self.words = list(words)[:VOCABULARY]
        self._weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(self.words))))
        self._rng = rng

    def text(self, fewest: int, most: int) -> str:
        return " ".join(self._rng.choices(self.words, cum_weights=self._weights, k=self._rng.randint(fewest, most)))


def records(count: int, zipf: Zipf, rng: random.Random) -> Iterator[Record]:
    """Records as other peers would send them; unsigned, as their check is not part of this claim."""
    holders = [PeerKey.from_seed(rng.randbytes(32)).public_key for _ in range(HOLDERS)]
    extensions = ["mp3", "flac", "mkv", "pdf", "jpg", "zip", "txt", "epub"]
    signature = bytes(64)
    for number in range(count):
        extension = extensions[number % len(extensions)]
        meta = Meta(zipf.text(1, 4), zipf.text(1, 2), zipf.text(1, 3), 200.0, 320_000) if number % 3 == 0 else None
        yield Record(
            rng.randbytes(32), Kind.FILE, f"{zipf.text(2, 6)}.{extension}", rng.randrange(10**9), mime_of(f"a.{extension}"),
            (zipf.text(1, 2), zipf.text(1, 3)), meta, Visibility.PUBLIC, rng.choice(holders), 1_700_000_000 + number,
            signature,
        )  # fmt: skip


def pairs(zipf: Zipf, first: int, last: int, count: int, rng: random.Random) -> list[str]:
    """Two-word queries of words with these ranks."""
    return [" ".join(rng.sample(zipf.words[first:last], 2)) for _ in range(count)]


def summary(milliseconds: list[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {
        "median_ms": round(statistics.median(ordered), 3),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 3),
        "max_ms": round(ordered[-1], 3),
    }


async def search_times(database: Database, queries: list[str]) -> dict[str, float]:
    times, hits = [], 0
    for text in queries:
        start = time.perf_counter()
        hits += len(await database.search(parse(text), 100))
        times.append((time.perf_counter() - start) * 1000)
    return summary(times) | {"hits_mean": round(hits / len(queries), 1)}


def rival_times(connection: sqlite3.Connection, sql: str, parameters: list[tuple[str, ...]]) -> dict[str, float]:
    times = []
    for values in parameters:
        start = time.perf_counter()
        connection.execute(sql, values).fetchall()
        times.append((time.perf_counter() - start) * 1000)
    return summary(times)


async def bench_records(folder: Path, count: int, rounds: int) -> dict[str, object]:
    rng = random.Random(2007)
    zipf = Zipf(rng)
    database = await Database.open(folder / "catalogue.sqlite", PeerKey.from_seed(bytes(32)).peer_id)
    rival = sqlite3.connect(folder / "rival.sqlite", isolation_level=None)
    rival.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;")
    rival.execute("CREATE VIRTUAL TABLE files USING fts5 (name, path, title, artist, album, body UNINDEXED)")
    adding = cpu = rival_adding = rival_cpu = 0.0
    rival_count = 0
    source = records(count, zipf, rng)
    while batch := list(itertools.islice(source, 20_000)):
        start, start_cpu = time.perf_counter(), time.process_time()
        await database.add(batch)
        adding += time.perf_counter() - start
        cpu += time.process_time() - start_cpu
        start, start_cpu = time.perf_counter(), time.process_time()
        rival.execute("BEGIN")
        rival.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", [rival_row(record) for record in batch])
        rival.execute("COMMIT")
        rival_adding += time.perf_counter() - start
        rival_cpu += time.process_time() - start_cpu
        rival_count += len(batch)
    kinds = {
        "common_common": pairs(zipf, 0, 20, rounds, rng),
        "common_rare": [f"{rng.choice(zipf.words[:20])} {rng.choice(zipf.words[2000:20000])}" for _ in range(rounds)],
        "middle_middle": pairs(zipf, 50, 1000, rounds, rng),
        "rare_rare": pairs(zipf, 2000, 20000, rounds, rng),
    }
    mixed = [text for texts in zip(*kinds.values(), strict=True) for text in texts]
    await search_times(database, mixed[:20])
    searching = {name: await search_times(database, texts) for name, texts in kinds.items()}
    ranked = "SELECT body FROM files WHERE files MATCH ? ORDER BY rank LIMIT 100"
    rival_searching = {name: rival_times(rival, ranked, [(t,) for t in texts]) for name, texts in kinds.items()}
    like = "SELECT name FROM files WHERE name LIKE ? AND name LIKE ? LIMIT 100"
    scans = [tuple(f"%{word}%" for word in text.split()) for text in kinds["rare_rare"][:5]]
    result = {
        "records": count,
        "adding": {
            "records_per_s": round(count / adding),
            "records_per_cpu_s": round(count / cpu),
            "fts5_tutorial_records_per_s": round(rival_count / rival_adding),
            "fts5_tutorial_records_per_cpu_s": round(rival_count / rival_cpu),
        },
        "two_word_query": {"all": await search_times(database, mixed)} | searching,
        "fts5_tutorial_order_by_rank": rival_searching,
        "like_scan_rare_rare": rival_times(rival, like, scans),
        "other_queries": {
            text: await search_times(database, [text] * 5)
            for text in (
                f"{zipf.words[0][:2]}*",
                f'"{zipf.words[0]} {zipf.words[1]}"',
                f"{zipf.words[0]} -{zipf.words[1]} size:>10MB type:audio",
                "ext:nothing",
                "size:>999MB type:audio",
            )
        },
        "file_mb": round((folder / "catalogue.sqlite").stat().st_size / 1e6),
        "rival_file_mb": round((folder / "rival.sqlite").stat().st_size / 1e6),
    }
    rival.close()
    await database.close()
    return result


def rival_row(record: Record) -> tuple[str, str, str, str, str, bytes]:
    meta = record.meta or Meta()
    return record.name, " ".join(record.path), meta.title, meta.artist, meta.album, encode(record)


def node_hasher() -> tuple[str, ContentHasher]:
    """Return the hasher that the node uses, or a plain one as long as there is none."""
    try:
        from peerage.content.hasher import ManifestHasher  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return "plain BLAKE3 of 1 MiB pieces", PieceHasher()
    return "peerage.content.hasher.ManifestHasher", ManifestHasher()


class PieceHasher:
    """Pieces of 1 MiB, read into one buffer per thread of work."""

    def hash_file(self, path: Path, progress: Callable[[int], None]) -> HashedContent:
        buffer = memoryview(bytearray(1 << 20))
        hashes, size = bytearray(), 0
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                hashes += blake3(buffer[:count]).digest()
                size += count
                progress(count)
        return HashedContent(blake3(hashes).digest(), size, bytes(hashes))

    def combine_folder(self, entries: list[FolderEntry]) -> HashedContent:
        manifest = b"".join(entry.relative.encode() + entry.content.manifest for entry in entries)
        return HashedContent(blake3(manifest).digest(), sum(entry.content.size for entry in entries), manifest)


def plain_hashing(paths: list[Path]) -> float:
    """Seconds of one thread that reads and hashes files and does nothing else."""
    buffer = memoryview(bytearray(1 << 20))
    start = time.perf_counter()
    for path in paths:
        hasher = blake3()
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                hasher.update(buffer[:count])
        hasher.digest()
    return time.perf_counter() - start


async def share_seconds(folder: Path, target: Path, hasher: ContentHasher) -> tuple[float, float]:
    """Seconds to share something for the first time, and to find at the next start that it is unchanged."""
    key = PeerKey.from_seed(bytes(32))
    database = await Database.open(folder / "node" / "catalogue.sqlite", key.peer_id)
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        library = Library(database, key, hasher, WallClock(), executor)
        start = time.perf_counter()
        await library.share(target)
        first = time.perf_counter() - start
        start = time.perf_counter()
        await library.start()
        again = time.perf_counter() - start
        await library.unshare(target)
    await database.close()
    return first, again


async def bench_hashing(folder: Path, size: int, rounds: int) -> dict[str, object]:
    name, hasher = node_hasher()
    large = folder / "large.bin"
    block = random.Random(1).randbytes(1 << 20)
    with large.open("wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(8, "big") + block[8:])
    small = folder / "small"
    small.mkdir()
    for number in range(10_000):
        (small / f"{number:05}.txt").write_bytes(number.to_bytes(8, "big") + block[8 : 8 + 4096])
    plain_hashing([large])  # now it is in the page cache
    ours, plain, many, again = [], [], [], []
    for _ in range(rounds):
        ours.append((await share_seconds(folder, large, hasher))[0])
        plain.append(plain_hashing([large]))
        first, unchanged = await share_seconds(folder, small, hasher)
        many.append(first)
        again.append(unchanged)
    return {
        "hasher": name,
        "bytes": size,
        "one_file_gb_per_s": round(size / statistics.median(ours) / 1e9, 2),
        "one_file_plain_loop_gb_per_s": round(size / statistics.median(plain) / 1e9, 2),
        "ratio_to_plain_loop": round(statistics.median(plain) / statistics.median(ours), 2),
        "small_files_of_4_kib_per_s": round(10_000 / statistics.median(many)),
        "small_files_unchanged_at_next_start_per_s": round(10_000 / statistics.median(again)),
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=50, help="queries of each kind")
    parser.add_argument("--bytes", type=int, default=1 << 30, help="size of the large file")
    parser.add_argument("--hash-rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="peerage-bench-") as name:
        hashing = await bench_hashing(Path(name), options.bytes, options.hash_rounds) if options.bytes else None
        found = await bench_records(Path(name), options.records, options.rounds) if options.records else None
    result = {
        "bench": "catalogue",
        "ran": {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "cpus": os.cpu_count()},
        "catalogue": found,
        "hashing": hashing,
        "max_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
