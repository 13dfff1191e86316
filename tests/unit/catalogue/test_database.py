from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from catalogue_samples import KEYS, ME, InlineExecutor, Kind, Meta, Visibility, content_of, record

from peerage.catalogue import record_finder, record_table
from peerage.catalogue.database import Database, Tables
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record
from peerage.catalogue.record_finder import Audience
from peerage.catalogue.record_table import Added, Counts
from peerage.errors import LimitError, StoreError


async def opened(path: Path | None = None) -> Database:
    return await Database.open(path, ME.peer_id, InlineExecutor())


async def names(database: Database, text: str, audience: Audience = Audience.SELF) -> set[str]:
    return {hit.name for hit in await database.search(parse(text), 100, audience)}


async def test_what_is_added_is_found_and_what_is_removed_is_not() -> None:
    database = await opened()
    one, two = record("Blue Train.flac"), record("Red Train.flac", KEYS[2])
    assert await database.add([one, two]) == Added(added=2)
    assert await names(database, "train") == {"Blue Train.flac", "Red Train.flac"}
    assert await database.search(parse('"blue train"')) == [one]
    assert await database.remove(KEYS[1].peer_id, [one.content, two.content]) == 1
    assert await names(database, "train") == {"Red Train.flac"}
    assert await database.remove_holder(KEYS[2].peer_id) == 1
    assert await names(database, "train OR type:audio") == set()
    assert await database.counts() == Counts(0, 0, 0)
    await database.close()


async def test_a_thread_of_its_own_and_a_file(tmp_path: Path) -> None:
    path = tmp_path / "home" / "catalogue.sqlite"
    database = await Database.open(path, ME.peer_id)
    await database.add_own([record("Blue Train.flac", ME)])
    await database.close()
    await database.close()
    with pytest.raises((StoreError, RuntimeError)):
        await database.counts()
    again = await Database.open(path, ME.peer_id)
    assert again.notice is None
    assert await names(again, "blue") == {"Blue Train.flac"}
    assert await again.counts() == Counts(1, 0, 1)
    await again.close()


async def test_a_holder_whose_only_record_is_replaced_stays_known() -> None:
    database = await opened()
    await database.add([record("x.mp3", issued=5)])
    await database.add([record("x.mp3", issued=6)])
    assert await database.counts() == Counts(0, 1, 1)
    assert await database.remove_holder(KEYS[1].peer_id) == 1
    await database.close()


async def test_own_records_of_one_content() -> None:
    database = await opened()
    content = content_of("x")
    mine = [record(name, ME, issued, content=content) for name, issued in (("a", 1), ("b", 2))]
    await database.add_own([*mine, record("c", ME)])
    await database.add([record("d", content=content)])
    assert await database.own_by_content(content) == mine[::-1]
    assert await database.own_by_content(content_of("d")) == []
    await database.close()


async def test_the_later_record_takes_the_slot() -> None:
    database = await opened()
    old, new = record("x.mp3", issued=5), record("x.mp3", issued=6, meta=Meta(title="Tune"))
    assert await database.add([new, old]) == Added(added=1, known=1)
    assert await database.add([old, new, new]) == Added(known=3)
    newest = record("x.mp3", issued=7, meta=Meta(title="Song"))
    assert await database.add([newest]) == Added(added=1)
    assert await database.by_content(content_of("x.mp3")) == [newest]
    assert await names(database, "tune") == set()
    assert await names(database, "song") == {"x.mp3"}
    await database.close()


async def test_several_holders_of_one_content() -> None:
    database = await opened()
    records = [record("x.mp3", key, issued=number) for number, key in enumerate(KEYS[1:])]
    await database.add(records)
    assert await database.by_content(records[0].content) == records[::-1]
    assert await database.counts() == Counts(0, 3, 3)
    await database.close()


async def test_who_may_see_what() -> None:
    database = await opened()
    await database.add_own([record(f"mine {seen.name}", ME, visibility=seen) for seen in Visibility])
    await database.add([record(f"learned {seen.name}", visibility=seen) for seen in Visibility])
    everything = {"mine PUBLIC", "mine FRIENDS", "mine LINK", "learned PUBLIC", "learned FRIENDS"}
    assert await names(database, "mine OR learned") == everything
    assert await names(database, "mine OR learned", Audience.FRIEND) == {
        "mine PUBLIC",
        "mine FRIENDS",
        "learned PUBLIC",
    }
    assert await names(database, "mine OR learned", Audience.ANYONE) == {"mine PUBLIC", "learned PUBLIC"}
    secret = record("mine LINK", ME, visibility=Visibility.LINK)
    assert await database.by_content(secret.content) == [secret]
    assert await database.by_content(secret.content, Audience.ANYONE) == []
    own = await database.search(parse("mine OR learned"), own=True)
    assert {hit.name for hit in own} == {"mine PUBLIC", "mine FRIENDS", "mine LINK"}
    await database.close()


async def test_own_records_brought_back_by_others_are_refused() -> None:
    database = await opened()
    assert await database.add([record("withdrawn", ME)]) == Added(refused=1)
    assert await database.counts() == Counts(0, 0, 0)
    await database.close()


async def test_pages_of_own_records() -> None:
    database = await opened()
    mine = [record(f"file {number}", ME, visibility=Visibility(number % 3)) for number in range(2100)]
    await database.add_own(mine)
    await database.add([record("theirs")])
    pages = [page async for page in database.own()]
    assert [len(page) for page in pages] == [1000, 1000, 100]
    assert [one for page in pages for one in page] == mine
    public = [one async for page in database.own(Audience.ANYONE) for one in page]
    assert public == mine[::3]
    await database.close()


async def test_no_holder_pushes_out_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_table, "MAX_RECORDS_PER_HOLDER", 3)
    database = await opened()
    await database.add([record("honest", KEYS[2])])
    assert await database.add([record(f"spam {number}") for number in range(5)]) == Added(added=3, refused=2)
    assert await database.counts() == Counts(0, 4, 2)
    await database.close()


async def test_the_oldest_learned_records_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def small_table(connection: sqlite3.Connection, owner: bytes) -> record_table.RecordTable:
        return record_table.RecordTable(connection, owner, max_learned=20)

    monkeypatch.setattr("peerage.catalogue.database.RecordTable", small_table)
    database = await opened()
    await database.add_own([record("mine", ME)])
    await database.add([record(f"file {number}") for number in range(20)])
    assert await database.counts() == Counts(1, 20, 2)
    await database.add([record("last straw")])
    assert await database.counts() == Counts(1, 18, 2)
    assert await names(database, "mine OR straw") == {"mine", "last straw"}
    await database.close()


async def test_a_search_ranks_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_finder, "SEARCH_POOL", 10)
    database = await opened()
    await database.add([record(f"the song {number}") for number in range(50)])
    hits = await database.search(parse("the song"))
    assert {hit.name for hit in hits} == {f"the song {number}" for number in range(40, 50)}
    with pytest.raises(LimitError):
        await database.search(parse("the song"), 100_000)
    await database.close()


async def test_a_search_that_costs_too_much_gives_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_finder, "SEARCH_STEPS", 1000)
    database = await opened()
    await database.add([record(f"file {number}", size=number) for number in range(500)])
    hits = await database.search(parse("size:<5 OR size:>490"))
    assert 0 < len(hits) < 14
    assert await database.counts() == Counts(0, 500, 1)
    await database.close()


async def test_a_search_for_words_that_costs_too_much_gives_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    database = await opened()
    await database.add([record(f"file {number}", size=number) for number in range(500)])
    assert len(await database.search(parse("file size:<495"), 1000)) == 495
    monkeypatch.setattr(record_finder, "SEARCH_STEPS", 2000)
    hits = await database.search(parse("file size:<495"), 1000)
    assert 0 < len(hits) < 200
    assert all(hit.size < 495 for hit in hits)
    await database.close()


async def test_what_was_typed_is_never_sql() -> None:
    database = await opened()
    await database.add([record("x'; DROP TABLE records; --.mp3")])
    hits = await database.search(parse('ext:mp3 "x\'; DROP TABLE records" -"\') OR 1=1"'))
    assert len(hits) == 1
    assert await names(database, "ext:'OR'1'='1") == set()
    await database.close()


async def test_words_of_any_script() -> None:
    database = await opened()
    await database.add([record("東京タワーの夜.jpg"), record("Жёлтая подводная лодка.mp3"), record("🎵 mix.mp3")])
    assert await names(database, "タワー") == {"東京タワーの夜.jpg"}
    assert await names(database, "желтая ПОДВОД*") == {"Жёлтая подводная лодка.mp3"}
    assert await names(database, "🎵") == {"🎵 mix.mp3"}
    await database.close()


async def test_nothing_of_a_failed_write_stays() -> None:
    database = await opened()
    await database.add([record("first")])

    def fail(tables: Tables) -> None:
        tables.connection.execute("DELETE FROM records")
        raise StoreError("stop")

    with pytest.raises(StoreError, match="stop"):
        await database.write(fail)
    assert await names(database, "first") == {"first"}
    await database.close()


async def test_holders_without_records_are_forgotten() -> None:
    database = await opened()
    await database.add([record("secret", KEYS[3], visibility=Visibility.LINK)])
    await database.remove_holder(KEYS[2].peer_id)
    rows = await database.read(lambda tables: tables.connection.execute("SELECT count(*) FROM holders").fetchone()[0])
    assert rows == 1  # this node
    await database.close()


async def test_search_by_filter_and_exclusion_alone() -> None:
    database = await opened()
    records: list[Record] = [record("a.mp3"), record("b live.mp3"), record("c.pdf"), record("d", kind=Kind.FOLDER)]
    await database.add(records)
    assert await names(database, "type:audio -live") == {"a.mp3"}
    assert await names(database, "type:folder OR live") == {"d", "b live.mp3"}
    await database.close()
