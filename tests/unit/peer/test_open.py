"""A peer on real sockets, in one line."""

from __future__ import annotations

import asyncio
import logging

import pytest
from peer_world import Fetch, Heard, Say, Target

from peerage.errors import AddressError, DialError, LimitError, RefusedError, WrongNetworkError, WrongPeerError
from peerage.identity.address import Address, parse_address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.limits import Limits
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Bulk
from peerage.peer.messages import LinkKind
from peerage.peer.open import open_peer


def echo(_connection: PeerConnection, message: Say) -> Heard:
    return Heard(message.text)


async def test_two_peers_on_one_computer() -> None:
    async with open_peer() as server, open_peer(None) as client:
        server.add_handler(Say, echo)
        server.add_handler(Fetch, lambda _connection, message: Bulk(b"x" * message.length))
        assert client.addresses == ()
        assert await client.ask(server.addresses[0], Say("hello")) == Heard("hello")
        connection = await client.connect(server.addresses[0])
        assert len(await connection.request_all([Say("again")] * 5000)) == 5000
        target = Target(3_000_000)
        await connection.post_bulk(Fetch(target.length), target)
        assert target.buffer == b"x" * target.length
        await client.check_live_peers()
        assert len(client.neighbours()) == 1


async def test_ipv6() -> None:
    async with open_peer("[::1]:0") as server, open_peer(None) as client:
        server.add_handler(Say, echo)
        assert await client.ask(server.addresses[0], Say("hello")) == Heard("hello")


async def test_every_interface() -> None:
    async with open_peer(":0") as server, open_peer(None) as client:
        port = server.addresses[0].port
        connection = await client.connect(Address("127.0.0.1", port))
        assert connection.peer_id == server.peer_id
        assert connection.hello.addresses[0] == Address("", port)


async def test_a_key_of_ones_own() -> None:
    key = PeerKey.generate()
    async with open_peer(key=key) as server, open_peer(None) as client:
        assert server.peer_id == key.peer_id
        assert (await client.connect(server.addresses[0], expect=key.peer_id)).public_key == key.public_key
        with pytest.raises(WrongPeerError):
            await client.connect(server.addresses[0], expect=client.peer_id[::-1])  # type: ignore[arg-type]


async def test_another_network() -> None:
    async with open_peer() as server, open_peer(None, network=Network.public("elsewhere")) as client:
        with pytest.raises(WrongNetworkError, match="another network"):
            await client.connect(server.addresses[0])
        assert server.connections() == []


async def test_a_reason_comes_through_tls() -> None:
    async with open_peer() as server, open_peer(None) as client:
        server.table.update(client.peer_id, banned=True)
        with pytest.raises(RefusedError, match="is banned here"):
            await client.connect(server.addresses[0])
    async with open_peer(limits=Limits(connections_per_peer=1)) as server, open_peer(None) as client:
        await client.connect(server.addresses[0])
        with pytest.raises(LimitError, match="connections_per_peer is 1"):
            await client.connect(server.addresses[0], kind=LinkKind.BULK)


async def test_nobody_is_there() -> None:
    async with open_peer() as server:
        address = server.addresses[0]
    async with open_peer(None) as client:
        with pytest.raises(DialError, match="nobody listens there"):
            await client.connect(address)


async def test_the_port_is_taken() -> None:
    async with open_peer() as server:
        with pytest.raises(DialError, match="cannot listen"):
            async with open_peer(str(server.addresses[0])):
                pass


async def test_what_is_no_address() -> None:
    with pytest.raises(AddressError):
        async with open_peer("here"):
            pass


async def test_both_ends_stop_at_once_without_a_word(caplog) -> None:
    caplog.set_level(logging.WARNING)
    async with open_peer() as one, open_peer() as other:
        await one.connect(other.addresses[0])
        await asyncio.gather(one.stop(), other.stop())
    assert caplog.text == ""
    assert parse_address(":0")
