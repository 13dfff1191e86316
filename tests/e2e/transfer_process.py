"""One side of a transfer as a process of its own: `seed FOLDER_OR_FILE`, or `leech LINK TARGET STATE RATE`.

Each line on stdout is a JSON object. The seed says its link and serves until its stdin ends; the leech says how far it is
fifty times a second, and goes on with what an earlier process left.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import uvloop

from peerage.catalogue.hashing import FileStat, FolderEntry, HashedContent
from peerage.catalogue.record import Visibility
from peerage.content.download import Download, DownloadState, Wanted
from peerage.content.exchange import ContentExchange
from peerage.content.hasher import ManifestHasher
from peerage.content.holding import Holding, WholeHolding
from peerage.content.manifest import PieceSpace, decode
from peerage.content.reader import SharedContent, SharedFile, SharedFiles
from peerage.content.source import Source
from peerage.content.transfers import Transfers
from peerage.errors import PeerageError
from peerage.identity.link import ContentLink, LinkSource, parse_link
from peerage.peer.open import open_peer

REPORT = 0.02  # seconds


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def hashed(place: Path) -> tuple[HashedContent, list[Path]]:
    hasher = ManifestHasher()
    if place.is_file():
        return hasher.hash_file(place, lambda _count: None), [place]
    paths = {str(path.relative_to(place)): path for path in place.rglob("*") if path.is_file()}
    entries = [FolderEntry(name, hasher.hash_file(paths[name], lambda _count: None)) for name in sorted(paths)]
    return hasher.combine_folder(entries), [paths[name] for name in sorted(paths)]


async def seed(place: Path) -> None:
    content, paths = hashed(place)
    files = [SharedFile(str(path), FileStat.of(path.stat())) for path in paths]
    space = PieceSpace(decode(content.manifest, content.content))
    whole = WholeHolding(content.manifest, SharedContent(space, files, SharedFiles()), Visibility.PUBLIC)

    async def find(wanted: bytes) -> Holding | None:
        return whole if wanted == content.content else None

    async with open_peer() as peer:
        await peer.mount(ContentExchange([find]))
        where = LinkSource(peer.peer_id, peer.addresses[0])
        say(link=str(ContentLink(content=content.content, size=space.size, sources=(where,))))
        await asyncio.to_thread(sys.stdin.read)


async def leech(link: ContentLink, target: Path, state: Path, rate: int) -> None:
    async with open_peer(None) as peer:
        exchange = ContentExchange()
        await peer.mount(exchange)
        transfers = Transfers(exchange, state)
        await peer.mount(transfers)
        transfers.set_limits(rate, 0)
        if not transfers.all():
            sources = [Source(each.peer_id, (each.address,)) for each in link.sources]
            await transfers.add(Wanted(content=link.content, target=target), sources)
        [download] = transfers.all()
        await report(download, transfers)
        await peer.unmount(transfers)  # notes that it is done


async def report(download: Download, transfers: Transfers) -> None:
    waiting = asyncio.create_task(download.wait())
    while not waiting.done():
        await asyncio.wait([waiting], timeout=REPORT)
        if download.state in {DownloadState.RUNNING, DownloadState.DONE}:
            say(state=download.state, done=download.status().done, fetched=transfers.rate.total)
    try:
        say(path=str(await waiting))
    except PeerageError as error:
        say(error=str(error))


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    if role == "seed":
        uvloop.run(seed(Path(rest[0])))
    else:
        uvloop.run(leech(parse_link(rest[0]), Path(rest[1]), Path(rest[2]), int(rest[3])))
