import io
import json

import msgspec
import pytest

from peerage.app.cli.output import Column, Output
from peerage.catalogue.text import is_showable

ATTACKS = [
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",  # sets the window's title, clears the screen, colours the rest
    "\x9b31mC1 control sequence",
    "[bold red]markup[/bold red] [link=https://example.org]click[/link]",
    ":skull: emoji code",
    "invoice\u202egpj.exe",
    "two\nlines\rone",
    "back\x08space",
]
COLUMNS = (Column("name", whole=False), Column("size", right=True))


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Entry(msgspec.Struct):
    name: str
    size: int


def make(*, as_json=False, terminal=False):
    kind = Terminal if terminal else io.StringIO
    return Output(as_json=as_json, stdout=kind(), stderr=kind())


def texts(output):
    return output._stdout.getvalue(), output._stderr.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", ATTACKS)
def test_attack_terminal_escapes_and_markup_in_a_name(name, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    output = make(terminal=terminal)
    output.table(COLUMNS, [(name, "1")])
    output.say(name)
    output.say(name, style="bold")
    output.facts([("name", name)])
    output.hint(name)
    output.error(name.replace("\n", ""))
    for text in texts(output):
        for own in ("\x1b[1m", "\x1b[0m", "\x1b[2m"):  # bold headings and their end are ours
            text = text.replace(own, "")
        assert all(is_showable(line.replace("\t", "")) for line in text.split("\n"))
        assert "owned" not in text or "\ufffd]0;owned" in text
        if name.startswith("[") and text.strip():
            assert "[bold red]markup[/bold red]" in text
        if name.startswith(":"):
            assert ":skull:" in text


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_terminal_escapes_in_json_do_nothing_and_lose_nothing(name):
    output = make(as_json=True, terminal=True)
    output.records([Entry(name, 1)], COLUMNS, lambda entry: (entry.name, str(entry.size)))
    line, _ = texts(output)
    assert line.count("\n") == 1
    assert is_showable(line.removesuffix("\n"))
    assert json.loads(line) == {"name": name, "size": 1}


def test_without_a_terminal_records_are_lines_with_tabs():
    output = make()
    output.records([Entry("a", 1), Entry("b c", 2)], COLUMNS, lambda entry: (entry.name, str(entry.size)))
    assert texts(output) == ("a\t1\nb c\t2\n", "")


def test_on_a_terminal_records_are_a_table_with_headings(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    output = make(terminal=True)
    output.records([Entry("x" * 100, 1)], COLUMNS, lambda entry: (entry.name, str(entry.size)))
    text, _ = texts(output)
    assert "name" in text
    assert "…" in text
    assert max(map(len, text.split("\n"))) < 80


def test_json_says_nothing_for_people_but_errors():
    output = make(as_json=True)
    output.say("done")
    output.hint("next")
    output.emit(Entry("a", 1))
    output.error("failed")
    assert texts(output) == ('{"name":"a","size":1}\n', "peerage: failed\n")


def test_an_error_may_point_at_a_character():
    output = make()
    output.error("unexpected \x1b\n  a OR\n      ^")
    assert texts(output)[1] == "peerage: unexpected \ufffd\n  a OR\n      ^\n"


def test_facts_are_aligned_on_a_terminal_only():
    plain, pretty = make(), make(terminal=True)
    for output in (plain, pretty):
        output.facts([("id", "x"), ("network", "y")])
    assert texts(plain)[0] == "id\tx\nnetwork\ty\n"
    assert texts(pretty)[0] == "id:      x\nnetwork: y\n"
