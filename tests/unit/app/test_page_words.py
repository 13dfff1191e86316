"""The words of the settings: every setting and every choice of a node has a name and an explanation in both languages."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import get_args

import pytest

from peerage.app import config
from peerage.app.api.models import VisibilityName
from peerage.app.api.permissions import PERMISSIONS
from peerage.app.config import BrowseName, OverlayName

WORDS = files("peerage.app.web") / "page" / "words"
TOPICS = sorted(entry.name for entry in (WORDS / "en").iterdir())


def words_of(language: str, topic: str) -> dict[str, str]:
    """Return what a file of words says, by key; one key a line, as all of them are written."""
    text = (WORDS / language / topic).read_text("utf-8")
    said = re.findall(r'^  "([^"]+)":\s*(.+?),?$', text, re.MULTILINE)
    assert len(said) == len(dict(said)), f"a key stands twice in {language}/{topic}"
    return dict(said)


def all_words(language: str) -> dict[str, str]:
    return {key: text for topic in TOPICS for key, text in words_of(language, topic).items()}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_setting_has_a_name_and_an_explanation(language: str) -> None:
    words = all_words(language)
    wanted = [key for name in config.names() for key in (f"setting.{name}", f"setting.{name}.about")]
    assert [key for key in wanted if key not in words] == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_choice_has_a_name(language: str) -> None:
    words = all_words(language)
    wanted = [
        *(f"setting.overlay.{each}" for each in get_args(OverlayName)),
        *(f"setting.browse.{each}" for each in get_args(BrowseName)),
        *(f"visibility.{each}" for each in get_args(VisibilityName)),
        *(f"role.{each}" for each in PERMISSIONS),
    ]
    assert [key for key in wanted if key not in words] == []
