"""An index of records of many holders: in memory and on file, in one thread and in several."""

from __future__ import annotations

import asyncio
import functools
import operator
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from catalogue_samples import KEYS, InlineExecutor, content_of, record
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.catalogue.index_table import Claim, Held, IndexBounds, Key, Tenant, claim_key, fingerprint, key_of
from peerage.catalogue.locator import locator_of
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Record, Visibility, decode, encode
from peerage.catalogue.record_index import RecordIndex
from peerage.errors import LimitError, LocalError, StoreError
from peerage.identity.address import Address
from peerage.lab.clock import run_virtual

HOME = (Address("192.0.2.7", 7411),)
A, B, C = (key.peer_id for key in KEYS[1:])
END = 2_000.0


async def memory(bounds: IndexBounds | None = None) -> RecordIndex:
    return await RecordIndex.open(None, InlineExecutor(), bounds)


async def names(index: RecordIndex, text: str, limit: int = 100) -> list[str]:
    return [decode(found.body).name for found in await index.search(parse(text), limit)]


def held(records: Sequence[Record]) -> Held:
    prints = [fingerprint(key_of(each), each.issued) for each in records]
    return Held(len(records), functools.reduce(operator.xor, prints, 0))


@pytest.fixture(params=["memory", "file", "threads"])
async def index(request: pytest.FixtureRequest, tmp_path: Path):
    path = None if request.param == "memory" else tmp_path / "index.sqlite"
    index = await RecordIndex.open(path, None if request.param == "threads" else InlineExecutor())
    yield index
    await index.close()


async def test_what_is_added_is_found_with_its_holder(index: RecordIndex) -> None:
    shared = record("Blue Train.flac")
    assert (await index.add([shared, record("Red.flac")], HOME, END, b"proof")).added == 2
    (found,) = await index.search(parse("blue"), 10)
    assert found.body == encode(shared)
    assert found.tenant == Tenant(A, HOME, END, b"proof")
    assert index.count == 2


async def test_filters_and_exclusions_work_as_in_the_catalogue(index: RecordIndex) -> None:
    await index.add([record("blue one.flac"), record("blue two.mp3", size=5_000_000)], HOME, END)
    assert await names(index, "blue -two") == ["blue one.flac"]
    assert await names(index, "size:>1MB type:audio") == ["blue two.mp3"]
    assert await names(index, "blu*", limit=1) in (["blue one.flac"], ["blue two.mp3"])


async def test_a_content_is_located_by_its_locator_once_for_each_holder(index: RecordIndex) -> None:
    content = content_of("x")
    one = [record(name, content=content) for name in ("a.txt", "b.txt")]
    await index.add(one, HOME, END)
    await index.add([record("c.txt", KEYS[2], content=content)], HOME, END)
    found = await index.holders(locator_of(content), 10)
    assert sorted(each.tenant.peer_id for each in found) == sorted([A, B])
    assert {decode(each.body).content for each in found} == {content}
    assert len(await index.holders(locator_of(content), 1)) == 1
    assert await index.holders(content, 10) == []


async def test_a_claim_is_located_and_never_searched(index: RecordIndex) -> None:
    locator = locator_of(content_of("secret"))
    tenant = Tenant(A, HOME, END)
    assert (await index.put(tenant, (), [Claim(locator, 5, b"signed")])).added == 1
    (found,) = await index.holders(locator, 10)
    assert found.body == b"signed"
    assert await index.search(parse("size:<1"), 10) == []
    assert await index.held(A) == Held(1, fingerprint(claim_key(A, locator), 5))
    assert await index.remove(A, [claim_key(A, locator)]) == 1
    assert await index.holders(locator, 10) == []


async def test_only_what_is_public_is_taken(index: RecordIndex) -> None:
    private = [record("x", visibility=each) for each in (Visibility.FRIENDS, Visibility.LINK)]
    assert (await index.add(private, HOME, END)).refused == 2
    assert index.count == 0
    assert await index.held(A) == Held()


async def test_records_of_several_holders_at_once_are_a_mistake(index: RecordIndex) -> None:
    with pytest.raises(LocalError):
        await index.add([record("a"), record("b", KEYS[2])], HOME, END)


async def test_the_latest_record_of_a_slot_counts(index: RecordIndex) -> None:
    old, new = record("a.txt", issued=10, size=1), record("a.txt", issued=20, size=2)
    assert (await index.add([old], HOME, END)).added == 1
    assert (await index.add([new], HOME, END)).added == 1
    assert (await index.add([old, new], HOME, END)).known == 2
    (found,) = await index.search(parse("a"), 10)
    assert decode(found.body) == new
    assert await index.held(A) == held([new])
    assert index.count == 1


async def test_a_holder_removes_only_its_own(index: RecordIndex) -> None:
    mine, theirs = record("a.txt"), record("a.txt", KEYS[2])
    await index.add([mine], HOME, END)
    await index.add([theirs], HOME, END)
    assert await index.remove(B, [key_of(mine), Key(bytes(32), 7)]) == 0
    assert await index.remove(A, [key_of(mine)]) == 1
    assert [each.tenant.peer_id for each in await index.search(parse("a"), 10)] == [B]


async def test_what_is_not_renewed_ends(index: RecordIndex) -> None:
    await index.add([record("a.txt")], HOME, 100)
    await index.add([record("a.txt", KEYS[2])], HOME, 100)
    elsewhere = (Address("192.0.2.8", 1),)
    assert await index.renew(B, 200, elsewhere, b"again") == held([record("a.txt", KEYS[2])])
    assert await index.expire(100) == 1
    (found,) = await index.search(parse("a"), 10)
    assert found.tenant == Tenant(B, elsewhere, 200, b"again")
    assert await index.expire(1000) == 1
    assert index.count == 0
    assert await index.renew(B, 300) == Held()


async def test_dropping_a_holder_leaves_the_others(index: RecordIndex) -> None:
    await index.add([record(f"a {number}") for number in range(30)], HOME, END)
    await index.add([record("a other", KEYS[2])], HOME, END)
    assert await index.drop_holder(A) == 30
    assert await index.drop_holder(C) == 0
    assert await names(index, "a") == ["a other"]
    assert await index.held(A) == Held()


async def test_a_search_has_its_bounds(index: RecordIndex) -> None:
    await index.add([record("a")], HOME, END)
    for limit in (0, 100_000):
        with pytest.raises(LimitError):
            await index.search(parse("a"), limit)
        with pytest.raises(LimitError):
            await index.holders(bytes(32), limit)


async def test_a_closed_index_says_so(index: RecordIndex) -> None:
    await index.close()
    await index.close()
    with pytest.raises(StoreError):
        await index.search(parse("a"), 1)
    with pytest.raises(StoreError):
        await index.add([record("a")], HOME, END)


async def test_nobody_pushes_others_out() -> None:
    index = await memory(IndexBounds(per_holder=3, total=5))
    await index.add([record("victim", KEYS[2], issued=1)], HOME, END)
    assert (await index.add([record(f"spam {number}") for number in range(10)], HOME, END)).refused == 7
    added = await index.add([record(f"more {number}", KEYS[3]) for number in range(10)], HOME, END)
    assert (added.added, added.refused) == (1, 9)
    assert await names(index, "victim") == ["victim"]
    replaced = await index.add([record("spam 0", issued=1_700_000_001), record("spam 9", issued=2)], HOME, END)
    assert (replaced.added, replaced.refused) == (1, 1)
    assert index.count == 5
    await index.close()


async def test_many_records_are_put_and_dropped_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peerage.catalogue.record_index.INDEX_PIECE", 7)
    index = await memory()
    many = [record(f"a {number}") for number in range(50)]
    assert (await index.add(many, HOME, 10)).added == 50
    assert await index.held(A) == held(many)
    assert await index.expire(11) == 50
    await index.close()


async def test_an_index_stays_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    index = await RecordIndex.open(path)
    await index.add([record("a.txt")], HOME, END)
    await index.close()
    again = await RecordIndex.open(path)
    assert await names(again, "a") == ["a.txt"]
    assert again.count == 1
    await again.close()


async def test_a_damaged_index_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    index = await RecordIndex.open(path)
    assert index.notice is not None
    assert "register them again" in index.notice
    await index.add([record("a.txt")], HOME, END)
    assert await names(index, "a") == ["a.txt"]
    await index.close()


async def test_a_catalogue_is_no_index(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE anything (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        await RecordIndex.open(path)


async def test_searches_go_on_while_records_are_added(tmp_path: Path) -> None:
    index = await RecordIndex.open(tmp_path / "index.sqlite")
    await index.add([record("blue first")], HOME, END)
    many = [record(f"blue {number}") for number in range(300)]
    async with asyncio.TaskGroup() as tasks:
        adding = tasks.create_task(index.add(many, HOME, END))
        searches = [tasks.create_task(names(index, "blue")) for _ in range(20)]
    assert adding.result().added == 300
    assert all(search.result() for search in searches)
    assert len(await names(index, "blue", 1000)) == 301
    await index.close()


async def test_an_empty_index_in_memory_takes_none() -> None:
    index = await memory()
    assert await index.search(parse("a"), 1) == []
    assert await index.expire(1) == await index.drop_holder(A) == await index.remove(A, [Key(bytes(32), 1)]) == 0
    assert index._opened is None
    await index.close()


def test_it_runs_in_virtual_time() -> None:
    async def main(_rng: object) -> list[str]:
        index = await memory()
        await index.add([record("a.txt")], HOME, END)
        await asyncio.sleep(3600)
        found = await names(index, "a")
        await index.close()
        return found

    assert run_virtual(main) == ["a.txt"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "drop", "expire"]), st.integers(0, 3), st.integers(1, 4), st.integers(1, 2)
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_count_and_digest_follow_every_change(steps: list[tuple[str, int, int, int]]) -> None:
    async def main() -> None:
        index = await memory()
        model: dict[tuple[int, int], Record] = {}
        for step, name, issued, who in steps:
            holder = KEYS[who].peer_id
            if step == "add":
                made = record(f"n{name}", KEYS[who], issued)
                await index.add([made], HOME, END + who)
                model[who, name] = max(model.get((who, name), made), made, key=lambda each: each.issued)
            elif step == "remove":
                await index.remove(holder, [key_of(record(f"n{name}", KEYS[who]))])
                model.pop((who, name), None)
            else:
                await (index.drop_holder(holder) if step == "drop" else index.expire(END + who))
                gone = {who} if step == "drop" else set(range(who + 1))
                model = {key: kept for key, kept in model.items() if key[0] not in gone}
        for who in (1, 2):
            assert await index.held(KEYS[who].peer_id) == held([each for key, each in model.items() if key[0] == who])
        assert index.count == len(model)
        await index.close()

    asyncio.run(main())
