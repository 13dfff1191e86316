"""Settings changed while a node runs: checked, written, used."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec
import pytest
from app_worlds import Api
from hypothesis import given
from hypothesis import strategies as st

from peerage.app import config
from peerage.app.api.setting_models import SettingEntry
from peerage.app.config import Config, changed, load, names, value_of, write_default, write_values
from peerage.app.node import Node
from peerage.errors import ConfigError


def test_every_setting_has_a_name() -> None:
    assert {"listen", "lan", "connect", "limits.down", "remote.listen", "log.level"} <= set(names())
    for name in names():
        assert value_of(Config(), name) is not None


def test_single_values_are_changed_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_default(path)
    before = path.read_text().splitlines()
    wanted = [("lan", False), ("connect", ["a:1", "b:2"]), ("limits.up", 7), ("remote.names", ["x"]), ("listen", "")]
    write_values(path, wanted)
    now = load(path)
    assert [(name, value_of(now, name)) for name, _ in wanted] == wanted
    after = path.read_text().splitlines()
    assert len(after) == len(before)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == len(wanted)
    write_values(path, [("lan", True)])
    assert load(path).lan


def test_a_file_kept_elsewhere_stays_there_and_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    path, kept = tmp_path / "home" / "config.toml", tmp_path / "elsewhere" / "peerage.toml"
    kept.write_text("lan = true\n")
    kept.chmod(0o600)
    path.symlink_to(kept)
    write_values(path, [("lan", False)])
    assert path.is_symlink()
    assert kept.read_text() == "lan = false\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [each.name for folder in (path, kept) for each in folder.parent.iterdir()] == [path.name, kept.name]


def test_a_disk_that_refuses_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    write_default(path)
    before = path.read_text()

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"cannot write .*config\.toml: No space left"):
        write_values(path, [("lan", False)])
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.lists(st.text(max_size=5), max_size=3))
def test_attack_any_text_stays_a_text(text: str, several: list[str]) -> None:
    source = config.TEMPLATE
    for key, value in (
        ("network", text),
        ("connect", [each.encode("utf-8", "replace").decode() for each in several]),
    ):
        source = config._with_value(source, "", key, config._written(value))
    parsed = config.parse(source)
    assert parsed.network == text
    assert parsed.limits == Config().limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nothing", 1),
        ("limits", 1),
        ("limits.nothing", 1),
        ("limits.", 1),
        ("limits.up", -1),
        ("limits.up", "fast"),
        ("lan", "yes"),
        ("log.level", "loud"),
        ("connect", "a:1"),
        ("lan\nx", True),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "config.toml"
    write_default(path)
    before = path.read_text()
    with pytest.raises(ConfigError):
        write_values(path, [("lan", False), (name, value)])
    assert path.read_text() == before


def test_a_file_that_is_written_by_hand_in_another_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('connect = [\n  "a:1",\n]\n')
    with pytest.raises(ConfigError, match="by hand"):
        changed(path, [("connect", ["b:2"])])


async def test_settings_over_http(api: Api, node: Node) -> None:
    async def all_of_them() -> dict[str, SettingEntry]:
        response = await api.http.get("settings")
        assert response.status_code == 200
        return {entry.name: entry for entry in msgspec.json.decode(response.content, type=list[SettingEntry])}

    async def change(**changes: object) -> int:
        body = {"changes": [{"name": name.replace("__", "."), "value": value} for name, value in changes.items()]}
        return (await api.http.patch("settings", content=msgspec.json.encode(body))).status_code

    assert set(await all_of_them()) == set(names())
    level = logging.getLogger().level
    try:
        assert await change(limits__up=12345, serve_index=True, log__level="error") == 200
        assert logging.getLogger().level == logging.ERROR
    finally:
        logging.getLogger().setLevel(level)
    assert node.limits().up == 12345
    now = await all_of_them()
    assert (now["limits.up"].value, now["limits.up"].restart, now["limits.up"].at_once) == (12345, False, True)
    assert (now["serve_index"].value, now["serve_index"].restart, now["serve_index"].default) == (True, True, False)
    assert await change(serve_index=False) == 200
    assert not (await all_of_them())["serve_index"].restart
    for wrong in (
        {"listen": "nonsense:port"},
        {"api": "0.0.0.0:7412"},
        {"remote__listen": ":7413"},
        {"connect": ["x"]},
        {"classic": "[::1]:5"},
        {"nothing": 1},
        {"lan": "yes"},
    ):
        assert await change(**wrong) in {400, 409}, wrong
    assert (await all_of_them())["api"].value == Config().api
    assert await change() == 400
