"""The file of good supernodes in the home folder, and what a node counts as able to give."""

from __future__ import annotations

import msgspec
import pytest
from app_worlds import OpenNode

from peerage.app.config import Config, LimitSettings
from peerage.app.known_supernodes import SupernodeFile, capacity_of
from peerage.identity.address import Address
from peerage.limits import DEFAULT
from peerage.overlay.supernode import SupernodeAt

KNOWN = [SupernodeAt(bytes([number]) * 32, (Address("192.0.2.1", 7000 + number),)) for number in range(3)]


def test_what_was_saved_is_there_at_the_next_start(tmp_path):
    SupernodeFile(tmp_path / "supernodes.json").save(KNOWN)
    assert list(SupernodeFile(tmp_path / "supernodes.json").load()) == KNOWN
    assert [path.name for path in tmp_path.iterdir()] == ["supernodes.json"]


@pytest.mark.parametrize("damage", [b"", b"{", b'[["AA==",[]]]', b"\xff\xfe", b"[" * 300_000])
def test_a_damaged_file_is_no_reason_not_to_start(tmp_path, damage):
    path = tmp_path / "supernodes.json"
    path.write_bytes(damage)
    assert list(SupernodeFile(path).load()) == []


def test_a_missing_folder_is_no_reason_to_stop(tmp_path):
    kept = SupernodeFile(tmp_path / "gone" / "supernodes.json")
    kept.save(KNOWN)
    assert list(kept.load()) == []


def test_who_has_limited_its_uploads_says_so():
    limited = Config(limits=LimitSettings(up=50_000))
    assert capacity_of(limited, DEFAULT).upload == 50_000
    few = msgspec.structs.replace(DEFAULT, connections=10)
    assert capacity_of(Config(), few).connections == 10


@pytest.mark.parametrize("word", ["auto", "supernode"])
async def test_a_node_takes_part_and_says_what_it_is(open_node: OpenNode, word: str) -> None:
    node = await open_node("one", overlay=word)
    (line,) = [line for line in (await node.status()).overlays if line.name == "supernode"]
    assert (line.role, line.serves, line.peers) == ("idle", False, 0)
    assert "flood" in {overlay.name for overlay in node.overlays.mounted}
