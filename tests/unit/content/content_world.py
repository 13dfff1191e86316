"""What the tests of moving content share: nodes in virtual time that seed and fetch real files, and nodes that cheat."""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from peerage.catalogue.hashing import FileStat, FolderEntry
from peerage.catalogue.record import Visibility
from peerage.content.download import Download
from peerage.content.exchange import ContentExchange
from peerage.content.hasher import ManifestHasher
from peerage.content.holding import Holding, WholeHolding
from peerage.content.manifest import PieceSpace, decode
from peerage.content.reader import SharedContent, SharedFile, SharedFiles
from peerage.content.source import Source
from peerage.content.status import Wanted
from peerage.content.transfers import Transfers
from peerage.lab.clock import run_virtual
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.limits import KIB, MIB

PIECE = 256 * KIB
LINE = 4 * MIB  # bytes a second that a node can send, unless a test says otherwise


def some_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


FOLDER = {
    "a/one.txt": b"one" * 1000,
    "a/two.bin": some_bytes(2 * PIECE + 5, 2),
    "b/empty": b"",
    "b/three.txt": some_bytes(3 * PIECE, 3),
    "z": b"z",
}


class Seeded:
    """A content that some node has: its id, and what is in it."""

    def __init__(self, content: bytes, space: PieceSpace, data: bytes | dict[str, bytes]) -> None:
        self.id = content
        self.space = space
        self.data = data
        self.size = space.size

    def equals(self, path: Path) -> bool:
        """Whether a file or a folder is this content, and nothing else."""
        if isinstance(self.data, bytes):
            return path.read_bytes() == self.data
        found = {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}
        return found == self.data


class Station:
    """A node that serves what was given to it, and downloads."""

    exchange_kind: type[ContentExchange] = ContentExchange

    def __init__(self, node: SimNode, folder: Path) -> None:
        self.node = node
        self.peer = node.peer
        self.folder = folder
        self.served: dict[bytes, Holding] = {}
        self.known: list[Source] = []  # what `locate` says
        self.searches = 0
        self.exchange = self.exchange_kind([self._find])
        self.transfers = Transfers(self.exchange, folder / "state", self._locate)
        self._reader = SharedFiles()
        node.stack.callback(self._reader.close)

    @property
    def source(self) -> Source:
        return Source(self.peer.peer_id, (self.node.address,))

    @property
    def sent(self) -> int:
        """Bytes that left this computer."""
        return self.node.host.bytes_sent

    @property
    def received(self) -> int:
        """Bytes that came to this computer."""
        return self.node.host.bytes_received

    async def seed(
        self, data: bytes | dict[str, bytes], visibility: Visibility = Visibility.PUBLIC, name: str = ""
    ) -> Seeded:
        """Write a file or a folder to disk and serve it."""
        name = name or f"seeded {len(self.served)}"
        hasher = ManifestHasher()
        place = self.folder / name
        if isinstance(data, bytes):
            place.write_bytes(data)
            hashed = hasher.hash_file(place, lambda _count: None)
            paths = [place]
        else:
            entries = []
            for path in sorted(data):
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).write_bytes(data[path])
                entries.append(FolderEntry(path, hasher.hash_file(place / path, lambda _count: None)))
            hashed = hasher.combine_folder(entries)
            paths = [place / path for path in sorted(data)]
        space = PieceSpace(decode(hashed.manifest, hashed.content))
        files = [SharedFile(str(path), FileStat.of(path.stat())) for path in paths]
        content = SharedContent(space, files, self._reader)
        self.served[hashed.content] = self.holding_of(WholeHolding(hashed.manifest, content, visibility))
        return Seeded(hashed.content, space, data)

    def holding_of(self, holding: WholeHolding) -> Holding:
        """What is served: the truth, unless a cheat has another idea."""
        return holding

    async def get(self, what: Seeded, *sources: Station, name: str = "got", only: str = "") -> Download:
        wanted = Wanted(content=what.id, target=self.folder / name, only=only, size=what.size)
        return await self.transfers.add(wanted, [each.source for each in sources])

    def keep_to_itself(self) -> None:
        """Serve nobody from now on."""

        async def nothing(_connection: object, _content: bytes) -> None:
            return None

        self.exchange._find = nothing  # type: ignore[method-assign]

    async def restart_transfers(self) -> None:
        """Stop the downloads and take them up again, as the next run of a node does."""
        await self.peer.unmount(self.transfers)
        self.transfers = Transfers(self.exchange, self.folder / "state", self._locate)
        await self.peer.mount(self.transfers)

    async def _find(self, content: bytes) -> Holding | None:
        return self.served.get(content)

    async def _locate(self, _content: bytes) -> AsyncIterator[Source]:
        self.searches += 1
        for source in self.known:
            yield source


class Stage:
    """A world, and the stations in it."""

    def __init__(self, world: World, root: Path) -> None:
        self.world = world
        self.root = root
        self.loop = asyncio.get_running_loop()

    @property
    def now(self) -> float:
        return self.loop.time()

    async def add(self, kind: type[Station] = Station, *, up: float = LINE, down: float = 0.0) -> Station:
        """Add a node."""
        made: list[Station] = []

        async def equip(node: SimNode) -> None:
            folder = self.root / str(node.number)
            folder.mkdir()
            node.host.set_bandwidth(up, down)
            station = kind(node, folder)
            await node.peer.mount(station.exchange)
            await node.peer.mount(station.transfers)
            node.peer.start_pings()
            made.append(station)

        self.world._equip = equip
        await self.world.add()
        return made[0]

    async def kill(self, station: Station, *, silently: bool = False) -> None:
        await self.world.kill(station.node, silently=silently)


async def finished(download: Download, seconds: float = 600.0) -> Path:
    """Wait for a download, but not for ever."""
    async with asyncio.timeout(seconds):
        return await download.wait()


async def until(condition: Callable[[], Any], seconds: float = 600.0, step: float = 0.05) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(step)


def on_stage(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test that takes a Stage in virtual time; it gets `tmp_path` for its nodes."""

    @functools.wraps(test)
    def run(tmp_path: Path, **others: Any) -> None:
        async def main(rng: random.Random) -> None:
            async with World(rng, WorldPlan(peers=0, traced=False)) as world:
                await test(Stage(world, tmp_path), **others)
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            assert not rest, f"tasks are left: {rest}"

        run_virtual(main)

    _stage, *rest = inspect.signature(test).parameters.values()
    first = inspect.Parameter("tmp_path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([first, *rest])  # type: ignore[attr-defined]
    return run
