"""A network: who can talk to whom, by a name (public) or by a secret (private).

Every node derives the same *network CA* key, from the name or, through scrypt, from the secret; it signs its own leaf
certificate, which carries its Ed25519 peer key. Invariant: the CA proves "same network" and nothing more, the leaf key
proves who. Certificates never expire: time is no part of what they prove, and clocks of home computers jump.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from typing import Final

from blake3 import blake3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from peerage.errors import ConfigError, ForgedError
from peerage.identity.keys import PeerKey, format_id

PUBLIC_NETWORK: Final = "peerage"
MAX_NAME_CHARS: Final = 64
MIN_SECRET_BYTES: Final = 8

_SINCE: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_UNTIL: Final = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)  # RFC 5280: no well-defined end
_SUBJECT: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peerage network")])
_LEAF: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peerage peer")])
_SCRYPT_N: Final = 2**16  # 64 MiB and about 0.2 s a guess
_SCRYPT_R: Final = 8


class Network:
    """One network; `name` is what a person calls it, `label` tells networks apart without giving the secret away."""

    def __init__(self, name: str, seed: bytes, *, private: bool) -> None:
        self.name = name
        self.private = private
        self._ca_key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._ca_key.public_key().public_bytes_raw()
        self.label: str = format_id(blake3(public, derive_key_context="peerage 2026 network label").digest())[:16]

    @classmethod
    def public(cls, name: str = PUBLIC_NETWORK) -> Network:
        """Return the network that everyone who knows `name` can join; spellings of the same letters are one name."""
        name = unicodedata.normalize("NFC", name)
        _check_name(name)
        seed = blake3(name.encode(), derive_key_context="peerage 2026 public network").digest()
        return cls(name, seed, private=False)

    @classmethod
    def from_secret(cls, secret: bytes, name: str = "private") -> Network:
        """Return the network of those who know `secret`, at least 8 bytes; takes about 0.2 s and 64 MiB (scrypt)."""
        _check_name(name)
        if len(secret) < MIN_SECRET_BYTES:
            raise ConfigError(f"the network secret is too short: use at least {MIN_SECRET_BYTES} bytes, better 16")
        seed = hashlib.scrypt(
            secret, salt=b"peerage 2026 private network", n=_SCRYPT_N, r=_SCRYPT_R, p=1, maxmem=2**27, dklen=32
        )
        return cls(name, seed, private=True)

    def seed(self) -> bytes:
        """Return what a process that this one trusts needs to be in the network; of a private one it is the secret."""
        return self._ca_key.private_bytes_raw()

    def authority_pem(self) -> bytes:
        """Return the certificate of the network CA, the only one that links trust."""
        return _certificate(_SUBJECT, self._ca_key.public_key(), self._ca_key, authority=True)

    def leaf_pem(self, key: PeerKey) -> bytes:
        """Return this peer's private key and its certificate, signed by the network CA, for an SSL context."""
        private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + _certificate(_LEAF, key.private.public_key(), self._ca_key, authority=False)


def public_key_of(certificate: bytes) -> bytes:
    """Return the raw Ed25519 key that a DER leaf certificate carries; raises ForgedError for any other key."""
    try:
        public = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise ForgedError("the other side's certificate cannot be read") from error
    if not isinstance(public, Ed25519PublicKey):
        raise ForgedError("the other side's certificate carries no Ed25519 key")
    return public.public_bytes_raw()


def _check_name(name: str) -> None:
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable() or name != name.strip():
        raise ConfigError(f"{name!r} cannot name a network: use 1 to {MAX_NAME_CHARS} printable characters")


def _certificate(subject: x509.Name, public: Ed25519PublicKey, ca_key: Ed25519PrivateKey, *, authority: bool) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_SUBJECT)
        .public_key(public)
        .serial_number(1 if authority else x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .add_extension(_usage(authority=authority), critical=True)
    )
    return builder.sign(ca_key, algorithm=None).public_bytes(Encoding.PEM)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
