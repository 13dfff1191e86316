"""The manual page: it has every command and option, and man and mandoc have nothing to complain of."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from peerage.app.cli.main import build, main
from peerage.app.cli.manual import _text, render


@pytest.fixture(scope="module")
def page() -> str:
    return render()


def commands() -> Iterator[tuple[str, Any]]:
    root = build()
    for name in root.list_commands(None):
        command = root.get_command(None, name)
        if inner := getattr(command, "commands", None):
            yield from ((f"{name} {each.name}", each) for each in inner.values())
        else:
            yield name, command


def plain(page: str) -> str:
    return re.sub(r"\\\\f[BIR]|\\\\&", "", page).replace("\\-", "-").replace("\\(aq", "'")


def test_every_command_and_option_is_in_it(page: str) -> None:
    sections = dict(re.findall(r"^\.SS (.*)\n((?:(?!\.S[HS] ).*\n)*)", plain(page), re.MULTILINE))
    for name, command in commands():
        (text,) = [text for head, text in sections.items() if f"{head} ".startswith(f"{name} ")]
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden and parameter.help:
                assert all(option in text for option in parameter.opts), (name, parameter.opts)
    assert len(sections) == len(list(commands()))


def test_no_word_of_a_help_is_a_request() -> None:
    assert [_text(word) for word in (".TH", "'br", "a\\fB-b")] == [r"\&.TH", r"\&\(aqbr", r"a\efB\-b"]


def test_the_command_prints_it(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manual"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == page.splitlines()[1:]
    assert main(["manual", "--json"]) == 0
    assert ".SH COMMANDS" in capsys.readouterr().out


@pytest.mark.parametrize(
    "tool", [["mandoc", "-Tlint", "-Wstyle"], ["groff", "-man", "-Tutf8", "-ww", "-z"]], ids=["mandoc", "groff"]
)
def test_those_who_read_manual_pages_do_not_complain(page: str, tool: list[str]) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed; on Debian: apt-get install mandoc groff-base")
    checked = subprocess.run(tool, input=page, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
