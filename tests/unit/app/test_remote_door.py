"""The API for other computers: with TLS and a password, or not at all."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from app_worlds import OpenNode, quiet
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from peerage.app.api.control import Control
from peerage.app.config import RemoteSettings
from peerage.app.doors import check_addresses
from peerage.app.home import Home
from peerage.app.keys_book import KeyBook
from peerage.app.node import Node
from peerage.app.serving import serve_api
from peerage.errors import ConfigError

PASSWORD = "correct horse"


@pytest.fixture
def settings(tmp_path: Path) -> RemoteSettings:
    """A certificate of its own for 127.0.0.1 and node.example."""
    return certified(tmp_path)


def certified(folder: Path) -> RemoteSettings:
    """Make such a certificate, and its key, in a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "node.example")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("node.example")]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return RemoteSettings(listen="127.0.0.1:0", certificate=str(paths[0]), key=str(paths[1]), names=["node.example"])


@pytest.fixture
async def far(open_node: OpenNode, settings: RemoteSettings) -> AsyncIterator[httpx.AsyncClient]:
    node: Node = await open_node("one", remote=settings)
    KeyBook(node.home.keys_file).set_password(PASSWORD)
    trusted = ssl.create_default_context(cafile=settings.certificate)
    async with serve_api(node, "127.0.0.1:0", Control()):
        assert (await node.status()).remote == node.remote
        async with httpx.AsyncClient(
            base_url=f"https://{node.remote}/api/v1/", verify=trusted, trust_env=False
        ) as http:
            yield http


async def test_a_renewed_certificate_is_shown_after_a_reload(open_node: OpenNode, settings: RemoteSettings) -> None:
    node = await open_node("one", remote=settings)
    KeyBook(node.home.keys_file).set_password(PASSWORD)
    key = Path(settings.key)

    async def shown() -> bytes:
        trusted = ssl.create_default_context(cafile=settings.certificate)
        _, writer = await asyncio.open_connection(*node.remote.split(":"), ssl=trusted)
        writer.close()
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate

    async def checked() -> str:
        node.doctor._until = 0.0
        return next(check.code for check in await node.doctor.examine() if check.name == "certificate")

    async with serve_api(node, "127.0.0.1:0", Control()):
        first, old_key = await shown(), key.read_bytes()
        assert await checked() == "certificate.soon"
        assert (await node.settings.reload()).changed == []
        certified(key.parent)
        assert await checked() == "certificate.unread"
        new_key = key.read_bytes()
        key.write_bytes(old_key)  # half of it only
        with pytest.raises(ConfigError, match="do not do"):
            await node.settings.reload()
        key.write_bytes(new_key)
        with pytest.raises(ssl.SSLError):
            await shown()  # the one before, which is no longer trusted here
        assert (await node.settings.reload()).changed == ["remote.certificate"]
        assert await shown() != first
        assert await checked() == "certificate.soon"
    assert node.certificate is None


async def test_another_computer_comes_in_by_the_password(far: httpx.AsyncClient) -> None:
    assert (await far.get("status")).status_code == 401
    assert (await far.post("login", content=b'{"secret":"wrong"}')).status_code == 401
    let_in = await far.post("login", content=b'{"secret":"correct horse"}')
    assert let_in.status_code == 200
    assert "Secure" in let_in.headers["set-cookie"]
    assert (await far.get("me")).status_code == 200
    origin = str(far.base_url).partition("/api")[0]
    assert (await far.post("transfers/x/pause", headers={"origin": origin})).status_code == 404
    plain = origin.replace("https", "http")
    assert (await far.post("transfers/x/pause", headers={"origin": plain})).status_code == 403


async def test_attack_dns_rebinding_from_afar(far: httpx.AsyncClient) -> None:
    for host, status in (("node.example", 401), ("192.0.2.1:7", 401), ("evil.example", 403), ("localhost.evil", 403)):
        assert (await far.get("status", headers={"host": host})).status_code == status


async def test_nothing_goes_in_the_clear(far: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.TransportError):
        await far.get(str(far.base_url).replace("https", "http") + "status")


def test_it_refuses_to_start_without_tls_or_password(tmp_path: Path, settings: RemoteSettings) -> None:
    home = Home(tmp_path / "home")
    home.create()

    def check(**changes: str) -> None:
        remote = RemoteSettings(**{"listen": "0.0.0.0:7413", **changes})
        check_addresses(home, quiet(tmp_path, api="127.0.0.1:0", remote=remote))

    files = {"certificate": settings.certificate, "key": settings.key}
    with pytest.raises(ConfigError, match="set certificate and key"):
        check()
    with pytest.raises(ConfigError, match="peerage keys password"):
        check(**files)
    KeyBook(home.keys_file).set_password(PASSWORD)
    check(**files)
    with pytest.raises(ConfigError, match="do not do"):
        check(certificate=settings.key, key=settings.certificate)
    with pytest.raises(ConfigError, match="do not do"):
        check(certificate=str(tmp_path / "nowhere"), key=settings.key)
    with pytest.raises(ConfigError, match=r"section \[remote\]"):
        check_addresses(home, quiet(tmp_path, api="0.0.0.0:7412"))
