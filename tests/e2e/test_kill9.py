"""A downloading process is killed without warning, again and again; nothing that was verified is fetched twice."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from peerage.catalogue.hashing import FileStat
from peerage.catalogue.record import Visibility
from peerage.content.exchange import ContentExchange
from peerage.content.hasher import ManifestHasher
from peerage.content.holding import WholeHolding
from peerage.content.manifest import PieceSpace, decode
from peerage.content.reader import SharedContent, SharedFile, SharedFiles
from peerage.identity.keys import format_id
from peerage.limits import MAX_IN_FLIGHT, MIB
from peerage.peer.open import open_peer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SIZE = 60 * MIB + 12345
KILLS = 10
RATE = 12 * MIB  # bytes a second: slow enough that ten kills fall into one download

DOWNLOADER = """
import asyncio, sys
from pathlib import Path
from peerage.content.download import Wanted
from peerage.content.exchange import ContentExchange
from peerage.content.source import Source
from peerage.content.transfers import Transfers
from peerage.identity.address import parse_address
from peerage.identity.keys import PeerId, parse_id
from peerage.peer.open import open_peer

async def main(content, peer, address, target, state):
    async with open_peer(None) as me:
        exchange = ContentExchange()
        await me.mount(exchange)
        transfers = Transfers(exchange, Path(state))
        await me.mount(transfers)
        wanted = Wanted(content=parse_id(content), target=Path(target))
        download = await transfers.add(wanted, [Source(PeerId(parse_id(peer)), (parse_address(address),))])
        print("began", flush=True)
        await download.wait()
        print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


class Seed:
    """A file that is served at a bounded rate, and how much of it was."""

    def __init__(self, path: Path) -> None:
        hashed = ManifestHasher().hash_file(path, lambda _count: None)
        self.content = hashed.content
        space = PieceSpace(decode(hashed.manifest, hashed.content))
        file = SharedFile(str(path), FileStat.of(path.stat()))
        shared = SharedContent(space, [file], SharedFiles())
        self._holding = WholeHolding(hashed.manifest, shared, Visibility.PUBLIC)

    async def find(self, content: bytes) -> WholeHolding | None:
        return self._holding if content == self.content else None


def start(program: Path, arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(program), *arguments], stdout=subprocess.PIPE, text=True)


async def test_kill_9_ten_times_in_a_row_then_a_byte_equal_file(tmp_path):
    seed_number = random.SystemRandom().getrandbits(32)
    print("seed of the moments of the kills:", seed_number)
    rng = random.Random(seed_number)
    source = tmp_path / "source.bin"
    source.write_bytes(os.urandom(SIZE))
    program = tmp_path / "downloader.py"
    program.write_text(DOWNLOADER, "utf-8")
    target = tmp_path / "into" / "got.bin"
    seed = Seed(source)
    async with open_peer() as peer:
        exchange = ContentExchange([seed.find])
        await peer.mount(exchange)
        exchange.rate.change(RATE, asyncio.get_running_loop().time())
        arguments = [format_id(seed.content), format_id(peer.peer_id), str(peer.addresses[0])]
        arguments += [str(target), str(tmp_path / "state")]
        killed = 0
        for _ in range(KILLS):
            child = start(program, arguments)
            assert await asyncio.to_thread(child.stdout.readline) == "began\n"
            await asyncio.sleep(rng.uniform(0.05, 0.5))
            killed += child.poll() is None
            child.send_signal(signal.SIGKILL)
            await asyncio.to_thread(child.wait)
            child.stdout.close()
        assert killed == KILLS, "the download was over before the last kill"
        assert not target.exists()
        exchange.rate.change(0, asyncio.get_running_loop().time())
        last = start(program, arguments)
        said = await asyncio.to_thread(last.communicate, None, 60)
        assert said[0].endswith("done\n")
        assert last.returncode == 0
        sent = peer.metrics.value("bytes_uploaded")
    assert target.read_bytes() == source.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    # what each kill can cost: what was on its way, in the sockets of both sides and in memory, and not yet on disk
    on_its_way = 4 * MIB
    assert on_its_way < MAX_IN_FLIGHT
    assert sent <= SIZE + KILLS * on_its_way
