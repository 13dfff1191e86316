"""The key of a peer: what it signs with, and the id that the others know it by.

Invariant: a peer id is BLAKE3-256 of the raw Ed25519 public key, so whoever proves the key proves the id. This module
signs and verifies; it does not decide whom to trust.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Annotated, Final, NewType

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from peerage.errors import AddressError, ConfigError, ForgedError

ID_BYTES: Final = 32
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
ID_CHARS: Final = 52  # 256 bits in base32, without padding

PeerId = NewType("PeerId", bytes)
PeerIdField = Annotated[PeerId, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
"""A peer id inside a message: its length is checked while it is decoded."""
PublicKeyField = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
SignatureField = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


def peer_id_of(public_key: bytes) -> PeerId:
    """Return the id of the peer that owns this raw 32-byte Ed25519 public key."""
    return PeerId(blake3(public_key, derive_key_context="peerage 2026 peer id").digest())


def format_id(value: bytes) -> str:
    """Show a 32-byte id (of a peer or of content) as 52 lower-case base32 characters."""
    return base64.b32encode(value).decode().rstrip("=").lower()


def parse_id(text: str) -> bytes:
    """Read what `format_id` shows; raises AddressError for anything else."""
    try:
        value = base64.b32decode(text.upper() + "====")
    except (binascii.Error, ValueError) as error:
        raise AddressError(f"{text!r} is not an id: an id has {ID_CHARS} letters a-z and digits 2-7") from error
    if len(value) != ID_BYTES or format_id(value) != text.lower():
        raise AddressError(f"{text!r} is not an id: an id has {ID_CHARS} letters a-z and digits 2-7")
    return value


def verify(public_key: bytes, signature: bytes, data: bytes) -> None:
    """Check an Ed25519 signature (RFC 8032); raises ForgedError when it does not fit."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError) as error:
        raise ForgedError("the signature does not fit: this was not written by who it says") from error


class PeerKey:
    """An Ed25519 key pair; `peer_id` is what the others know it by."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key: bytes = private.public_key().public_bytes_raw()
        self.peer_id: PeerId = peer_id_of(self.public_key)

    @classmethod
    def generate(cls) -> PeerKey:
        """Make a new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> PeerKey:
        """Rebuild the key of a 32-byte seed."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def private(self) -> Ed25519PrivateKey:
        """The private half, for the certificate of a link."""
        return self._private

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of `data`."""
        return self._private.sign(data)

    def save(self, path: Path) -> None:
        """Write the key to a new file that only its owner can read; an existing file is never overwritten."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(self._private.private_bytes_raw().hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(cls, path: Path) -> PeerKey:
        """Read what `save` wrote; raises ConfigError when the file is damaged, unreadable or open to others.

        A missing file is a FileNotFoundError: whoever calls decides whether a new identity is wanted.
        """
        try:
            if os.name == "posix" and path.stat().st_mode & 0o077:
                raise ConfigError(f"{path} can be read by others; make it private with: chmod 600 {path}")
            return cls.from_seed(bytes.fromhex(path.read_text("ascii").strip()))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:  # UnicodeDecodeError is one
            raise ConfigError(
                f"{path} is not a Peerage key; restore it from a backup, or move it away to start with a new identity"
            ) from error
