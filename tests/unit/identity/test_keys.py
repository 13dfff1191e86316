"""Keys and ids: what is shown can be read again, and a key file is private and never overwritten."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import AddressError, ConfigError, ForgedError
from peerage.identity.keys import ID_CHARS, PeerKey, format_id, parse_id, peer_id_of, verify

SEED = bytes(range(32))


@given(st.binary(min_size=32, max_size=32))
def test_ids_round_trip(value: bytes) -> None:
    text = format_id(value)
    assert len(text) == ID_CHARS
    assert text == text.lower()
    assert parse_id(text) == value
    assert parse_id(text.upper()) == value


@given(st.text(max_size=60))
def test_hostile_text_is_an_address_error_and_nothing_else(text: str) -> None:
    with pytest.raises(AddressError):
        parse_id(text)


def test_an_id_has_one_spelling() -> None:
    text = format_id(SEED)
    with pytest.raises(AddressError):
        parse_id(text[:-1] + "b")  # the last letter carries one bit: another letter would decode to the same id
    for other in (
        text[:-1],
        text + "a",
        text + "=",
        " " + text,
        text.replace("a", "1", 1),
        text.replace("i", "\u0131", 1),
    ):
        if other != text:
            with pytest.raises(AddressError):
                parse_id(other)


def test_the_id_is_the_hash_of_the_key() -> None:
    key = PeerKey.from_seed(SEED)
    assert key.peer_id == peer_id_of(key.public_key)
    assert format_id(key.peer_id) == "rwuqbzbgcmh4peasp4wwrjzd6qhpfuldbxeam6i36dj6zms6fo7a"  # must never change


def test_two_keys_differ() -> None:
    assert PeerKey.generate().peer_id != PeerKey.generate().peer_id


def test_signatures() -> None:
    key = PeerKey.from_seed(SEED)
    signature = key.sign(b"text")
    verify(key.public_key, signature, b"text")
    for public, signed, data in (
        (key.public_key, signature, b"other text"),
        (PeerKey.generate().public_key, signature, b"text"),
        (key.public_key, signature[:-1] + bytes([signature[-1] ^ 1]), b"text"),
        (key.public_key, b"", b"text"),
        (b"too short", signature, b"text"),
    ):
        with pytest.raises(ForgedError):
            verify(public, signed, data)


def test_a_key_file_is_private_and_comes_back(tmp_path: Path) -> None:
    path, key = tmp_path / "key", PeerKey.generate()
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PeerKey.load(path).peer_id == key.peer_id


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    PeerKey.from_seed(SEED).save(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        PeerKey.generate().save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not hex at all", b"00" * 31, b"00" * 33, b"0" * 63])
def test_a_damaged_key_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="restore it from a backup, or move it away"):
        PeerKey.load(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    PeerKey.generate().save(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        PeerKey.load(path)


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ConfigError, match="cannot be read"):
        PeerKey.load(tmp_path)


def test_no_key_yet(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PeerKey.load(tmp_path / "key")
