"""Networks: the name or the secret decides who is in, and the label tells which without giving the secret away."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from peerage.errors import ConfigError, ForgedError
from peerage.identity.keys import PeerKey
from peerage.identity.network import PUBLIC_NETWORK, Network, public_key_of

SECRET = b"correct horse battery staple"


def leaf_of(network: Network, key: PeerKey) -> x509.Certificate:
    return x509.load_pem_x509_certificate(network.leaf_pem(key))


@pytest.fixture(scope="module")
def private() -> Network:
    return Network.from_secret(SECRET)


def test_the_same_name_is_the_same_network() -> None:
    assert Network.public().label == Network.public(PUBLIC_NETWORK).label
    assert Network.public("films").authority_pem() == Network.public("films").authority_pem()
    assert Network.public("films").label != Network.public("music").label


def test_the_label_of_the_public_network_never_changes() -> None:
    assert Network.public().label == "zq7a6otqniksypky"


def test_letters_that_look_the_same_are_the_same_name() -> None:
    assert Network.public("cafe\u0301").label == Network.public("caf\u00e9").label


def test_a_secret_makes_a_network_of_its_own(private: Network) -> None:
    again = Network.from_secret(SECRET, "family")
    assert again.label == private.label  # what people call it does not matter
    assert private.private
    assert not Network.public().private
    assert private.label != Network.public(SECRET.decode()).label  # a name is no secret


def test_another_secret_is_another_network(private: Network) -> None:
    assert Network.from_secret(SECRET + b".").label != private.label


@pytest.mark.parametrize("secret", [b"", b"short", b"1234567"])
def test_a_secret_too_short_is_refused(secret: bytes) -> None:
    with pytest.raises(ConfigError, match="at least 8 bytes"):
        Network.from_secret(secret)


@pytest.mark.parametrize("name", ["", " ", "a\n", " films", "x" * 65, "a\0b"])
def test_a_name_that_nobody_can_type_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a network"):
        Network.public(name)


def test_a_leaf_carries_the_peers_key_and_is_signed_by_its_network() -> None:
    key, network = PeerKey.generate(), Network.public()
    leaf = leaf_of(network, key)
    authority = x509.load_pem_x509_certificate(network.authority_pem())
    leaf.verify_directly_issued_by(authority)
    assert public_key_of(leaf.public_bytes(Encoding.DER)) == key.public_key
    with pytest.raises((InvalidSignature, ValueError)):
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(Network.public("other").authority_pem()))


def test_clocks_that_jump_change_nothing() -> None:
    leaf = leaf_of(Network.public(), PeerKey.generate())
    assert leaf.not_valid_before_utc < dt.datetime(2007, 1, 1, tzinfo=dt.UTC)
    assert leaf.not_valid_after_utc.year == 9999


def test_a_leaf_cannot_sign_further_leaves() -> None:
    leaf = leaf_of(Network.public(), PeerKey.generate())
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


@pytest.mark.parametrize("junk", [b"", b"junk", b"0" * 500])
def test_a_certificate_that_cannot_be_read_is_forged(junk: bytes) -> None:
    with pytest.raises(ForgedError):
        public_key_of(junk)


def test_a_certificate_with_another_kind_of_key_is_forged() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
        .sign(PeerKey.generate().private, algorithm=None)
    )
    with pytest.raises(ForgedError, match="no Ed25519 key"):
        public_key_of(certificate.public_bytes(Encoding.DER))
