"""The small parts of the node: names, addresses, hits kept, speeds, logs, the network's local announcements."""

from __future__ import annotations

import gc
import json
import logging
import stat
from pathlib import Path

import msgspec
import pytest
from app_worlds import OpenNode

from peerage.app.addresses import dialable, own_addresses
from peerage.app.api.control import Control
from peerage.app.api.models import Hit
from peerage.app.config import Config, LogSettings
from peerage.app.home import Home
from peerage.app.lan import Lan, announced, announcement, chosen_interfaces
from peerage.app.listening import listen, read_secret
from peerage.app.logs import logging_to
from peerage.app.naming import Named, UnknownNameError, find
from peerage.app.node import Node
from peerage.app.recent import RecentHits
from peerage.app.serving import check_api_address, serve_api
from peerage.app.upkeep import Speed
from peerage.errors import AddressError, ConfigError, LocalError
from peerage.identity.address import Address
from peerage.identity.keys import PeerId, format_id
from peerage.limits import MAX_ADDRESSES
from peerage.peer.open import open_peer

PEER = PeerId(bytes(range(32)))


# --- naming -----------------------------------------------------------------------------------------------------

ITEMS = [
    (Named("aaaa" + "b" * 48, "song"), 1),
    (Named("aaaa" + "c" * 48, "tune"), 2),
    (Named("dddd" + "e" * 48, "song"), 3),
]


@pytest.mark.parametrize(
    ("said", "meant"), [("aaaab", 1), ("AAAAC", 2), ("d" * 4, 3), ("tune", 2), ("aaaa" + "b" * 48, 1)]
)
def test_what_is_meant_is_found(said: str, meant: int) -> None:
    assert find(said, ITEMS, "thing") == meant


@pytest.mark.parametrize("said", ["aaaa", "song"])
def test_what_may_mean_two_is_refused(said: str) -> None:
    with pytest.raises(LocalError, match="2 things fit"):
        find(said, ITEMS, "thing")


@pytest.mark.parametrize("said", ["", "aaa", "zzzz", "Tune", "x" * 10_000, "\x1b[2J"])
def test_what_means_nothing_is_told(said: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        find(said, ITEMS, "thing")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


# --- addresses --------------------------------------------------------------------------------------------------


def test_wildcards_are_spelt_out_the_widest_reach_first() -> None:
    listening = (Address("0.0.0.0", 7411), Address("::", 7411))
    hosts = ("127.0.0.1", "192.168.1.5", "8.8.8.8", "::1", "fe80::1", "fd00::5", "2606:4700::1111")
    assert [str(each) for each in dialable(listening, hosts)] == [
        "8.8.8.8:7411",
        "[2606:4700::1111]:7411",
        "192.168.1.5:7411",
        "[fd00::5]:7411",
    ]


def test_loopback_is_offered_only_when_there_is_nothing_else() -> None:
    assert dialable((Address("0.0.0.0", 1),), ("127.0.0.1",)) == (Address("127.0.0.1", 1),)
    assert dialable((Address("127.0.0.1", 1), Address("192.0.2.1", 2)), ()) == (Address("192.0.2.1", 2),)
    assert dialable((), ("192.0.2.1",)) == ()


def test_many_interfaces_are_bounded() -> None:
    assert len(dialable((Address("0.0.0.0", 1),), tuple(f"10.0.0.{n}" for n in range(1, 200)))) == MAX_ADDRESSES


def test_this_computer_has_addresses() -> None:
    assert all(each.port == 5 for each in own_addresses([Address("0.0.0.0", 5)]))


# --- the last search --------------------------------------------------------------------------------------------


def hit(number: int) -> Hit:
    return Hit(
        number=number,
        link="",
        content_id="abcd" + "e" * 48,
        name=f"n{number}",
        size=1,
        sources=1,
        type="audio",
        meta=None,
        mime="",
        path="",
        holders=[],
    )


def test_hits_are_kept_for_the_next_run(tmp_path: Path) -> None:
    recent = RecentHits(tmp_path / "hits.json")
    recent.load()
    recent.begin()[1] = hit(1)
    recent.save()
    again = RecentHits(tmp_path / "hits.json")
    again.load()
    assert again.get(1) == hit(1)
    assert again.get(2) is None
    assert again.find("abcde").number == 1
    again.begin()
    assert again.get(1) is None


def test_damaged_hits_and_a_disk_that_refuses_cost_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "hits.json").write_text("{")
    recent = RecentHits(tmp_path / "hits.json")
    recent.load()
    assert recent.get(1) is None
    RecentHits(tmp_path / "none" / "hits.json").save()


# --- speeds and logs --------------------------------------------------------------------------------------------


def test_a_speed_follows_what_passes_and_comes_to_rest() -> None:
    total = 0
    speed = Speed(lambda: total)
    for second in range(20):
        speed.measure(float(second))
        total += 1000
    assert 990 < speed.rate < 1010
    for second in range(20, 40):
        speed.measure(float(second))
    assert speed.rate == 0.0


def test_the_log_is_json_lines_and_private(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with logging_to(path, LogSettings(format="json")):
        logging.getLogger("peerage.test").info("one\ntwo %s", "ü")
        logging.getLogger("peerage.test").debug("not this")
        try:
            raise ValueError("boom")
        except ValueError:
            logging.getLogger("peerage.test").exception("it failed")
    logging.getLogger("peerage.test").warning("after the end")
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "peerage.test", "one\ntwo ü")
    assert "ValueError: boom" in second["trace"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write the log"), logging_to(tmp_path / "none" / "log", LogSettings()):
        pass


# --- the local network ------------------------------------------------------------------------------------------


def test_only_id_and_place_are_announced() -> None:
    info = announcement(PEER, [Address("192.168.1.5", 7411), Address("fd00::5", 7411), Address("pc.example", 7411)])
    assert info is not None
    assert info.decoded_properties == {"id": format_id(PEER)}
    assert info.port == 7411
    assert info.parsed_addresses() == ["192.168.1.5", "fd00::5"]
    assert info.server == f"{format_id(PEER)[:16]}.local."
    assert announced(info.decoded_properties["id"], info.parsed_addresses(), info.port) == (
        PEER,
        (Address("192.168.1.5", 7411), Address("fd00::5", 7411)),
    )


def test_nobody_is_told_of_a_node_that_cannot_be_dialled() -> None:
    assert announcement(PEER, []) is None


@pytest.mark.parametrize(
    ("peer_id", "hosts", "port"),
    [
        (None, ["192.168.1.5"], 7411),
        ("", ["192.168.1.5"], 7411),
        ("x" * 5000, ["192.168.1.5"], 7411),
        (format_id(PEER), [], 7411),
        (format_id(PEER), ["192.168.1.5"], 0),
        (format_id(PEER), ["192.168.1.5"], None),
        (format_id(PEER), ["0.0.0.0", "224.0.0.251", "fe80::1", "evil.example", "255.255.255.255"], 7411),
    ],
)
def test_attack_announcements_that_no_node_makes(peer_id: str | None, hosts: list[str], port: int | None) -> None:
    assert announced(peer_id, hosts, port) is None


def test_attack_an_announcement_with_a_thousand_addresses() -> None:
    read = announced(format_id(PEER), [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1000)], 7411)
    assert read is not None
    assert len(read[1]) == MAX_ADDRESSES


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # zeroconf forgets a socket when it fails
async def test_no_multicast_is_a_notice_and_no_error() -> None:
    async with open_peer() as peer:
        lan = Lan(peer.addresses, lambda *_: None, ["192.0.2.1"])  # no interface of this computer
        await peer.mount(lan)
        assert lan._task is not None
        await lan._task
        assert lan.notice.startswith("peers on the local network cannot be looked for")
    gc.collect()


# --- listening --------------------------------------------------------------------------------------------------


async def test_only_the_default_port_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_peer("127.0.0.1:0") as taken, open_peer(None) as peer:
        place = str(taken.addresses[0])
        monkeypatch.setattr("peerage.app.listening.Config", lambda: Config(listen=place))
        heard = await listen(peer, Config(listen=place))
        assert "is taken" in heard.notice
        assert heard.addresses[0].port != taken.addresses[0].port


def test_a_secret_is_the_file_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b" correct horse \r\n")
    assert read_secret(path) == b" correct horse "
    path.write_bytes(b"x" * 70_000)
    with pytest.raises(ConfigError, match="larger"):
        read_secret(path)


@pytest.mark.parametrize("text", ["0.0.0.0:7412", ":7412", "192.0.2.1:1", "[::]:1", "example.org:1"])
def test_the_api_is_only_for_this_computer(text: str) -> None:
    with pytest.raises(ConfigError, match="only for this computer"):
        check_api_address(text)


def test_the_api_can_be_at_any_loopback_address() -> None:
    assert check_api_address("localhost:7") == Address("127.0.0.1", 7)
    assert check_api_address("[::1]:7") == Address("::1", 7)
    with pytest.raises(AddressError):
        check_api_address("7")


async def test_a_chosen_api_port_that_is_taken_is_refused(node: Node, open_node: OpenNode) -> None:
    other = await open_node("other")
    async with serve_api(node, "127.0.0.1:0", Control()) as address:
        with pytest.raises(ConfigError, match="the API cannot listen"):
            async with serve_api(other, str(address), Control()):
                pass
    assert node.api == ""


def test_every_file_of_a_home_has_its_own_place(tmp_path: Path) -> None:
    home = Home(tmp_path)
    paths = [value for value in vars(home).values() if isinstance(value, Path) and value != home.path]
    assert len(set(paths)) == len(paths)
    assert all(path.parent == home.path for path in paths)
    assert msgspec.json.decode(msgspec.json.encode(Config()), type=Config) == Config()


def test_a_node_that_listens_at_one_place_is_announced_only_there():
    assert chosen_interfaces([Address("127.0.0.1", 7411)]) == ["127.0.0.1"]
    assert chosen_interfaces([Address("192.0.2.1", 1), Address("192.0.2.1", 2), Address("::1", 1)]) == [
        "192.0.2.1",
        "::1",
    ]
    assert chosen_interfaces([Address("0.0.0.0", 7411), Address("::", 7411)]) == []
    assert chosen_interfaces([Address("192.0.2.1", 1), Address("here.example", 1)]) == []
    assert chosen_interfaces([]) == []
