"""docs/protocol.md says what is sent: each message has its row, and each row its message."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import peerage
from peerage.wire.message import ErrorCode, Message, Request

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
ROW = re.compile(r"^\| `(?P<code>.{4})` \| `(?P<name>\w+)\((?P<fields>[^)]*)\)` \| (?P<reply>[^|]*) ?\|", re.MULTILINE)
ROWS = {row["code"]: row for row in ROW.finditer(PAGE)}


def messages() -> list[type[Message]]:
    """Find every message type that the package defines."""
    for module in pkgutil.walk_packages(peerage.__path__, "peerage."):
        if module.name.endswith("messages") or module.name == "peerage.wire.message":
            importlib.import_module(module.name)
    found: list[type[Message]] = [Message]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.code and kind.__module__.startswith("peerage.")]


MESSAGES = {kind.code.decode(): kind for kind in messages()}


@pytest.mark.parametrize("code", sorted(MESSAGES))
def test_each_message_has_its_row(code: str) -> None:
    kind = MESSAGES[code]
    assert code in ROWS, (
        f"docs/protocol.md has no row for `{code}` | `{kind.__name__}({', '.join(kind.__struct_fields__)})`"
    )
    row = ROWS[code]
    assert row["name"] == kind.__name__
    assert [field.strip() for field in row["fields"].split(",") if field] == list(kind.__struct_fields__)
    if issubclass(kind, Request):
        assert row["reply"].strip(), f"{code} is a request: its row names no reply"


def test_each_row_has_its_message() -> None:
    assert set(ROWS) == set(MESSAGES)


def test_no_code_is_used_twice() -> None:
    assert len(messages()) == len(MESSAGES)


def test_each_reason_is_explained() -> None:
    for code in ErrorCode:
        assert f"| `{code}` |" in PAGE


def test_each_label_is_listed() -> None:
    source = Path(peerage.__file__).parent
    labels = {
        label for path in source.rglob("*.py") for label in re.findall(r"peerage 2026 [a-z ]+", path.read_text("utf-8"))
    }
    assert labels
    for label in labels:
        assert f"`{label.strip()}`" in PAGE, f"docs/protocol.md does not list the label {label!r}"
