"""What only real sockets have: address families, programs of another kind, and TLS."""

import asyncio
import socket
import ssl

import pytest
from transport_rigs import RIGS, Door, Recorder, Rig

from peerage.errors import DialError
from peerage.identity.address import Address

try:
    socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    HAS_IPV6 = True
except OSError:
    HAS_IPV6 = False


@pytest.fixture(params=["tcp", "tcp-uvloop"])
def rig(request) -> Rig:
    return RIGS[request.param]()


async def greet(rig: Rig, door: Door, address: Address) -> Address:
    """Dial, say hello, and return where the hello came from."""
    near = await rig.transport().dial(address)
    far = await door.comes(len(door.links) + 1)
    here, there = Recorder(near), Recorder(far)
    near.write(b"hello")
    assert await there.has(5) == b"hello"
    near.close()
    await there.ended()
    await here.ended()
    return far.remote


@pytest.mark.parametrize(
    "host", ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here"))]
)
def test_one_family(rig, host):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.transport().listen(Address(host, 0), door, door.accept)
        assert listener.addresses[0].host == host
        assert listener.addresses[0].port
        assert (await greet(rig, door, listener.addresses[0])).host == host
        await listener.close()

    rig.run(scenario)


def test_an_empty_host_listens_on_every_family_on_one_port(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.transport().listen(Address("", 0), door, door.accept)
        ports = {address.port for address in listener.addresses}
        assert len(ports) == 1
        port = ports.pop()
        assert (await greet(rig, door, Address("127.0.0.1", port))).host == "127.0.0.1"
        assert (await greet(rig, door, Address("localhost", port))).host in {"127.0.0.1", "::1"}
        if HAS_IPV6:
            assert (await greet(rig, door, Address("::1", port))).host == "::1"
        await listener.close()

    rig.run(scenario)


def test_a_server_of_another_kind_is_named_as_such(rig):
    async def scenario(rig: Rig) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            with pytest.raises(DialError, match="does not speak Peerage"):
                await rig.transport().dial(Address(host, port))

    rig.run(scenario)


def test_a_client_without_our_certificate_gets_nothing(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        address = listener.addresses[0]

        async def talk() -> bytes:
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
            try:
                return await reader.readexactly(1)
            finally:
                writer.transport.abort()

        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await talk()
        await door.until(lambda: bool(door.failures))
        assert not door.links
        await listener.close()

    rig.run(scenario)


def test_old_tls_is_refused(rig):
    async def scenario(rig: Rig) -> None:
        door = Door()
        listener = await rig.listen(door)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(listener.addresses[0].host, listener.addresses[0].port, ssl=context)
        await door.until(lambda: bool(door.failures))
        assert not door.links
        await listener.close()

    rig.run(scenario)
