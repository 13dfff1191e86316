"""Services: mounted with everything or with nothing, taken off in one step, told of neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from peer_world import Heard, Note, Say, World, virtual

from peerage.errors import LocalError, NoRouteError
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.messages import Quit
from peerage.peer.routers import NextHop, Router
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.wire.message import Message


class Parrot(Service):
    """A service with one of everything."""

    name = "parrot"

    def __init__(self, *, interval: float = 1.0, fails: bool = False) -> None:
        self.log: list[str] = []
        self.interval = interval
        self.fails = fails
        self.hop: NextHop | None = None

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        return ((Note, lambda _connection, message: self.log.append(message.text)), (Say, self.echo))

    def echo(self, _connection: PeerConnection, message: Say) -> Heard:
        return Heard(message.text)

    def router(self) -> Router | None:
        return lambda _peer_id: self.hop

    def stabilizers(self) -> Iterable[Stabilizer]:
        yield Stabilizer(lambda: self.log.append("round"), self.interval, jitter=0)

    async def start(self) -> None:
        self.log.append("start")
        if self.fails:
            raise LocalError("the cage is open")

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.log.append("stop")

    def peer_connected(self, connection: PeerConnection) -> None:
        self.log.append(f"hello {connection.remote.host}")

    def peer_disconnected(self, connection: PeerConnection) -> None:
        self.log.append(f"goodbye {connection.remote.host}")


async def settle(seconds: float = 0.5) -> None:
    await asyncio.sleep(seconds)


@virtual
async def test_mount_and_unmount(world: World) -> None:
    server, client = await world.peer("server"), await world.peer("client")
    parrot = Parrot()
    await server.mount(parrot)
    assert parrot.peer is server
    connection = await client.connect(server.addresses[0])
    assert await connection.request(Say("pretty")) == Heard("pretty")
    parrot.hop = NextHop(client.peer_id, client.addresses)
    assert (await server.connect_to(world.key().peer_id)).peer_id == client.peer_id
    await settle(2.2)
    await client.stop()
    await settle()
    assert parrot.log == ["start", "hello client", "round", "round", "goodbye client"]
    await server.unmount(parrot)
    await settle(5)
    assert parrot.log[-1] == "stop"
    for message in (Note, Say):
        with pytest.raises(LocalError):
            server.remove_handler(message)
    with pytest.raises(NoRouteError):
        await server.connect_to(world.key().peer_id)
    await server.mount(parrot)  # and on again


@virtual
async def test_a_taken_message_type_leaves_nothing_mounted(world: World) -> None:
    peer, parrot = world.silent_peer("a"), Parrot()
    peer.add_handler(Say, parrot.echo)
    with pytest.raises(LocalError, match="SAY_ has a handler already"):
        await peer.mount(parrot)
    with pytest.raises(LocalError, match="NOTE has no handler"):
        peer.remove_handler(Note)
    assert parrot.log == []
    with pytest.raises(LocalError, match="parrot is not mounted"):
        await peer.unmount(parrot)


@virtual
async def test_a_service_that_fails_to_start_leaves_nothing_mounted(world: World) -> None:
    peer, parrot = world.silent_peer("a"), Parrot(fails=True)
    with pytest.raises(LocalError, match="cage"):
        await peer.mount(parrot)
    await settle(5)
    assert parrot.log == ["start"]
    await peer.mount(Parrot())


@virtual
async def test_a_stabilizer_that_cannot_run_leaves_nothing_mounted(world: World) -> None:
    peer, parrot = world.silent_peer("a"), Parrot(interval=0)
    with pytest.raises(LocalError, match="interval above 0"):
        await peer.mount(parrot)
    assert parrot.log == ["start", "stop"]
    await peer.mount(Parrot())


@virtual
async def test_mounting_twice_is_an_error(world: World) -> None:
    peer, parrot = world.silent_peer("a"), Parrot()
    await peer.mount(parrot)
    with pytest.raises(LocalError, match="mounted already"):
        await peer.mount(parrot)
    await settle(1.1)
    assert parrot.log == ["start", "round"]


@virtual
async def test_stop_takes_every_service_off_even_if_one_fails(world: World) -> None:
    server, client, _connection = await world.pair()

    class Clumsy(Service):
        name = "clumsy"

        async def stop(self) -> None:
            raise LocalError("dropped it")

    parrot = Parrot()
    await server.mount(parrot)
    await server.mount(Clumsy())
    with pytest.raises(LocalError, match="dropped it"):
        await server.stop()
    assert parrot.log == ["start", "stop"]
    assert server.connections() == []
    assert server.addresses == ()
    await settle()
    assert client.neighbours() == []
    assert server.metrics.value("task_failed", "upkeep") == 0


@virtual
async def test_a_service_that_fails_at_an_event_does_not_stop_the_others(world: World, caplog) -> None:
    server, client = await world.peer("server"), await world.peer("client")

    class Clumsy(Service):
        name = "clumsy"

        def peer_connected(self, connection: PeerConnection) -> None:
            raise ZeroDivisionError

    parrot = Parrot()
    await server.mount(Clumsy())
    await server.mount(parrot)
    await client.connect(server.addresses[0])
    await settle()
    assert parrot.log == ["start", "hello client"]
    assert server.metrics.value("service_failed", "clumsy") == 1
    assert len(server.neighbours()) == 1


@virtual
async def test_services_hear_of_the_first_link_and_of_the_end_of_the_last(world: World) -> None:
    one, other = await world.peer("one"), await world.peer("other")
    parrot = Parrot(interval=1000)
    await one.mount(parrot)
    await asyncio.gather(one.connect(other.addresses[0]), other.connect(one.addresses[0]))
    await settle()
    assert parrot.log == ["start", "hello other"]
    for connection in one.connections():
        connection.close()
        await settle()
    assert parrot.log == ["start", "hello other", "goodbye other"]


@virtual
async def test_a_service_may_stop_its_peer(world: World) -> None:
    server, client, _connection = await world.pair()
    rogue = await world.rogue(server)

    class Quitter(Service):
        def stabilizers(self) -> Iterable[Stabilizer]:
            yield Stabilizer(self.peer.stop, 0.1)

    await server.mount(Quitter())
    await server.run()
    assert server.connections() == []
    assert (await rogue.answer(Quit.code)).tag == 0
    await settle()
    assert client.neighbours() == []
