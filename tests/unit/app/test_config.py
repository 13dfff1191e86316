"""The configuration file: commented defaults, clear refusals, values changed in place."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from peerage.app.config import TEMPLATE, Config, LimitSettings, load, parse, write_default, write_values
from peerage.errors import ConfigError


def change(path: Path, limits: LimitSettings) -> None:
    write_values(path, [(f"limits.{name}", getattr(limits, name)) for name in limits.__struct_fields__])


def test_the_template_is_the_defaults() -> None:
    assert parse(TEMPLATE) == Config()


def test_every_setting_stands_in_the_template_with_its_default() -> None:
    shown = "\n".join(
        line.removeprefix("# ") if "=" in line else line
        for line in TEMPLATE.splitlines()
        if "= " in line or line.startswith("[")
    )
    assert parse(shown) == Config()
    data = tomllib.loads(shown)
    assert set(data) == set(Config.__struct_fields__)
    assert set(data["limits"]) == set(LimitSettings.__struct_fields__)


def test_a_missing_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "config.toml") == Config()


def test_the_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_default(path)
    path.write_text("lan = false\n")
    write_default(path)
    assert not load(path).lan


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# one\nlisten = ':1'\nlisen = ':2'\n", r"line 3: there is no setting 'lisen'; did you mean 'listen'\?"),
        ("[limits]\ndown = 1\nwest = 2\n", "line 3: there is no setting 'west'; known are: down, up, upload_slots"),
        ("[colours]\nred = 1\n", "line 1: there is no setting 'colours'"),
        ("lan = 'yes'\n", "line 1: lan = ... is not right: Expected bool, got str"),
        ("down = 1\n[limits]\nup = 'fast'\n", "line 1: there is no setting 'down'"),
        ("[limits]\n# down = 5\n\nup = -1\n", "line 4: up = ... is not right: Expected int >= 0"),
        ("limits = 3\n", "line 1: limits = ... is not right: Expected object, got int"),
        ("connect = ['a:1', 7]\n", "line 1: connect = ... is not right: Expected str, got int"),
        ("[log]\nlevel = 'loud'\n", "line 2: level = ... is not right: Invalid enum value 'loud'"),
        ("[schedule]\non = true\nhours = ['mon-fry 8-18']\n", "line 3: 'mon-fry 8-18' is no entry of a schedule"),
        ("lan = true\ndownloads = '~nobody-here/x'\n", "line 2: downloads = ... is not right: .*home"),
        ('downloads = "~\\u0000"\n', "line 1: downloads = ... is not right: .*null"),
        ("[remote]\nkey = '~nobody-here/x'\n", "line 2: key = ... is not right: .*home"),
        ("listen = \n", "is not TOML: .*line 1"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(text)


def test_a_file_that_is_no_text_or_far_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(path)
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigError, match="larger"):
        load(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        load(path)


def test_limits_are_changed_in_place_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_default(path)
    change(path, LimitSettings(down=1000, up=2000, upload_slots=3))
    assert load(path).limits == LimitSettings(down=1000, up=2000, upload_slots=3)
    change(path, LimitSettings(down=5))
    assert load(path).limits == LimitSettings(down=5)
    text = path.read_text()
    assert text.count("\ndown =") == 1
    assert [line for line in text.splitlines() if line.startswith("# ") and " = " not in line] == [
        line for line in TEMPLATE.splitlines() if line.startswith("# ") and " = " not in line
    ]


@pytest.mark.parametrize(
    "text", ["", "lan = false", "[log]\nlevel = 'debug'\n", "[limits]\n[log]\n", "[ limits ]  # x\nup=7\n"]
)
def test_limits_find_their_place_in_any_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    before = load(path)
    change(path, LimitSettings(down=9, up=8, upload_slots=7))
    after = load(path)
    assert after.limits == LimitSettings(down=9, up=8, upload_slots=7)
    assert (after.lan, after.log) == (before.lan, before.log)


def test_a_file_written_in_another_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("limits = {down = 1}\n")
    with pytest.raises(ConfigError, match="by hand|not TOML"):
        change(path, LimitSettings(down=2))
    assert path.read_text() == "limits = {down = 1}\n"


def test_the_download_folder_knows_the_tilde() -> None:
    assert Config(downloads="~/x").download_folder == Path.home() / "x"
