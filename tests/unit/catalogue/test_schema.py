from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from catalogue_samples import ME, InlineExecutor, record

from peerage.catalogue import schema
from peerage.catalogue.database import Database
from peerage.catalogue.query_parser import parse
from peerage.errors import StoreError


async def opened(path: Path) -> Database:
    return await Database.open(path, ME.peer_id, InlineExecutor())


async def filled(path: Path, count: int = 300) -> None:
    database = await opened(path)
    await database.add([record(f"some file {number}") for number in range(count)])
    await database.close()


async def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    database = await opened(path)
    assert database.notice is not None
    assert "moved to" in database.notice
    assert (tmp_path / "catalogue.sqlite.damaged-1").read_bytes().startswith(b"not a database")
    assert (await database.add([record("x")])).added == 1
    await database.close()
    assert (await reopened_notice(path)) is None


async def reopened_notice(path: Path) -> str | None:
    database = await opened(path)
    await database.close()
    return database.notice


async def test_damage_in_the_middle_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    await filled(path)
    data = bytearray(path.read_bytes())
    data[8192:-4096:7] = b"\xff" * len(data[8192:-4096:7])
    path.write_bytes(data)
    database = await opened(path)
    assert database.notice is not None
    assert await database.search(parse("some file")) == []
    await database.close()


async def test_damage_that_the_check_missed_is_repaired_when_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalogue.sqlite"
    await filled(path)
    data = bytearray(path.read_bytes())
    data[8192:-4096:7] = b"\xff" * len(data[8192:-4096:7])
    path.write_bytes(data)
    monkeypatch.setattr(schema, "_check", lambda connection, name, layout: None)
    assert await reopened_notice(path) is not None
    assert await reopened_notice(path) is None


async def test_damage_found_in_use_is_repaired_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    await filled(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE word_index_data SET block = x'ff' WHERE id > 10")
    connection.commit()
    connection.close()
    database = await opened(path)
    with pytest.raises(StoreError, match="start again"):
        await database.search(parse("some file"))
    await database.close()
    again = await opened(path)
    assert again.notice is not None
    assert "in use" in again.notice
    await again.close()
    assert await reopened_notice(path) is None


async def test_two_damaged_files_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    for _ in range(2):
        path.write_bytes(b"x" * 5000)
        await reopened_notice(path)
    assert {file.name for file in tmp_path.glob("*.damaged-*")} == {
        "catalogue.sqlite.damaged-1",
        "catalogue.sqlite.damaged-2",
    }


@pytest.mark.parametrize(
    ("statement", "reason"),
    [("PRAGMA user_version = 99", "newer Peerage"), ("PRAGMA application_id = 7", "another program")],
)
async def test_files_of_others_are_left_alone(tmp_path: Path, statement: str, reason: str) -> None:
    path = tmp_path / "catalogue.sqlite"
    await filled(path, 3)
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=reason):
        await opened(path)
    assert path.read_bytes() == before


async def test_another_unicode_folds_all_words_again(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    await filled(path, 3)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE settings SET value = '1.0'")
    connection.execute("UPDATE bodies SET words = 'old'")
    connection.execute("INSERT INTO word_index (word_index) VALUES ('rebuild')")
    connection.commit()
    connection.close()
    database = await opened(path)
    assert len(await database.search(parse("some file"))) == 3
    assert await database.search(parse("old")) == []
    await database.close()


async def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("x")
    with pytest.raises(StoreError, match="cannot use"):
        await opened(blocker / "catalogue.sqlite")
    with pytest.raises(StoreError):
        await opened(tmp_path)
