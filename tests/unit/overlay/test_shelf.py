import pytest
from overlay_world import InlineExecutor, content_of, record

from peerage.catalogue.database import Database
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Visibility
from peerage.catalogue.record_finder import Audience
from peerage.identity.keys import PeerKey
from peerage.overlay.shelf import CatalogueShelf

ME, OTHER = (PeerKey.from_seed(seed * 32) for seed in (b"m", b"o"))


@pytest.fixture
async def database():
    opened = await Database.open(None, ME.peer_id, InlineExecutor())
    yield opened
    await opened.close()


async def shelf_of(database, *own, learned=(), fetching=()):
    await database.add_own(own)
    await database.add(learned)
    return CatalogueShelf(database, ME.peer_id, lambda: fetching)


async def test_only_own_records_are_found_and_only_those_for_the_audience(database):
    mine, friends = record(ME, "blue.flac"), record(ME, "blue f.flac", visibility=Visibility.FRIENDS)
    shelf = await shelf_of(database, mine, friends, learned=[record(OTHER, "blue too.flac")])
    assert await shelf.find(parse("blue"), 10, Audience.ANYONE) == [mine]
    assert set(await shelf.find(parse("blue"), 10, Audience.FRIEND)) == {mine, friends}


async def test_the_most_open_visibility_counts(database):
    names = {"a.flac": Visibility.LINK, "b.flac": Visibility.FRIENDS}
    shelf = await shelf_of(database, *(record(ME, name, content="x", visibility=each) for name, each in names.items()))
    assert await shelf.visibility(content_of("x")) is Visibility.FRIENDS


async def test_what_only_others_have_is_not_here(database):
    shelf = await shelf_of(database, learned=[record(OTHER, "blue.flac", content="x")])
    assert await shelf.visibility(content_of("x")) is None


async def test_a_download_is_for_whoever_knows_its_id(database):
    shelf = await shelf_of(database, fetching=(content_of("x"),))
    assert await shelf.visibility(content_of("x")) is Visibility.LINK
    assert list(shelf.fetching()) == [content_of("x")]
