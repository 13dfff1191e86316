"""The fast shelf of the lab must answer as the catalogue of a node does."""

import asyncio
import random

import pytest

from peerage.catalogue.database import Database
from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Visibility
from peerage.catalogue.record_finder import Audience
from peerage.identity.keys import PeerKey, format_id
from peerage.lab.clock import InlineExecutor, run_virtual
from peerage.lab.holdings import Holdings, Stock
from peerage.lab.shelf import HeldShelf, Library
from peerage.overlay.shelf import CatalogueShelf

KEY = PeerKey.from_seed(b"k" * 32)


@pytest.fixture(scope="module")
def holdings() -> Holdings:
    return Holdings(random.Random(4), 40, Stock(items=60, top=0.9))


@pytest.fixture(scope="module")
def shelf(holdings) -> HeldShelf:
    return HeldShelf(Library(holdings.items), max(holdings.seats, key=len), KEY)


def queries(holdings: Holdings) -> list[str]:
    texts = ["type:audio", "ext:pdf", "nothing", f"from:{format_id(KEY.peer_id)}", "type:audio OR type:video"]
    for item in holdings.items[:25]:
        first, second, third = item.words
        texts += [second, f"{third} {second}", f'"{first} {second}"', f"{second[:3]}*", f"{first} -{third}"]
    return texts


def test_it_answers_as_a_catalogue_does(holdings, shelf):
    async def main(_rng):
        database = await Database.open(None, KEY.peer_id, InlineExecutor())
        await database.add_own(shelf.records())
        real = CatalogueShelf(database, KEY.peer_id)
        found = 0
        for text in queries(holdings):
            query = parse(text)
            everything = list(await real.find(query, 100, Audience.ANYONE))
            assert list(await shelf.find(query, 100, Audience.ANYONE)) == everything, text
            assert list(await shelf.find(query, 1, Audience.ANYONE)) == everything[:1], text
            found += len(everything)
        assert found > 100
        await database.close()

    run_virtual(main)


def test_records_are_signed_by_their_holder_once(shelf):
    for record in shelf.records():
        record.verify()
        assert record.peer_id == KEY.peer_id
    assert all(one is other for one, other in zip(shelf.records(), shelf.records(), strict=True))


def test_it_knows_what_it_holds(holdings, shelf):
    async def main() -> None:
        held = shelf.records()[0].content
        assert await shelf.visibility(held) is Visibility.PUBLIC
        assert await shelf.visibility(bytes(32)) is None
        assert list(shelf.fetching()) == []

    asyncio.run(main())
    assert len(shelf) == len(shelf.records())
