"""What every contestant shares: one JSON object a line, in by stdin, out by stdout. Standard library only.

A contestant is a script with two roles, started by the bench as two processes (see bench/README.md):

    messages:  SCRIPT serve STYLE            says {"address": ...}          then waits for the end of stdin
               SCRIPT ask STYLE ADDRESS      says {"ready": true}           then does what each line asks:
                   {"do": "pipelined", "count": N, "size": B, "at_least": S}  -> {"pairs": ..., "seconds": ...}
                   {"do": "sequential", "count": N, "size": B}                -> {"median_ms": ..., "p99_ms": ...}

    transfer:  SCRIPT seed STYLE FILE WORK   says {"link": ...}             then waits for the end of stdin
               SCRIPT leech STYLE WORK       says {"ready": true}           then for each line
                   {"links": [...], "target": PATH}                           -> {"seconds": ..., "note": ...}

Set-up (imports, keys, listening, for messages also the connection) is over when the first line is said. The bench
reads the CPU time of both processes round each request, so a contestant measures nothing but its own seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable


def say(**fields: object) -> None:
    """Print one JSON line at once."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def hear() -> dict | None:
    """Wait for one JSON line; None at the end of stdin. It blocks, so call it from a thread inside a loop."""
    line = sys.stdin.readline()
    return json.loads(line) if line.strip() else None


def wait_for_end() -> None:
    """Block until the bench closes stdin."""
    while sys.stdin.readline():
        pass


async def answer(
    job: dict,
    pipelined: Callable[[int, int], Awaitable[None]],
    sequential: Callable[[int], Awaitable[None]],
) -> None:
    """Do one job of the messages bench: `pipelined(count, size)` is one batch, `sequential(size)` one request."""
    count, size = job["count"], job["size"]
    if job["do"] == "pipelined":
        pairs, started = 0, time.perf_counter()
        while True:
            await pipelined(count, size)
            pairs += count
            seconds = time.perf_counter() - started
            if seconds >= job["at_least"]:
                break
        say(pairs=pairs, seconds=seconds)
        return
    times = []
    for _ in range(count):
        started = time.perf_counter()
        await sequential(size)
        times.append(time.perf_counter() - started)
    times.sort()
    say(median_ms=times[len(times) // 2] * 1e3, p99_ms=times[len(times) * 99 // 100] * 1e3)
