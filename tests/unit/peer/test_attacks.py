"""Attacks, each by its name, on real sockets with real TLS: the peer stays up, and the honest get in."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from peer_world import HELLO, Heard, Rogue, Say

from peerage.errors import LinkError, WrongPeerError
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.limits import MAX_BULK_PAYLOAD, MAX_CONTROL_PAYLOAD, Limits
from peerage.peer.connection import PeerConnection
from peerage.peer.open import open_peer
from peerage.peer.peer import Environment, Peer
from peerage.transport.tcp import SystemClock, TcpTransport
from peerage.wire.frame import BULK, encode_header
from peerage.wire.message import encode

NETWORK = Network.public()


def echo(_connection: PeerConnection, message: Say) -> Heard:
    return Heard(message.text)


@contextlib.asynccontextmanager
async def victim(limits: Limits) -> AsyncIterator[Peer]:
    async with open_peer(limits=limits) as peer:
        peer.add_handler(Say, echo)
        yield peer


async def assert_honest_gets_in(target: Peer) -> None:
    async with open_peer(None) as honest:
        assert await honest.ask(target.addresses[0], Say("hello")) == Heard("hello")


async def until_closed(reader: asyncio.StreamReader) -> None:
    """Wait until the other side ends the connection, however it does."""
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass


# --- oversize frame ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "length"), [(b"SAY_", 0xFFFFFFFF), (b"HELO", MAX_CONTROL_PAYLOAD + 1), (BULK, MAX_BULK_PAYLOAD + 1)]
)
@pytest.mark.parametrize("hello", [True, False])
async def test_oversize_frame(code: bytes, length: int, hello: bool) -> None:
    async with victim(Limits()) as peer:
        rogue = await Rogue.dial(TcpTransport(NETWORK, PeerKey.generate()), peer.addresses[0], hello=hello)
        rogue.write(encode_header(code, length, 1) + b"x" * 1000)
        await rogue.lost
        assert peer.metrics.value("protocol_violations") == 1
        await assert_honest_gets_in(peer)


# --- slow handshake ------------------------------------------------------------------------------------------------------------


async def test_slow_handshake() -> None:
    """One byte of TLS, and then nothing: dropped at the deadline, and counted."""
    async with victim(Limits(handshake_timeout=0.2)) as peer:
        address = peer.addresses[0]
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"\x16")
        await until_closed(reader)
        writer.close()
        assert peer.metrics.value("handshakes_failed", "timeout") == 1
        await assert_honest_gets_in(peer)


async def test_slow_handshake_after_tls() -> None:
    """All of TLS, and then no hello."""
    async with victim(Limits(handshake_timeout=0.2)) as peer:
        rogue = await Rogue.dial(TcpTransport(NETWORK, PeerKey.generate()), peer.addresses[0], hello=False)
        rogue.write(encode(HELLO)[:5])
        await rogue.lost
        assert peer.connections() == []
        await assert_honest_gets_in(peer)


# --- silent connections by the hundred --------------------------------------------------------------------------------------------


async def test_silent_connections_by_the_hundred() -> None:
    async with victim(Limits()) as peer:
        address = peer.addresses[0]
        silent = [await asyncio.open_connection(address.host, address.port) for _ in range(300)]
        await assert_honest_gets_in(peer)
        crowded = peer.metrics.value("handshakes_failed", "crowded-out")
        assert crowded >= 300 - peer.limits.pending_handshakes
        for _reader, writer in silent:
            writer.close()


async def test_silent_connections_by_the_hundred_with_a_key_each() -> None:
    """Members of the network who only sit there: each address has so many places and no more."""
    limits = Limits(connections=40, connections_per_address=20)
    async with victim(limits) as peer:
        keys = [PeerKey.generate() for _ in range(100)]
        rogues = []
        for key in keys:
            with contextlib.suppress(LinkError):
                rogues.append(await from_address("127.0.0.9", key, peer))
        await assert_honest_gets_in(peer)
        assert peer.metrics.value("links_refused", "connections_per_address") >= 80
        for _reader, writer in rogues:
            writer.transport.abort()


async def from_address(host: str, key: PeerKey, peer: Peer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Join with a key of its own from another address of this computer, say hello, and then nothing."""
    context = client_context(NETWORK.leaf_pem(key))
    address = peer.addresses[0]
    try:
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=context, server_hostname="", local_addr=(host, 0)
        )
        writer.write(encode(HELLO))
        await reader.read(1)
    except OSError as error:
        raise LinkError(str(error)) from error
    return reader, writer


# --- someone joining with another's id ------------------------------------------------------------------------------------------------


async def test_someone_joining_with_anothers_id() -> None:
    """A listener at the address of a friend: whoever dials the friend's id finds out before a word is said."""
    friend = PeerKey.generate()
    async with open_peer() as impostor, open_peer(None) as client:
        with pytest.raises(WrongPeerError):
            await client.connect(impostor.addresses[0], expect=friend.peer_id)
        client.add_peer(friend.peer_id, impostor.addresses[0])
        with pytest.raises(WrongPeerError):
            await client.send_to(friend.peer_id, Say("a secret"))
        assert client.get_peer(friend.peer_id).failures == 1  # type: ignore[union-attr]
        assert client.connection_to(friend.peer_id) is None


async def test_someone_joining_with_anothers_id_needs_the_others_key() -> None:
    """A leaf for another's public key can be made by anyone in the network, but not be used without the private one."""
    friend, thief = PeerKey.generate(), PeerKey.generate()
    leaf = forged_leaf(friend, signer=NETWORK)
    with pytest.raises(ssl.SSLError):  # OpenSSL itself refuses to take a certificate with another's private key
        client_context(private_pem(thief) + leaf)


async def test_someone_joining_with_anothers_id_by_a_leaf_of_its_own_making() -> None:
    """A certificate that claims another's name proves the key inside it, and only that."""
    friend, thief = PeerKey.generate(), PeerKey.generate()
    async with victim(Limits()) as peer:
        peer.table.update(friend.peer_id, friend=True)
        leaf = forged_leaf(thief, signer=NETWORK, name=friend.peer_id.hex())
        reader, writer = await dial(peer, private_pem(thief) + leaf)
        writer.write(encode(HELLO))
        await reader.readexactly(1)
        assert [each.peer_id for each in peer.neighbours()] == [thief.peer_id]
        assert peer.connection_to(friend.peer_id) is None
        writer.transport.abort()


async def test_someone_joining_with_anothers_id_signed_by_itself() -> None:
    """A leaf that no network signed, or another network."""
    key = PeerKey.generate()
    async with victim(Limits()) as peer:
        for leaf in (forged_leaf(key, signer=key), Network.public("elsewhere").leaf_pem(key)):
            reader, writer = await dial(peer, private_pem(key) + leaf)
            with contextlib.suppress(OSError):
                writer.write(encode(HELLO))
            await until_closed(reader)
            writer.transport.abort()
        assert peer.connections() == []
        assert peer.get_peer(key.peer_id) is None
        assert peer.metrics.value("handshakes_failed", "wrong-network") == 2
        await assert_honest_gets_in(peer)


async def test_someone_joining_with_anothers_id_after_a_chain_of_its_own() -> None:
    """A peer's leaf is no authority: what it signs is refused."""
    friend, thief, middle = PeerKey.generate(), PeerKey.generate(), PeerKey.generate()
    async with victim(Limits()) as peer:
        chain = forged_leaf(thief, signer=middle) + forged_leaf(middle, signer=NETWORK, name="middle")
        reader, writer = await dial(peer, private_pem(thief) + chain)
        with contextlib.suppress(OSError):
            writer.write(encode(HELLO))
        await until_closed(reader)
        writer.transport.abort()
        assert peer.connections() == []
        assert peer.get_peer(friend.peer_id) is None


async def test_someone_joining_without_a_certificate() -> None:
    async with victim(Limits()) as peer:
        reader, writer = await dial(peer, b"")
        with contextlib.suppress(OSError):
            writer.write(encode(HELLO))
        await until_closed(reader)
        writer.transport.abort()
        assert peer.connections() == []


async def test_a_peer_with_its_own_id_twice() -> None:
    """A stolen or copied key: it cannot make a peer talk to itself, and each end sees one neighbour at the most."""
    key = PeerKey.generate()
    copy = Peer(key, TcpTransport(NETWORK, key), Environment(SystemClock(), random.Random(1)))
    async with open_peer(key=key) as peer, copy:
        with pytest.raises(Exception, match="this node itself"):
            await copy.connect(peer.addresses[0])
        assert peer.connections() == []


# --- tools of the attacker ----------------------------------------------------------------------------------------------------------------


def private_pem(key: PeerKey) -> bytes:
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def forged_leaf(key: PeerKey, *, signer: PeerKey | Network, name: str = "peerage peer") -> bytes:
    """A certificate for `key` with a subject of the attacker's choice."""
    issuer = "peerage network" if isinstance(signer, Network) else "middle"
    private = signer._ca_key if isinstance(signer, Network) else signer.private
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.private.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(private.public_key()), critical=False)
    )
    return builder.sign(private, algorithm=None).public_bytes(Encoding.PEM)


def client_context(chain: bytes) -> ssl.SSLContext:
    """A client that trusts everyone and shows what it is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if chain:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chain.pem"
            path.write_bytes(chain)
            context.load_cert_chain(path)
    return context


async def dial(peer: Peer, chain: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = peer.addresses[0]
    return await asyncio.open_connection(address.host, address.port, ssl=client_context(chain), server_hostname="")
