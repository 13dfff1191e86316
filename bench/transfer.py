"""How fast one file goes from one process to another over loopback and to disk, and what it costs; the rivals in the same run.

Claim: encrypted and verified, Peerage moves 1 GiB at 1.5 times libtorrent's rate in clear, 2.5 times its encrypted rate
and 0.85 times that of nginx and curl over HTTPS or better, with less CPU than libtorrent in clear; with --size 4 neither
side holds more than 150 MiB; with --sources 4 four sources are no slower than one. How to read the output: bench/README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import os
import shutil
import sys
from pathlib import Path

from _harness import (
    RIVALS,
    WORK,
    Contestant,
    ContestError,
    MemoryWatch,
    Process,
    UnavailableError,
    debian,
    environment,
    machine,
    median,
    note,
    processes,
    table,
    version_of,
)

GIB = 1024**3
CHUNK = 4 * 1024**2
AHEAD_OF = {"libtorrent": 1.5, "libtorrent-encrypted": 2.5, "https": 0.85}  # times the rival's rate
CPU_PER_GIB = 0.75  # seconds, all processes together
PEAK_MIB = 150.0  # of either side
SLACK = 0.05  # two medians closer than this are the same on a shared machine
PATIENCE = 120.0  # seconds for one GiB of the slowest


def peerage(sources: int) -> list[Contestant]:
    script = RIVALS / "peerage_transfer.py"
    found = [Contestant("peerage", "Peerage, TLS 1.3, BLAKE3", sys.executable, script, "plain")]
    if sources > 1:
        title = f"Peerage from {sources} sources"
        found.append(Contestant(f"peerage-{sources}", title, sys.executable, script, "plain", {"sources": sources}))
    return found


def libtorrent(_sources: int) -> list[Contestant]:
    python = environment("libtorrent", "libtorrent>=2.1,<2.2")
    script, facts = RIVALS / "libtorrent_transfer.py", {"version": version_of(python, "libtorrent")}
    return [
        Contestant("libtorrent", "libtorrent, in clear, SHA-1", python, script, "plain", facts),
        Contestant("libtorrent-encrypted", "libtorrent, RC4, SHA-1", python, script, "encrypted", facts),
    ]


def https(_sources: int) -> list[Contestant]:
    for program in ("nginx", "curl", "openssl"):
        debian(program, program)
    return [Contestant("https", "nginx and curl, TLS 1.3", sys.executable, RIVALS / "https_transfer.py", "https")]


FAMILIES = {"peerage": peerage, "libtorrent": libtorrent, "https": https}


def main() -> int:
    options = arguments()
    skipped: dict[str, str] = {}
    contestants = gather(options, skipped)
    options.target.mkdir(parents=True, exist_ok=True)
    source, where = make_source(int(options.size * GIB)), machine()
    rounds: dict[str, list[dict]] = {each.name: [] for each in contestants}
    for number in range(options.rounds + 1):
        for each in contestants:
            if each.name in skipped:
                continue
            note(
                f"round {number} of {options.rounds}: {each.name}"
                + ("" if number else " (bytes compared, not counted)")
            )
            try:
                result = measure(each, source, options.target, compare_bytes=number == 0)
            except ContestError as error:
                note(str(error))
                skipped[each.name] = str(error)
                continue
            if number:
                rounds[each.name].append(result)
    whole = {name: found for name, found in rounds.items() if name not in skipped}
    results = {each.name: summary(each, whole[each.name]) for each in contestants if each.name in whole}
    compared = compare(results, whole)
    settings = {"gib": options.size, "rounds": options.rounds, "sources": options.sources}
    show(contestants, results, compared)
    report = {"bench": "transfer", "machine": where, "settings": settings}
    print(json.dumps(report | {"results": results, "compared": compared, "skipped": skipped}, indent=2))
    source.unlink()
    return 1 if any(name.startswith("peerage") for name in skipped) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = "peerage, libtorrent, libtorrent-encrypted, https"
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of: {names}; libtorrent means both of its")
    parser.add_argument("--rounds", type=positive, default=5, help="counted rounds (%(default)s); one more comes first")
    parser.add_argument("--size", type=float, default=1.0, help="GiB of the file (%(default)s)")
    parser.add_argument("--sources", type=int, default=1, help="also run Peerage with this many sources at once")
    parser.add_argument("--target", type=Path, default=WORK / "targets", help="folder to download into (%(default)s)")
    return parser.parse_args()


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def gather(options: argparse.Namespace, skipped: dict[str, str]) -> list[Contestant]:
    found: list[Contestant] = []
    for name, family in FAMILIES.items():
        if options.only and not any(wanted.startswith(name) for wanted in options.only):
            continue
        try:
            found += [
                each for each in family(options.sources) if not options.only or {name, each.name} & set(options.only)
            ]
        except UnavailableError as error:
            note(f"{name} is left out: {error}")
            skipped[name] = str(error)
    return found


def make_source(size: int) -> Path:
    """Write a file of random bytes; having just been written it is in the page cache."""
    folder = WORK / "source"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "file.bin"
    with path.open("wb", buffering=0) as file:
        for start in range(0, size, CHUNK):
            file.write(os.urandom(min(CHUNK, size - start)))
    return path


def touch_source(path: Path) -> None:
    """Read the file once, as a page cache under pressure may have dropped some of it."""
    with path.open("rb", buffering=0) as file:
        while file.read(CHUNK):
            pass


def touch_memory(folder: Path, size: int) -> None:
    """Have the kernel take the pages that the target will need, and free them again.

    On a virtual machine a page that was given back to the host costs ten times as much at its first use, which would
    hit whoever happens to come first.
    """
    path, block = folder / "touch", bytes(CHUNK)
    with path.open("wb", buffering=0) as file:
        for _ in range(0, size + size // 4, CHUNK):
            file.write(block)
    path.unlink()


def measure(contestant: Contestant, source: Path, folder: Path, *, compare_bytes: bool) -> dict[str, object]:
    """One round: fresh processes; seconds are the contestant's own, CPU and memory are read from outside."""
    size, target, log = source.stat().st_size, folder / "arrived.bin", WORK / "logs" / f"transfer-{contestant.name}.log"
    seeds = int(contestant.facts.get("sources", 1))
    with processes() as started, fresh_folder(WORK / "homes") as work:
        for _ in range(seeds):
            started.append(Process(contestant.role("seed", source, work), log))
        patience = PATIENCE * max(1.0, size / GIB) * seeds
        links = [seed.hear(patience)["link"] for seed in started]
        started.append(leech := Process(contestant.role("leech", work), log))
        leech.hear(60)
        touch_source(source)
        touch_memory(folder, size)
        before = [process.cpu() for process in started]
        with MemoryWatch({"seed": started[:-1], "leech": started[-1:]}) as watch:
            leech.say(links=links, target=str(target))
            answer = leech.hear(patience)
            used = [process.cpu() - earlier for process, earlier in zip(started, before, strict=True)]
        arrived = target.stat().st_size if target.exists() else -1
        if arrived != size or (compare_bytes and not filecmp.cmp(source, target, shallow=False)):
            raise ContestError(f"{contestant.name}: what arrived ({arrived} bytes) is not what was sent ({size} bytes)")
        target.unlink()
    return {
        "seconds": answer["seconds"],
        "mib_per_second": size / 1024**2 / answer["seconds"],
        "cpu_per_gib": sum(used) / size * GIB,
        "seed_cpu_per_gib": sum(used[:-1]) / size * GIB,
        "leech_cpu_per_gib": used[-1] / size * GIB,
        "memory": watch.peaks(),
        "note": answer.get("note", ""),
    }


@contextlib.contextmanager
def fresh_folder(path: Path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def summary(contestant: Contestant, rounds: list[dict]) -> dict[str, object]:
    keys = ("seconds", "mib_per_second", "cpu_per_gib", "seed_cpu_per_gib", "leech_cpu_per_gib")
    seconds = [each["seconds"] for each in rounds]
    seeds, leeches = zip(*(sides(each["memory"]) for each in rounds), strict=True)
    return {
        "title": contestant.title,
        **contestant.facts,
        "note": rounds[-1]["note"],
        **{key: median(each[key] for each in rounds) for key in keys},
        "fastest": round(min(seconds), 3),
        "slowest": round(max(seconds), 3),
        "seed_peak_mib": max(seeds),
        "leech_peak_mib": max(leeches),
        "memory_of_last_round": rounds[-1]["memory"],
    }


def sides(memory: list[dict]) -> tuple[float, float]:
    """Return the largest process of each side; the bench's own wrappers are smaller than what they start."""
    by_side = {side: [each["peak_mib"] for each in memory if each["side"] == side] for side in ("seed", "leech")}
    return max(by_side["seed"], default=0.0), max(by_side["leech"], default=0.0)


def compare(results: dict[str, dict], rounds: dict[str, list[dict]]) -> dict[str, object]:
    """Set Peerage beside each rival: the median of the ratios within each round, so that a slow minute hits both."""
    if "peerage" not in results:
        return {}
    ours, compared = results["peerage"], {}
    for name, theirs in rounds.items():
        if name != "peerage":
            pairs = zip(rounds["peerage"], theirs, strict=True)
            ratio = median(mine["mib_per_second"] / other["mib_per_second"] for mine, other in pairs)
            compared[name] = {
                "rate_times": ratio,
                "cpu_times": round(ours["cpu_per_gib"] / results[name]["cpu_per_gib"], 2),
            }
            if name in AHEAD_OF:
                compared[name] |= {"wanted": AHEAD_OF[name], "met": ratio >= AHEAD_OF[name]}
            if name.startswith("peerage-"):
                compared[name] |= {"wanted": 1 + SLACK, "met": ratio <= 1 + SLACK}
    peak = max(ours["seed_peak_mib"], ours["leech_peak_mib"])
    compared["cpu_met"] = ours["cpu_per_gib"] < CPU_PER_GIB
    compared["cpu_below_libtorrent"] = compared.get("libtorrent", {}).get("cpu_times", 0) < 1
    compared["memory_met"] = peak <= PEAK_MIB
    return compared


def show(contestants: list[Contestant], results: dict[str, dict], compared: dict) -> None:
    heads = [
        "",
        "MiB/s",
        "seconds",
        "CPU s/GiB",
        "of it seed",
        "leech",
        "seed MiB",
        "leech MiB",
        "Peerage is faster by",
    ]
    keys = ["mib_per_second", "seconds", "cpu_per_gib", "seed_cpu_per_gib", "leech_cpu_per_gib"]
    keys += ["seed_peak_mib", "leech_peak_mib"]
    rows = []
    for each in contestants:
        if (found := results.get(each.name)) is not None:
            times = compared.get(each.name, {}).get("rate_times")
            rows.append([each.title, *(found[key] for key in keys), f"{times:.3g} x" if times else None])
    note("")
    table(heads, rows)
    for name, found in results.items():
        note(f"{name}: {found['note']}")


if __name__ == "__main__":
    sys.exit(main())
