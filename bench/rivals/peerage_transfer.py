"""Peerage, moving one file: content exchange and transfers on two peers, as a node uses them."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from _contest import hear, say, wait_for_end

from peerage.catalogue.hashing import FileStat
from peerage.catalogue.record import Visibility
from peerage.content.download import Wanted
from peerage.content.exchange import ContentExchange
from peerage.content.hasher import ManifestHasher
from peerage.content.holding import WholeHolding
from peerage.content.manifest import PieceSpace, decode
from peerage.content.reader import SharedContent, SharedFile, SharedFiles
from peerage.content.source import Source
from peerage.content.transfers import Transfers
from peerage.identity.link import ContentLink, LinkSource, parse_link
from peerage.peer.open import open_peer


async def seed(source: Path) -> None:
    hashed = ManifestHasher().hash_file(source, lambda _count: None)
    space = PieceSpace(decode(hashed.manifest, hashed.content))
    file = SharedFile(str(source), FileStat.of(source.stat()))
    holding = WholeHolding(hashed.manifest, SharedContent(space, [file], SharedFiles()), Visibility.PUBLIC)

    async def find(content: bytes) -> WholeHolding | None:
        return holding if content == hashed.content else None

    async with open_peer() as peer:
        await peer.mount(ContentExchange([find]))
        where = LinkSource(peer.peer_id, peer.addresses[0])
        say(link=str(ContentLink(content=hashed.content, sources=(where,))))
        await asyncio.to_thread(wait_for_end)


async def leech(work: Path) -> None:
    async with open_peer(None) as peer:
        exchange = ContentExchange()
        await peer.mount(exchange)
        state = Path(tempfile.mkdtemp(dir=work))
        transfers = Transfers(exchange, state)
        await peer.mount(transfers)
        say(ready=True)
        while job := await asyncio.to_thread(hear):
            links = [parse_link(text) for text in job["links"]]
            sources = [Source(each.peer_id, (each.address,)) for link in links for each in link.sources]
            wanted = Wanted(content=links[0].content, target=Path(job["target"]))
            started = time.perf_counter()
            download = await transfers.add(wanted, sources)
            await download.wait()
            seconds = time.perf_counter() - started
            await transfers.cancel(wanted.content)
            say(seconds=seconds, note="TLS 1.3 both ways proved, BLAKE3, fsync")
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    role, _style, *rest = sys.argv[1:]
    uvloop.run(seed(Path(rest[0])) if role == "seed" else leech(Path(rest[0])))
