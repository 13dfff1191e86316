from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from catalogue_samples import ME, Clock, Hasher, InlineExecutor, Kind, Visibility, make_files

from peerage.catalogue.database import Database
from peerage.catalogue.library import Library
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record_finder import Audience
from peerage.catalogue.shares import Change, Progress, ShareState
from peerage.catalogue.watch import Report, Watched
from peerage.errors import LocalError, StoreError


class House:
    """A library with everything it needs, in a folder of its own; `open` again after `close` is a restart."""

    def __init__(self, home: Path) -> None:
        self.path = home / "node" / "catalogue.sqlite"
        self.hasher = Hasher()
        self.clock = Clock()
        self.changes: list[Change] = []
        self.database: Database
        self.library: Library

    async def open(self) -> Library:
        self.database = await Database.open(self.path, ME.peer_id, InlineExecutor())
        self.library = Library(self.database, ME, self.hasher, self.clock, InlineExecutor())
        self.library.subscribe(self.changes.append)
        await self.library.start()
        return self.library

    async def restart(self) -> Library:
        await self.database.close()
        self.hasher.read.clear()
        self.changes.clear()
        return await self.open()

    async def names(self, audience: Audience = Audience.SELF) -> set[str]:
        return {record.name async for page in self.database.own(audience) for record in page}

    async def found(self, text: str) -> set[str]:
        return {record.name for record in await self.database.search(parse(text))}

    def told(self) -> tuple[set[str], set[str]]:
        """Return names of what came and went since the last call."""
        came = {record.name for change in self.changes for record in change.published}
        went = {record.name for change in self.changes for record in change.withdrawn}
        self.changes.clear()
        return came, went


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    await made.open()
    yield made
    await made.database.close()


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return make_files(tmp_path / "Music", "Jazz/Blue Train.flac", "Jazz/Lazy Bird.flac", "notes.txt")


async def test_a_folder_and_each_file_in_it_get_a_signed_record(house: House, music: Path) -> None:
    shared = await house.library.share(music)
    assert (shared.name, shared.kind, shared.files, shared.state) == ("Music", Kind.FOLDER, 3, ShareState.READY)
    assert shared.size == sum(path.stat().st_size for path in music.rglob("*.*"))
    records = {record.name: record async for page in house.database.own() for record in page}
    assert set(records) == {"Music", "Blue Train.flac", "Lazy Bird.flac", "notes.txt"}
    for record in records.values():
        record.verify()
        assert record.peer_id == ME.peer_id
    train = records["Blue Train.flac"]
    assert train.path == ("Music", "Jazz")
    assert train.mime == "audio/flac"
    assert records["Music"].content == shared.content
    assert await house.found("jazz flac") == {"Blue Train.flac", "Lazy Bird.flac"}
    assert house.told() == (set(records), set())
    assert await house.library.shares() == [shared]


async def test_how_many_shares_there_are_is_known_without_asking_the_database(house: House, music: Path) -> None:
    assert house.library.count == 0
    await house.library.share(music)
    await house.library.share(music / "notes.txt")
    await house.library.share(music)  # again
    assert house.library.count == len(await house.library.shares()) == 2
    library = await house.restart()
    assert library.count == 2
    await library.unshare(music)
    assert library.count == len(await library.shares()) == 1


async def test_a_single_file(house: House, music: Path) -> None:
    shared = await house.library.share(music / "notes.txt")
    assert (shared.name, shared.kind, shared.files, shared.size) == ("notes.txt", Kind.FILE, 1, 9)
    assert await house.names() == {"notes.txt"}
    assert shared.content is not None
    assert await house.library.manifest(shared.content) is not None


async def test_contents_can_be_located_with_their_stat(house: House, music: Path) -> None:
    shared = await house.library.share(music, Visibility.FRIENDS)
    assert shared.content is not None
    folder = await house.library.locate(shared.content)
    assert folder is not None
    assert (folder.kind, folder.visibility, folder.size) == (Kind.FOLDER, Visibility.FRIENDS, shared.size)
    assert [file.relative for file in folder.files] == ["Jazz/Blue Train.flac", "Jazz/Lazy Bird.flac", "notes.txt"]
    for file in folder.files:
        found = os.stat(file.path)
        assert (file.stat.size, file.stat.mtime_ns, file.stat.inode) == (found.st_size, found.st_mtime_ns, found.st_ino)
        alone = await house.library.locate(file.content)
        assert alone is not None
        assert [one.path for one in alone.files] == [file.path]
        assert await house.library.manifest(file.content) is not None
    assert await house.library.locate(bytes(32)) is None
    assert await house.library.manifest(bytes(32)) is None


async def test_nothing_is_hashed_twice(house: House, music: Path) -> None:
    shared = await house.library.share(music)
    assert len(house.hasher.read) == 3
    await house.restart()
    assert house.hasher.read == []
    assert await house.library.shares() == [shared]
    assert house.told() == (set(), set())
    await house.library.share(music / "Jazz")
    assert house.hasher.read == []


async def test_what_changed_while_the_node_was_off_is_taken_in(house: House, music: Path) -> None:
    before = await house.library.share(music)
    (music / "notes.txt").write_text("other notes")
    (music / "Jazz" / "Lazy Bird.flac").unlink()
    make_files(music, "new.pdf")
    await house.restart()
    assert sorted(house.hasher.read) == ["new.pdf", "notes.txt"]
    assert house.told() == ({"Music", "notes.txt", "new.pdf"}, {"Music", "notes.txt", "Lazy Bird.flac"})
    assert await house.names() == {"Music", "Blue Train.flac", "notes.txt", "new.pdf"}
    (after,) = await house.library.shares()
    assert before.content != after.content
    assert before.content is not None
    assert await house.library.locate(before.content) is None
    assert await house.library.manifest(before.content) is None


async def test_a_changed_file_is_known_by_its_stat_before_anybody_looked(house: House, music: Path) -> None:
    shared = await house.library.share(music / "notes.txt")
    old = (music / "notes.txt").stat()
    (music / "notes.txt").write_text("NOTES.TXT")
    os.utime(music / "notes.txt", ns=(old.st_atime_ns, old.st_mtime_ns))
    assert shared.content is not None
    located = await house.library.locate(shared.content)
    assert located is not None
    assert located.files[0].stat.ctime_ns == old.st_ctime_ns
    assert (music / "notes.txt").stat().st_ctime_ns != old.st_ctime_ns
    await house.library.rescan()
    assert await house.library.locate(shared.content) is None


async def test_touching_a_file_publishes_nothing_new(house: House, music: Path) -> None:
    shared = await house.library.share(music)
    os.utime(music / "notes.txt", ns=(1, 1))
    house.told()
    await house.library.rescan()
    assert house.told() == (set(), set())
    assert (await house.library.shares())[0].content == shared.content
    assert shared.content is not None
    located = await house.library.locate(shared.content)
    assert located is not None
    assert located.files[2].stat.mtime_ns == 1


async def test_unshare_by_path_and_by_content(house: House, music: Path) -> None:
    one = await house.library.share(music / "notes.txt")
    await house.library.share(music / "Jazz")
    assert one.content is not None
    assert (await house.library.unshare(one.content)).path == str(music / "notes.txt")
    assert await house.library.locate(one.content) is None
    house.told()
    await house.library.unshare(music / "Jazz")
    assert house.told() == (set(), {"Jazz", "Blue Train.flac", "Lazy Bird.flac"})
    assert await house.names() == set()
    assert await house.library.shares() == []
    with pytest.raises(LocalError, match="not shared"):
        await house.library.unshare(music)
    with pytest.raises(LocalError, match="not shared"):
        await house.library.unshare(bytes(32))
    left = await house.database.read(
        lambda tables: [
            tables.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("entries", "hashes", "manifests", "records", "bodies")
        ]
    )
    assert left == [0, 0, 0, 0, 0]


async def test_a_file_inside_a_share_cannot_be_unshared_alone(house: House, music: Path) -> None:
    await house.library.share(music)
    with pytest.raises(LocalError, match="peerageignore"):
        await house.library.unshare(music / "notes.txt")


async def test_the_same_file_through_two_shares(house: House, music: Path) -> None:
    await house.library.share(music, Visibility.LINK)
    shared = await house.library.share(music / "Jazz" / "Blue Train.flac", Visibility.PUBLIC)
    assert await house.names(Audience.ANYONE) == {"Blue Train.flac"}
    assert shared.content is not None
    located = await house.library.locate(shared.content)
    assert located is not None
    assert located.visibility is Visibility.PUBLIC
    await house.library.unshare(music)
    assert await house.names() == {"Blue Train.flac"}
    assert await house.library.locate(shared.content) is not None


async def test_one_record_for_two_shares_that_say_the_same(house: House, tmp_path: Path) -> None:
    for place in "ab":
        make_files(tmp_path / place, "song.mp3")
    open_one = await house.library.share(tmp_path / "a" / "song.mp3", Visibility.PUBLIC)
    await house.library.share(tmp_path / "b" / "song.mp3", Visibility.FRIENDS)
    assert [len(page) async for page in house.database.own()] == [1]
    assert await house.names(Audience.ANYONE) == {"song.mp3"}
    (tmp_path / "a" / "song.mp3").write_text("different")
    assert open_one.content is not None
    located = await house.library.locate(open_one.content)
    assert located is not None
    assert located.files[0].path == str(tmp_path / "b" / "song.mp3")  # the copy that is still as it was
    house.told()
    await house.library.unshare(tmp_path / "a" / "song.mp3")
    assert house.told() == ({"song.mp3"}, {"song.mp3"})
    assert await house.names(Audience.ANYONE) == set()
    assert await house.names(Audience.FRIEND) == {"song.mp3"}


async def test_another_visibility_for_a_share(house: House, music: Path) -> None:
    await house.library.share(music)
    house.told()
    house.clock.now += 60
    shared = await house.library.share(music, Visibility.FRIENDS)
    everything = {"Music", "Blue Train.flac", "Lazy Bird.flac", "notes.txt"}
    assert house.told() == (everything, everything)
    assert shared.visibility is Visibility.FRIENDS
    assert await house.names(Audience.ANYONE) == set()
    assert await house.names(Audience.FRIEND) == everything
    await house.library.share(music, Visibility.PUBLIC)
    assert house.told() == (everything, set())


async def test_a_share_that_vanished_comes_back_without_hashing(house: House, music: Path, tmp_path: Path) -> None:
    shared = await house.library.share(music)
    music.rename(tmp_path / "unplugged")
    await house.restart()
    assert await house.names() == set()
    (missing,) = await house.library.shares()
    assert missing.state is ShareState.MISSING
    assert "No such file" in missing.skipped[0].reason
    assert shared.content is not None
    assert await house.library.locate(shared.content) is None
    (tmp_path / "unplugged").rename(music)
    house.hasher.read.clear()
    await house.library.rescan()
    assert house.hasher.read == []
    assert await house.library.shares() == [shared]
    assert len(await house.names()) == 4


async def test_a_file_that_changes_while_it_is_read_is_skipped_and_taken_later(house: House, music: Path) -> None:
    def scribble(path: Path) -> None:
        if path.name == "notes.txt":
            with path.open("a") as file:
                file.write("more")

    house.hasher.meanwhile = scribble
    shared = await house.library.share(music)
    assert shared.files == 2
    assert shared.skipped_count == 1
    assert shared.skipped[0].path == str(music / "notes.txt")
    assert "changes while" in shared.skipped[0].reason
    with pytest.raises(StoreError, match="changes while"):
        await house.library.share(music / "notes.txt")
    house.hasher.meanwhile = lambda path: None
    await house.library.rescan()
    assert (await house.library.shares())[0].files == 3


async def test_unreadable_files_are_reported_and_skipped(house: House, music: Path) -> None:
    def refuse(path: Path) -> None:
        if path.name == "notes.txt":
            raise PermissionError(13, "Permission denied", str(path))

    house.hasher.meanwhile = refuse
    shared = await house.library.share(music)
    assert [(one.path, one.reason) for one in shared.skipped] == [(str(music / "notes.txt"), "Permission denied")]
    assert await house.names() == {"Music", "Blue Train.flac", "Lazy Bird.flac"}


async def test_an_empty_folder_can_be_shared_and_filled(house: House, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    shared = await house.library.share(tmp_path / "inbox")
    assert (shared.files, shared.size) == (0, 0)
    make_files(tmp_path / "inbox", "a.txt")
    await house.library.rescan()
    assert await house.names() == {"inbox", "a.txt"}


async def test_a_folder_in_the_place_of_a_file(house: House, tmp_path: Path) -> None:
    make_files(tmp_path, "thing")
    await house.library.share(tmp_path / "thing")
    (tmp_path / "thing").unlink()
    make_files(tmp_path / "thing", "a.txt")
    await house.library.rescan()
    (shared,) = await house.library.shares()
    assert shared.kind is Kind.FOLDER
    assert await house.names() == {"thing", "a.txt"}


async def test_a_damaged_database_loses_no_share(house: House, music: Path) -> None:
    before = await house.library.share(music, Visibility.FRIENDS)
    await house.database.close()
    house.path.write_bytes(b"rubbish" * 1000)
    await house.restart()
    assert house.database.notice is not None
    assert await house.library.shares() == [before]
    assert len(house.hasher.read) == 3
    assert await house.names(Audience.FRIEND) == {"Music", "Blue Train.flac", "Lazy Bird.flac", "notes.txt"}


async def test_a_crash_while_records_change_is_made_good(house: House, music: Path) -> None:
    await house.library.share(music)
    await house.database.write(
        lambda tables: tables.connection.execute("UPDATE shares SET state = 2, visibility = 1") and None
    )
    own = [record async for page in house.database.own() for record in page]
    await house.database.remove(ME.peer_id, [own[0].content])
    await house.restart()
    assert len(await house.names(Audience.FRIEND)) == 4
    assert await house.names(Audience.ANYONE) == set()
    await house.database.write(lambda tables: tables.connection.execute("DELETE FROM shares") and None)
    house.path.with_name("catalogue.sqlite.shares.json").unlink()
    await house.restart()
    assert await house.names() == set()


async def test_progress_counts_what_is_new(house: House, music: Path) -> None:
    seen: list[Progress] = []
    await house.library.share(music, progress=seen.append)
    total = sum(path.stat().st_size for path in music.rglob("*.*"))
    assert seen[-1] == Progress(3, 3, total, total)
    seen.clear()
    await house.library.rescan(seen.append)
    assert seen == []


async def test_threads_and_cancelling(tmp_path: Path) -> None:
    """In real threads; a cancelled share leaves nothing shared, but what was hashed is remembered."""
    make_files(tmp_path / "many", *(f"{number:03}.bin" for number in range(200)))
    hasher = Hasher()
    database = await Database.open(tmp_path / "node" / "db", ME.peer_id)
    with ThreadPoolExecutor(2) as executor:
        library = Library(database, ME, hasher, Clock(), executor)

        def cancel(progress: Progress) -> None:
            if progress.files_done:
                task.cancel()

        task = asyncio.create_task(library.share(tmp_path / "many", progress=cancel))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await library.shares() == []
        shared = await library.share(tmp_path / "many")
        assert shared.files == 200
        assert len(hasher.read) < 400
    await database.close()


async def test_changes_on_disk_are_followed(house: House, music: Path, tmp_path: Path) -> None:
    rounds: list[Watched] = []

    async def watcher(watched: Watched, stop: asyncio.Event, report: Report) -> None:
        rounds.append(watched)
        if len(rounds) == 1:
            make_files(music, "new.txt")
            await report({music / "new.txt"})
            assert "new.txt" in await house.names()
            house.hasher.read.clear()
            await report({tmp_path / "elsewhere", tmp_path / "Musicology" / "x"})
            assert house.hasher.read == []
            await house.library.share(tmp_path / "other")
        await stop.wait()

    make_files(tmp_path / "other", "x.txt")
    await house.library.share(music)
    task = asyncio.create_task(house.library.watch(watcher))
    while len(rounds) < 2:  # noqa: ASYNC110 - yields to the task, does not wait for time
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rounds[0] == Watched((music,), frozenset({music}))
    assert rounds[1] == Watched((music, tmp_path / "other"), frozenset({tmp_path / "other"}))


async def test_a_folder_that_is_made_anew_is_followed_again(house: House, music: Path, tmp_path: Path) -> None:
    """The kernel watches a folder, not a name."""
    rounds: list[frozenset[Path]] = []

    async def watcher(watched: Watched, stop: asyncio.Event, report: Report) -> None:
        rounds.append(watched.fresh)
        await report(set(watched.fresh))
        if len(rounds) == 1:
            music.rename(tmp_path / "old")
            make_files(music, "other.txt")
            await report({music})
        await stop.wait()

    await house.library.share(music)
    task = asyncio.create_task(house.library.watch(watcher))
    while len(rounds) < 2:  # noqa: ASYNC110 - yields to the task, does not wait for time
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rounds == [frozenset({music})] * 2
    assert await house.names() == {"Music", "other.txt"}


async def test_ten_thousand_files_would_need_portions(house: House, tmp_path: Path) -> None:
    make_files(tmp_path / "big", *(f"f{number:04}" for number in range(2100)))
    shared = await house.library.share(tmp_path / "big")
    assert shared.files == 2100
    assert len(await house.names()) == 2101
    assert len(house.changes) == 3
    await house.library.unshare(tmp_path / "big")
    assert await house.names() == set()
