"""One test for each way to harm a download, named after it: the cheat is dropped, the download completes, nothing leaks."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from content_world import LINE, PIECE, Seeded, Station, finished, on_stage, some_bytes

from peerage.content.bitmap import Bitmap
from peerage.content.download import DownloadState, Wanted
from peerage.content.exchange import ContentExchange
from peerage.content.holding import Holding, WholeHolding
from peerage.content.manifest import FileManifest, FolderFile, FolderManifest, PieceHasher, content_id_of
from peerage.content.messages import HavePieces, Queued, Want, WantPart
from peerage.content.names import safe_name
from peerage.errors import ChangedError, ProtocolError, UnsafeNameError
from peerage.identity.link import ContentLink, parse_link
from peerage.limits import MAX_MANIFEST, MIB, STALL_SECONDS
from peerage.peer.handlers import Later

DATA = some_bytes(8 * MIB)


class Liar(WholeHolding):
    """Says and gives something else than there is."""

    def __init__(self, truth: WholeHolding) -> None:
        super().__init__(truth.manifest, truth._content, truth.visibility)
        self.asked = 0


class WrongPieces(Liar):
    def read_piece(self, index: int, buffer: memoryview) -> None:
        self.asked += 1
        super().read_piece(index, buffer)
        if index % 3 == 1:
            buffer[7] ^= 1


class HasNothing(Liar):
    def read_piece(self, index: int, buffer: memoryview) -> None:
        self.asked += 1
        raise ChangedError("it is not here")


class MapTooLong(Liar):
    def pieces(self) -> Bitmap:
        return Bitmap.full(self.space.count + 9)


class MapBeyondTheEnd(Liar):
    def pieces(self) -> Bitmap:
        wrong = Bitmap.full(self.space.count // 8 * 8 + 8)
        wrong.size = self.space.count
        return wrong


class OtherManifest(Liar):
    def __init__(self, truth: WholeHolding) -> None:
        super().__init__(truth)
        self.manifest = self.manifest[:-1] + bytes([self.manifest[-1] ^ 1])


def liar(kind: type[Liar]) -> type[Station]:
    class LyingStation(Station):
        def holding_of(self, holding: WholeHolding) -> Holding:
            return kind(holding)

    return LyingStation


class SilentExchange(ContentExchange):
    """Takes every order and sends nothing."""

    name = "silent"

    def _on_get_piece(self, connection, message) -> Later:
        return Later()


class Silent(Station):
    exchange_kind = SilentExchange


class EndlessQueueExchange(ContentExchange):
    """Lets everyone wait for ever."""

    def _on_get_piece(self, connection, message) -> Later:
        connection.send(Queued(0))
        return Later()


class EndlessQueue(Station):
    exchange_kind = EndlessQueueExchange


class BabblingExchange(ContentExchange):
    """Claims pieces that cannot be."""

    def _on_get_piece(self, connection, message) -> Later:
        connection.send(HavePieces(message.content, (0, 2**32 - 1)))
        return Later()


class Babbling(Station):
    exchange_kind = BabblingExchange


class HugeManifestExchange(ContentExchange):
    """Announces the largest manifest there may be and sends it at its leisure."""

    async def _on_want(self, connection, message: Want):
        while True:
            yield WantPart(MAX_MANIFEST, 0, bytes(1024))
            await asyncio.sleep(0.5)


class HugeManifest(Station):
    exchange_kind = HugeManifestExchange


class ContradictoryExchange(ContentExchange):
    async def _on_want(self, connection, message: Want):
        yield WantPart(100, 0, bytes(50))
        yield WantPart(101, 0, bytes(50))


class Contradictory(Station):
    exchange_kind = ContradictoryExchange


class TooMuchExchange(ContentExchange):
    async def _on_want(self, connection, message: Want):
        yield WantPart(10, 0, bytes(500))


class TooMuch(Station):
    exchange_kind = TooMuchExchange


# --- sources that cheat ---------------------------------------------------------------------------------------------


@on_stage
async def test_wrong_piece(stage):
    cheat, honest, leech = await stage.add(liar(WrongPieces)), await stage.add(up=MIB), await stage.add()
    what = await cheat.seed(DATA)
    await honest.seed(DATA)
    download = await leech.get(what, cheat, honest)
    assert what.equals(await finished(download))
    assert leech.peer.metrics.value("wrong_pieces") >= 1
    assert cheat.peer.peer_id not in {source.peer_id for source in download.swarm.sources}
    asked = cheat.served[what.id].asked
    download.add_source(cheat.source)  # it is remembered
    await asyncio.sleep(10)
    assert cheat.served[what.id].asked == asked


@on_stage
async def test_wrong_piece_from_the_only_source(stage):
    cheat, leech, honest = await stage.add(liar(WrongPieces)), await stage.add(), await stage.add()
    what = await cheat.seed(DATA)
    await honest.seed(DATA)
    download = await leech.get(what, cheat)
    await asyncio.sleep(120)
    assert download.state is DownloadState.RUNNING
    assert "not the right one" in download.status().note
    download.add_source(honest.source)
    assert what.equals(await finished(download))


@on_stage
async def test_wrong_manifest(stage):
    cheat, honest, leech = await stage.add(liar(OtherManifest)), await stage.add(), await stage.add()
    what = await cheat.seed(DATA)
    await honest.seed(DATA)
    download = await leech.get(what, cheat)
    await asyncio.sleep(5)
    assert download.status().state is DownloadState.FINDING
    assert "not the one that the content id stands for" in download.status().note
    download.add_source(honest.source)
    assert what.equals(await finished(download))


@on_stage
async def test_stalling_source(stage):
    cheat, honest, leech = await stage.add(Silent), await stage.add(up=MIB), await stage.add()
    what = await cheat.seed(DATA)
    await honest.seed(DATA)
    download = await leech.get(what, cheat, honest)
    assert what.equals(await finished(download, 30))


@on_stage
async def test_stalling_source_that_is_the_only_one(stage):
    cheat, honest, leech = await stage.add(Silent), await stage.add(), await stage.add()
    what = await cheat.seed(DATA)
    await honest.seed(DATA)
    download = await leech.get(what, cheat)
    await asyncio.sleep(2 * STALL_SECONDS)
    assert leech.peer.metrics.value("sources_stalled") >= 1
    assert download.status().note.startswith("nothing comes from its sources; looking for others")
    assert "sends nothing" in download.status().note
    download.add_source(honest.source)
    assert what.equals(await finished(download))


@on_stage
async def test_endless_queue(stage):
    cheat, honest, leech = await stage.add(EndlessQueue), await stage.add(up=MIB), await stage.add()
    what = await cheat.seed(DATA)
    await honest.seed(DATA)
    download = await leech.get(what, cheat, honest)
    assert what.equals(await finished(download, 30))


@pytest.mark.parametrize("kind", [HasNothing, MapTooLong, MapBeyondTheEnd])
@on_stage
async def test_lying_piece_map(stage, kind):
    cheat, honest, leech = await stage.add(liar(kind)), await stage.add(up=MIB), await stage.add()
    what = await cheat.seed(DATA[:-1])
    await honest.seed(DATA[:-1])
    download = await leech.get(what, cheat, honest)
    assert what.equals(await finished(download, 30))
    assert cheat.served[what.id].asked <= 2 * what.space.count


@on_stage
async def test_pieces_that_cannot_be(stage):
    cheat, honest, leech = await stage.add(Babbling), await stage.add(up=MIB), await stage.add()
    what = await cheat.seed(DATA)
    await honest.seed(DATA)
    download = await leech.get(what, cheat, honest)
    assert what.equals(await finished(download, 30))
    assert cheat.peer.peer_id not in {source.peer_id for source in download.swarm.sources}


@pytest.mark.parametrize("kind", [Contradictory, TooMuch])
@on_stage
async def test_answers_to_a_want_that_are_no_answers(stage, kind):
    cheat, honest, leech = await stage.add(kind), await stage.add(up=MIB), await stage.add()
    what = await honest.seed(DATA)
    await cheat.seed(DATA)
    download = await leech.get(what, cheat)
    await asyncio.sleep(3)
    assert download.swarm.sources == ()
    download.add_source(honest.source)
    assert what.equals(await finished(download, 30))


@on_stage
async def test_manifests_of_the_largest_size_from_many_at_once(stage):
    cheats = [await stage.add(HugeManifest) for _ in range(8)]
    honest, leech = await stage.add(), await stage.add()
    what = await honest.seed(DATA)
    download = await leech.get(what, *cheats)
    await asyncio.sleep(3)
    under_way = sum(connection.waiting for connection in leech.peer.connections())
    assert under_way <= 3  # each may cost 64 MiB
    download.add_source(honest.source)
    assert what.equals(await finished(download, 300))


@on_stage
async def test_a_cheat_among_many_costs_little(stage):
    cheats = [await stage.add(liar(WrongPieces)) for _ in range(4)]
    honest, leech = await stage.add(), await stage.add()
    for cheat in cheats:
        what = await cheat.seed(DATA)
    await honest.seed(DATA)
    began = stage.now
    assert what.equals(await finished(await leech.get(what, *cheats, honest)))
    assert leech.peer.metrics.value("wrong_pieces") >= 1
    assert leech.received < 2 * what.size + 4 * 3 * MIB
    assert stage.now - began < 5 * what.size / LINE + 10


# --- path traversal in a name ---------------------------------------------------------------------------------------


def forged_folder(path: str) -> tuple[bytes, bytes]:
    """Encode the manifest of a folder with a file at any path, without asking whether that may be."""
    hasher = PieceHasher(4)
    hasher.feed(memoryview(b"evil"))
    folder = FolderManifest((FolderFile(path, hasher.finish()),))
    encoded = msgspec.msgpack.encode(folder)
    return encoded, content_id_of(encoded)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "..\\x", "C:/x", "a//x", "./x", "a\0b", ""])
@on_stage
async def test_path_traversal_in_a_name(stage, path):
    cheat, leech = await stage.add(), await stage.add()
    what = await cheat.seed({"x": b"evil"})
    encoded, content = forged_folder(path)
    holding = cheat.served[what.id]
    holding.manifest = encoded
    cheat.served[content] = holding
    before = sorted(stage.root.rglob("x"))
    download = await leech.get(Seeded(content, what.space, what.data), cheat)
    try:
        got = await finished(download, 60)
    except UnsafeNameError:
        assert download.status().state is DownloadState.FAILED
        assert download.status().error
    else:  # where a name is only odd, it is made harmless
        assert all(got in each.parents for each in leech.folder.rglob("*x") if each.is_file())
    assert sorted(each for each in stage.root.rglob("x") if leech.folder / "got" not in each.parents) == before


@pytest.mark.parametrize("name", ["../../x", "..", "/etc/passwd", "a/b", "..\\..\\x", "con"])
def test_path_traversal_in_the_name_of_a_link(tmp_path, name):
    link = parse_link(str(ContentLink(content=bytes(32), name=name, size=4)))
    target = tmp_path / safe_name(link.name)
    assert target.parent == tmp_path
    assert target.resolve().parent == tmp_path.resolve()
    assert target.name not in {"", ".", ".."}


@on_stage
async def test_a_manifest_that_is_no_manifest(stage):
    cheat, leech = await stage.add(), await stage.add()
    what = await cheat.seed(b"something")
    encoded = msgspec.msgpack.encode(FileManifest(10**15, b"few hashes"))
    holding = cheat.served[what.id]
    holding.manifest = encoded
    cheat.served[content_id_of(encoded)] = holding
    wanted = Wanted(content=content_id_of(encoded), target=leech.folder / "got")
    download = await leech.transfers.add(wanted, [cheat.source])
    with pytest.raises(ProtocolError, match="piece hashes"):
        await finished(download, 60)
    assert [each.name for each in leech.folder.iterdir()] == ["state"]


@on_stage
async def test_a_size_in_the_link_that_is_wrong_changes_nothing(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(DATA[:PIECE])
    wanted = Wanted(content=what.id, target=leech.folder / "got", size=10**18)
    download = await leech.transfers.add(wanted, [seed.source])
    assert what.equals(await finished(download))
    assert download.status().size == PIECE


@on_stage
async def test_words_about_nothing(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(DATA)
    connection = await seed.peer.connect(leech.node.address, leech.peer.peer_id)
    for _ in range(1000):
        connection.send(HavePieces(what.id, (1, 2, 3)))
        connection.send(Queued(5))
    download = await leech.get(what, seed)
    assert what.equals(await finished(download))
    assert connection.is_open
