"""The peer table: hearsay never displaces who was met, the least useful gives way, and the disk is not trusted."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import ConfigError, LocalError, StoreError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import MAX_ADDRESSES
from peerage.peer.table import PeerInfo, PeerTable

OWN = PeerId(bytes(32))


def peer(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def at(number: int) -> tuple[Address, ...]:
    return (Address(f"h{number}.example", 7411),)


def known(table: PeerTable, number: int) -> PeerInfo:
    info = table.get(peer(number))
    assert info is not None
    return info


ids = st.integers(0, 12)
events = st.lists(st.tuples(st.sampled_from(["hear", "meet", "fail", "friend", "ban", "remove"]), ids), max_size=80)


@given(events)
def test_whatever_happens_the_rules_hold(steps: list[tuple[str, int]]) -> None:
    table = PeerTable(6, OWN)
    for time, (event, number) in enumerate(steps, 1):
        proved = {each.peer_id for each in table if each.proved}
        kept = {each.peer_id for each in table if each.kept}
        if event == "hear":
            table.hear_of(peer(number), at(number))
            assert proved == {each.peer_id for each in table if each.proved}
        elif event == "meet":
            table.met(peer(number), at(number), float(time))
            assert {each.peer_id for each in table if each.kept} == kept
        elif event == "fail":
            table.failed(peer(number))
        elif event == "remove":
            table.remove(peer(number))
        else:
            try:
                table.update(peer(number), **{"friend" if event == "friend" else "banned": True})
            except LocalError:
                assert number == 0 or (table.full and len(kept) == len(table))
        assert len(table) <= 6
        assert table.get(OWN) is None
        assert sum(not each.proved and not each.kept for each in table) <= 2 + len(kept)


def test_hearsay_never_displaces_who_was_met() -> None:
    table = PeerTable(8, OWN)
    for number in range(1, 9):
        assert table.met(peer(number), at(number), float(number))
    assert not table.hear_of(peer(100), at(100))
    assert table.get(peer(100)) is None
    assert not table.hear_of(peer(1), at(66))
    assert known(table, 1).addresses == at(1)


def test_hearsay_has_a_quarter_of_the_table() -> None:
    table = PeerTable(8, OWN)
    assert [table.hear_of(peer(number), at(number)) for number in range(1, 5)] == [True, True, False, False]
    assert table.met(peer(1), at(1), 1.0)  # met now, so no hearsay any more
    assert table.hear_of(peer(3), at(3))


def test_what_the_owner_said_comes_before_hearsay() -> None:
    table = PeerTable(8, OWN)
    table.update(peer(1), friend=True, addresses=at(1))
    assert table.hear_of(peer(1), at(66))
    assert known(table, 1).addresses == at(1) + at(66)
    assert not table.hear_of(peer(1), at(66))


def test_hearsay_without_a_usable_address_is_nothing() -> None:
    table = PeerTable(8, OWN)
    for useless in (
        (),
        (Address("0.0.0.0", 1),),
        (Address("h", 0),),
        (Address("a..b", 80),),
        (Address("224.0.0.1", 80),),
    ):
        assert not table.hear_of(peer(1), useless)
    assert not table.hear_of(OWN, at(1))


def test_addresses_are_bounded_and_the_newest_comes_first() -> None:
    table = PeerTable(8, OWN)
    for number in range(20):
        table.met(peer(1), at(number), float(number))
    assert known(table, 1).addresses == tuple(at(number)[0] for number in range(19, 19 - MAX_ADDRESSES, -1))
    assert known(table, 1).links == 20


def test_the_least_useful_gives_way() -> None:
    table = PeerTable(4, OWN)
    table.met(peer(1), at(1), 1.0)  # the oldest, but it gave something
    table.credit(peer(1), bytes_from=1000)
    table.met(peer(2), at(2), 2.0)
    table.met(peer(3), at(3), 3.0)
    table.failed(peer(3))
    table.update(peer(4), friend=True)
    table.met(peer(5), at(5), 5.0)
    assert {each.peer_id for each in table} == {peer(1), peer(2), peer(4), peer(5)}  # 3 did not answer lately
    table.met(peer(6), at(6), 6.0)
    assert {each.peer_id for each in table} == {peer(1), peer(4), peer(5), peer(6)}
    assert [each.peer_id for each in table.best()] == [peer(1), peer(6), peer(5)]  # the friend has no address


def test_friends_and_bans_never_give_way() -> None:
    table = PeerTable(2, OWN)
    table.update(peer(1), friend=True)
    table.update(peer(2), banned=True)
    assert not table.met(peer(3), at(3), 1.0)
    with pytest.raises(LocalError, match="all 2 known peers are friends or banned"):
        table.update(peer(3), friend=True)
    assert table.full
    assert {each.peer_id for each in table} == {peer(1), peer(2)}


def test_banned_peers_are_not_dialled() -> None:
    table = PeerTable(4, OWN)
    table.met(peer(1), at(1), 1.0)
    table.update(peer(1), banned=True)
    assert table.best() == []


def test_eight_failures_in_a_row_are_enough() -> None:
    table = PeerTable(4, OWN)
    table.met(peer(1), at(1), 1.0)
    table.update(peer(2), friend=True)
    for _ in range(7):
        table.failed(peer(1))
        table.failed(peer(2))
    table.met(peer(1), at(1), 2.0)  # one success forgives
    assert known(table, 1).failures == 0
    for _ in range(8):
        table.failed(peer(1))
        table.failed(peer(2))
    assert table.get(peer(1)) is None
    assert known(table, 2).failures == 15
    table.failed(peer(77))


def test_what_a_peer_was_good_for_adds_up() -> None:
    table = PeerTable(4, OWN)
    table.credit(peer(1), bytes_from=5)
    assert table.get(peer(1)) is None
    table.met(peer(1), at(1), 1.0)
    table.credit(peer(1), bytes_from=5, hits_from=1)
    table.credit(peer(1), bytes_from=5, bytes_to=7)
    info = known(table, 1)
    assert (info.bytes_from, info.bytes_to, info.hits_from) == (10, 7, 1)


def test_slots_are_bounded_and_follow_the_table() -> None:
    table = PeerTable(2, OWN)
    table.met(peer(1), at(1), 1.0)
    table.put_at(7, peer(1))
    table.put_at(9, peer(1))
    with pytest.raises(LocalError, match="all 2 slots"):
        table.put_at(8, peer(1))
    table.put_at(7, peer(1))
    table.remove(peer(1))
    assert table.get_at(7) is None
    assert not table.remove_at(9)


# --- on disk ------------------------------------------------------------------------------------------------------------


def test_the_next_start_knows_everything(tmp_path: Path) -> None:
    table, path = PeerTable(8, OWN), tmp_path / "peers.json"
    table.met(peer(1), (Address("2001:db8::7", 7411), Address("192.0.2.7", 7411)), 1234.5)
    table.credit(peer(1), bytes_from=10**15, hits_from=3)
    table.update(peer(2), friend=True, alias="Größe ☃")
    table.update(peer(3), banned=True)
    table.hear_of(peer(4), at(4))
    table.save(path)
    table.save(path)
    again = PeerTable(8, OWN)
    again.load(path)
    assert {each.peer_id: each for each in again} == {each.peer_id: each for each in table}
    assert [each.name for each in tmp_path.iterdir()] == ["peers.json"]


def test_no_file_is_an_empty_table(tmp_path: Path) -> None:
    table = PeerTable(8, OWN)
    table.load(tmp_path / "peers.json")
    assert len(table) == 0


def test_a_smaller_table_keeps_the_best(tmp_path: Path) -> None:
    table, path = PeerTable(10, OWN), tmp_path / "peers.json"
    for number in range(1, 10):
        table.met(peer(number), at(number), float(number))
    table.update(peer(10), friend=True)
    table.save(path)
    small = PeerTable(3, OWN)
    small.load(path)
    assert {each.peer_id for each in small} == {peer(10), peer(9), peer(8)}


@pytest.mark.parametrize(
    "content",
    [b"", b"[", b"{}", b"null", b"\xff\xfe", b'[{"peer_id": "AAAA"}]', b"[1]", b'[{"peer_id": 5}]', b"[" * 100_000],
)
def test_a_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="delete it to start with an empty one"):
        PeerTable(8, OWN).load(path)


def test_a_file_of_another_time_is_read(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(msgspec.json.encode([{"peer_id": peer(1), "links": 1, "a field of later": 5}]))
    table = PeerTable(8, OWN)
    table.load(path)
    assert known(table, 1).proved


def test_a_disk_that_refuses_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        PeerTable(8, OWN).save(tmp_path / "no such folder" / "peers.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        PeerTable(8, OWN).load(tmp_path)
