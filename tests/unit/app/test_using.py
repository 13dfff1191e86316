"""Settings that are used while the node runs, and a file that is read again."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from app_worlds import Api, OpenNode

from peerage.app import using as using_module
from peerage.app.api.models import MAX_TEXT
from peerage.app.api.setting_models import Reloaded, SettingChange
from peerage.app.config import Config
from peerage.app.lan import Lan
from peerage.app.node import Node
from peerage.errors import AddressError, ConfigError, RefusedError
from peerage.peer.service import Service


async def change(node: Node, **values: Any) -> None:
    await node.settings.change([SettingChange(name=name.replace("__", "."), value=new) for name, new in values.items()])


def write(node: Node, text: str) -> None:
    node.home.config_file.write_text(text)


@pytest.fixture(autouse=True)
async def same_log() -> AsyncIterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


async def test_downloads_go_to_the_new_folder(node: Node, open_node: OpenNode, files: Path, tmp_path: Path) -> None:
    other = await open_node("other")
    share = await other.share(files / "words.txt")
    await change(node, downloads=str(tmp_path / "new"))
    path = await (await node.get(share.link)).wait()
    assert path == tmp_path / "new" / "words.txt"
    assert node.drops  # what is handed in goes there, too: it asks for the folder each time
    assert node.config.download_folder == tmp_path / "new"


async def test_who_may_look_changes_at_once(node: Node, open_node: OpenNode, files: Path) -> None:
    other = await open_node("other")
    await node.share(files)
    await node.settled()
    await other.connect((await node.status()).listen)

    async def look() -> int:
        async with aclosing(await other.browse(node.peer_id)) as shown:
            return len([each async for each in shown])

    assert await look() > 0
    await change(node, browse="nobody")
    with pytest.raises(RefusedError):
        await look()
    await change(node, browse="everyone")
    assert await look() > 0


async def test_peers_named_in_the_settings_are_dialled_at_once(node: Node, open_node: OpenNode) -> None:
    other = await open_node("other")
    address = (await other.status()).listen
    await change(node, connect=[address])
    async with asyncio.timeout(20):
        while not node.peer.is_held(other.peer.peer_id):
            await asyncio.sleep(0)
    assert node.peer.connection_to(other.peer.peer_id)
    assert len(node.membership._anchors) == 1
    await change(node, connect=[])
    assert len(node.membership._anchors) == 0
    with pytest.raises(AddressError):
        await change(node, connect=["nonsense"])
    assert node.config.connect == []


async def test_indexes_named_in_the_settings_are_used_at_once(node: Node, open_node: OpenNode, files: Path) -> None:
    index = await open_node("index", serve_index=True)
    where = f"{index.peer_id}@{(await index.status()).listen}"
    assert node.settings._using.at_once("index")
    await change(node, index=[where])
    (named,) = [each for each in node.overlays.indexes() if each.configured]
    assert named.peer_id == index.peer.peer_id
    async with asyncio.timeout(20):
        while not all(each.registered for each in node.overlays.indexes()):
            await asyncio.sleep(0)
    await change(node, index=[])
    assert not [each for each in node.overlays.indexes() if each.configured]


async def test_an_index_needs_a_restart_where_indexes_are_not_used(open_node: OpenNode) -> None:
    node = await open_node("one", overlay="flood")
    await change(node, index=["127.0.0.1:1"])
    (entry,) = [each for each in await node.settings.all() if each.name == "index"]
    assert (entry.at_once, entry.restart) == (False, True)
    assert node.config.index == []


async def test_old_peers_named_in_the_settings_are_dialled_at_once(open_node: OpenNode) -> None:
    one, other = [await open_node(name, classic="127.0.0.1:0") for name in ("one", "other")]
    assert other.classic.address is not None
    await change(one, classic_connect=[str(other.classic.address)])
    async with asyncio.timeout(20):
        while not other.classic.peers():
            await asyncio.sleep(0)
    assert len(one.classic._old_peers._anchors) == 1
    await change(one, classic_connect=[])
    assert one.classic._old_peers._anchors == {}
    with pytest.raises(AddressError):
        await change(one, classic_connect=["nonsense"])


async def test_the_local_network_is_looked_through_at_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted: list[Service] = []

    class QuietLan(Lan):
        """One that shouts nowhere."""

        async def start(self) -> None:
            mounted.append(self)

        async def stop(self) -> None:
            mounted.remove(self)

    monkeypatch.setattr(using_module, "Lan", QuietLan)
    write(node, "lan = false\n")
    await node.settings.reload()
    await change(node, lan=True)
    assert mounted == [node.lan]
    await change(node, lan=True)
    assert len(mounted) == 1
    await change(node, lan=False)
    assert (mounted, node.lan) == ([], None)


# --- reading the file again -----------------------------------------------------------------------------------------


async def test_a_file_changed_by_hand_is_read_again(api: Api, node: Node) -> None:
    write(node, '# mine\nbrowse = "nobody"\nserve_index = true\n[limits]\nup = 777\n[log]\nlevel = "error"\n')
    assert sorted(await node.settings.unread()) == ["browse", "limits.up", "log.level"]
    answer = await api.http.post("settings/reload")
    assert answer.status_code == 200
    reloaded = msgspec.json.decode(answer.content, type=Reloaded)
    assert sorted(reloaded.changed) == ["browse", "limits.up", "log.level"]
    assert reloaded.restart == ["serve_index"]
    assert (node.limits().up, node.exchange.rate.rate, node.config.browse) == (777, 777, "nobody")
    assert not node.config.serve_index
    assert logging.getLogger().level == logging.ERROR
    assert await node.settings.unread() == []
    again = msgspec.json.decode((await api.http.post("settings/reload")).content, type=Reloaded)
    assert (again.changed, again.restart) == ([], ["serve_index"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("browse = 'nobody'\nlan = 7\n", "line 2"),
        ("browse = \n", "not TOML"),
        ("browse = 'nobody'\n[limits]\nupp = 7\n", "line 3"),
        ("browse = 'nobody'\n[schedule]\nhours = ['soon']\n", "line 3"),
        ("browse = 'nobody'\nlisten = 'nonsense:port'\n", "nonsense"),
        ("browse = 'nobody'\napi = '0.0.0.0:1'\n", "this computer"),
        ("browse = 'nobody'\nconnect = ['x']\n", "x"),
    ],
)
async def test_a_mistake_leaves_everything_as_it_was(api: Api, node: Node, text: str, says: str) -> None:
    write(node, text)
    answer = await api.http.post("settings/reload")
    assert answer.status_code in {400, 409}
    assert re.search(says, answer.text)
    assert node.config.browse == "everyone"
    assert any("config.toml cannot be used" in notice for notice in node.all_notices())
    write(node, "browse = 'friends'\n")
    assert (await api.http.post("settings/reload")).status_code == 200
    assert node.config.browse == "friends"
    assert not [notice for notice in node.all_notices() if "config.toml" in notice]


async def test_a_file_that_cannot_be_read(node: Node) -> None:
    node.home.config_file.unlink()
    node.home.config_file.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        await node.settings.reload()


async def test_what_was_given_at_the_start_stays_until_it_is_changed(open_node: OpenNode) -> None:
    node = await open_node("one", browse="friends")  # as by a flag: the file says "everyone"
    assert (await node.settings.reload()).changed == []
    assert node.config.browse == "friends"
    await change(node, limits__down=5)
    assert node.config.browse == "friends"
    await change(node, browse="everyone")
    assert node.config.browse == "everyone"


async def test_changes_come_one_after_the_other(node: Node) -> None:
    await asyncio.gather(*(change(node, limits__up=number) for number in range(1, 21)), node.settings.reload())
    assert node.limits().up == node.home.config().limits.up == node.config.limits.up


async def test_attack_a_value_of_any_size(api: Api, node: Node) -> None:
    body = {"changes": [{"name": "schedule.hours", "value": ["x" * (MAX_TEXT + 1)]}]}
    assert (await api.http.patch("settings", content=msgspec.json.encode(body))).status_code == 400
    body = {"changes": [{"name": "schedule.hours", "value": ["mon 8-9"] * 1000}]}
    assert (await api.http.patch("settings", content=msgspec.json.encode(body))).status_code == 409
    assert node.home.config().schedule == Config().schedule


async def test_a_guest_cannot_reload(api: Api, node: Node) -> None:
    key = msgspec.json.decode((await api.http.post("keys", content=b'{"name": "g", "role": "guest"}')).content)
    headers = {"authorization": f"Bearer {key['secret']}"}
    assert (await api.http.post("settings/reload", headers=headers)).status_code == 403
    assert (await api.http.get("doctor", headers=headers)).status_code == 200
