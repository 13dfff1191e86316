"""How many request/reply pairs two processes exchange in a second, and how long one request takes; the rivals in the same run.

Claim: over TLS, 150,000 pipelined pairs a second or more, one sequential request under 0.2 ms (median), and five times
ahead of py-libp2p 0.8 and of pyipv8 3.2. How to read the output: bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys

from _harness import (
    RIVALS,
    WORK,
    Contestant,
    ContestError,
    Process,
    UnavailableError,
    environment,
    machine,
    median,
    note,
    processes,
    table,
    version_of,
)

PAIRS_PER_SECOND = 150_000
SEQUENTIAL_MS = 0.2
TIMES_AHEAD = 5
PATIENCE = 300.0  # seconds for one measurement of the slowest


def peerage() -> list[Contestant]:
    script = RIVALS / "peerage_messages.py"
    return [
        Contestant("peerage", "Peerage, TLS 1.3, request_all", sys.executable, script, "batch"),
        Contestant("peerage-gather", "Peerage, a task for each request", sys.executable, script, "gather"),
    ]


def libp2p() -> list[Contestant]:
    python = environment("libp2p", "libp2p>=0.8,<0.9")
    script, facts = RIVALS / "libp2p_messages.py", {"version": version_of(python, "libp2p"), "rival": "libp2p"}
    return [
        Contestant("libp2p", "py-libp2p, Noise + yamux", python, script, "messages", facts),
        Contestant(
            "libp2p-batched", "  its byte stream, batched by hand", python, script, "batched", facts | {"ceiling": True}
        ),
    ]


def ipv8() -> list[Contestant]:
    python = environment("ipv8", "pyipv8>=3.2,<3.3", "uvloop")
    script, facts = RIVALS / "ipv8_messages.py", {"version": version_of(python, "pyipv8"), "rival": "ipv8"}
    return [
        Contestant("ipv8-uvloop", "pyipv8, compiled, unsigned, uvloop", python, script, "compiled+uvloop", facts),
        Contestant("ipv8-compiled", "pyipv8, compiled, unsigned", python, script, "compiled", facts),
        Contestant("ipv8-signed", "pyipv8, compiled, signed, uvloop", python, script, "compiled-signed+uvloop", facts),
        Contestant("ipv8-tutorial", "pyipv8 as its tutorial has it", python, script, "tutorial", facts),
    ]


FAMILIES = {"peerage": peerage, "libp2p": libp2p, "ipv8": ipv8}


def main() -> int:
    options = arguments()
    skipped: dict[str, str] = {}
    contestants = gather(options.only, skipped)
    where, rounds = machine(), {each.name: [] for each in contestants}
    for number in range(options.rounds):
        for each in contestants:
            if each.name in skipped:
                continue
            note(f"round {number + 1} of {options.rounds}: {each.name}")
            try:
                rounds[each.name].append(measure(each, options))
            except ContestError as error:
                note(str(error))
                skipped[each.name] = str(error)
    results = {each.name: summary(each, rounds[each.name]) for each in contestants if each.name not in skipped}
    report = {
        "bench": "messages",
        "machine": where,
        "settings": {key: value for key, value in vars(options).items() if key != "only"},
        "results": results,
        "compared": compare(results, rounds),
        "skipped": skipped,
    }
    show(contestants, results, report["compared"])
    print(json.dumps(report, indent=2))
    return 1 if "peerage" in skipped else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = f"families or contestants: {', '.join(FAMILIES)}, ipv8-tutorial ..."
    parser.add_argument("--only", nargs="+", metavar="NAME", help=names)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=5_000, help="pairs of one pipelined batch (%(default)s)")
    parser.add_argument(
        "--at-least", type=float, default=1.0, help="seconds for which batches are repeated (%(default)s)"
    )
    parser.add_argument("--sequential", type=int, default=1_000, help="sequential requests (%(default)s)")
    parser.add_argument("--size", type=int, default=32, help="bytes of a request's and a reply's body (%(default)s)")
    return parser.parse_args()


def gather(only: list[str] | None, skipped: dict[str, str]) -> list[Contestant]:
    found: list[Contestant] = []
    for name, family in FAMILIES.items():
        if only and not any(wanted.startswith(name) for wanted in only):
            continue
        try:
            found += [each for each in family() if not only or name in only or each.name in only]
        except UnavailableError as error:
            note(f"{name} is left out: {error}")
            skipped[name] = str(error)
    return found


def measure(contestant: Contestant, options: argparse.Namespace) -> dict[str, float]:
    """One round: two fresh processes, a warm-up, then the two measurements with the CPU of both round each."""
    log = WORK / "logs" / f"messages-{contestant.name}.log"
    size = options.size
    with processes() as started:
        started.append(server := Process(contestant.role("serve"), log))
        address = server.hear(60)["address"]
        started.append(client := Process(contestant.role("ask", address), log))
        client.hear(60)
        ask(started, do="pipelined", count=max(1, options.count // 5), size=size, at_least=0)
        burst = ask(started, do="pipelined", count=options.count, size=size, at_least=options.at_least)
        single = ask(started, do="sequential", count=options.sequential, size=size)
    return {
        "pairs_per_second": burst["pairs"] / burst["seconds"],
        "cpu_us_per_pair": burst["cpu"] / burst["pairs"] * 1e6,
        "sequential_median_ms": single["median_ms"],
        "sequential_p99_ms": single["p99_ms"],
        "cpu_us_per_sequential": single["cpu"] / options.sequential * 1e6,
    }


def ask(pair: list[Process], **job: object) -> dict:
    before = sum(process.cpu() for process in pair)
    pair[1].say(**job)
    answer = pair[1].hear(PATIENCE)
    return {**answer, "cpu": sum(process.cpu() for process in pair) - before}


def summary(contestant: Contestant, rounds: list[dict[str, float]]) -> dict[str, object]:
    rates = [each["pairs_per_second"] for each in rounds]
    medians = {key: median(each[key] for each in rounds) for key in rounds[0]}
    spread = {"lowest": round(min(rates)), "highest": round(max(rates)), "rounds": len(rounds)}
    return {"title": contestant.title.strip(), **contestant.facts, **medians, **spread}


def compare(results: dict[str, dict], rounds: dict[str, list[dict]]) -> dict[str, object]:
    """Set Peerage beside each rival's fastest style; the hand-batched byte stream is shown, but is no messages' figure.

    A rate ratio is the median of the ratios within each round, so that a slow minute of the machine hits both.
    """
    if "peerage" not in results:
        return {}
    ours = results["peerage"]
    rate, latency = ours["pairs_per_second"], ours["sequential_median_ms"]
    times = {name: ratio(rounds["peerage"], rounds[name]) for name in results if name != "peerage"}
    compared: dict[str, object] = {
        "pairs_per_second_met": rate >= PAIRS_PER_SECOND,
        "sequential_met": latency < SEQUENTIAL_MS,
        "rate_times_of_each": times,
    }
    for rival in ("libp2p", "ipv8"):
        theirs = {
            name: each for name, each in results.items() if each.get("rival") == rival and not each.get("ceiling")
        }
        if theirs:
            fastest = max(theirs, key=lambda name: theirs[name]["pairs_per_second"])
            quicker = min(each["sequential_median_ms"] for each in theirs.values()) / latency
            compared[rival] = {
                "fastest_style": fastest,
                "rate_times": times[fastest],
                "latency_times": round(quicker, 2),
                "met": times[fastest] >= TIMES_AHEAD,
            }
    return compared


def ratio(ours: list[dict], theirs: list[dict]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return median(mine["pairs_per_second"] / other["pairs_per_second"] for mine, other in pairs)


def show(contestants: list[Contestant], results: dict[str, dict], compared: dict) -> None:
    heads = ["", "pairs/s", "CPU us/pair", "one request, ms", "p99, ms", "Peerage is faster by"]
    times = compared.get("rate_times_of_each", {})
    rows = []
    for each in contestants:
        if (found := results.get(each.name)) is not None:
            figures = [
                found[key]
                for key in ("pairs_per_second", "cpu_us_per_pair", "sequential_median_ms", "sequential_p99_ms")
            ]
            rows.append([each.title, *figures, f"{times[each.name]:.3g} x" if each.name in times else None])
    note("")
    table(heads, rows)


if __name__ == "__main__":
    sys.exit(main())
