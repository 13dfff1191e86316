"""`manual`: the manual page, in the language of man(7), made from the commands as they are.

Invariant: it says nothing that the commands do not say of themselves, so it cannot go stale; text is escaped, so that
no word of a help is read as a request of roff.
"""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

from peerage.app.cli.command import Json, output_of
from peerage.app.cli.output import PROGRAM

_NAME: Final = "a peer-to-peer node: share, find and fetch files, with no server"
_STATUSES: Final = (
    ("0", "What was asked for was done."),
    ("1", "It was not; standard error has one line that says why."),
    ("2", "The command line, a query or a link cannot be understood."),
)
_FILES: Final = (
    ("config.toml", "The settings, each with an explanation."),
    ("identity.key", "The key that this node is known by. Whoever has it is this node."),
    ("api.token", "The owner's secret for the local API."),
    ("log", "What the node has to say; see the setting log.format."),
)
_ENVIRONMENT: Final = (
    ("PEERAGE_HOME", "The home folder, where --home does not name it."),
    ("PEERAGE_TRACEBACK", "When set, an unexpected error shows where it comes from."),
)
_WIDTH: Final = 70
_BRACES: Final = re.compile(r"\{(.*?)\}(\.\.\.)?")  # how arguments are shown that may be several
_OPTION: Final = re.compile(r"(?<!\w)(\\-){1,2}\w(\w|\\-)*")  # in a text that is escaped already
_ESCAPES: Final = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"})


def manual(as_json: Json = False) -> None:
    """Print the manual page; read it with: peerage manual | man -l -."""
    output = output_of(as_json)
    page = render()
    if as_json:
        output.emit({"page": page})
    for line in page.splitlines():
        output.say(line)


def render() -> str:
    """Return the manual page of the whole command line."""
    from peerage.app.cli.main import build  # noqa: PLC0415  # it loads this module when it is asked for

    root = build()
    commands = [root.get_command(None, name) for name in root.list_commands(None)]
    return "\n".join(
        [
            f'.TH PEERAGE 1 {time.strftime("%Y-%m-%d", time.gmtime())} "Peerage {version("peerage")}" "User Commands"',
            *_section("NAME", f"{PROGRAM} \\- {_text(_NAME)}"),
            ".SH SYNOPSIS",
            f".B {PROGRAM}",
            ".RI [ options ]",
            ".I command",
            ".RI [ arguments ]",
            ".SH DESCRIPTION",
            *_paragraphs(root.help),
            ".SH OPTIONS",
            *_parameters(root, root.make_context(PROGRAM, [], resilient_parsing=True)),
            ".SH COMMANDS",
            r"Each of them explains itself with \fB\-\-help\fR.",
            *(line for command in commands for line in _command(command, "")),
            *_list("EXIT STATUS", _STATUSES),
            *_list("ENVIRONMENT", _ENVIRONMENT),
            *_list("FILES", _FILES, "All of them in the home folder, which \\fBpeerage status\\fR names."),
            "",
        ]
    )


# --- inside -----------------------------------------------------------------------------------------------------


def _command(command: Any, group: str) -> Iterator[str]:
    """Describe one command; a group is described by its commands."""
    name = f"{group} {command.name}".strip()
    if commands := getattr(command, "commands", None):
        for each in commands.values():
            yield from _command(each, name)
        return
    context = command.make_context(name, [], resilient_parsing=True)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join(_BRACES.sub(r"\1", piece) for each in arguments for piece in each.get_usage_pieces(context))
    yield f".SS {_text(f'{name} {usage}'.strip())}"
    yield from _paragraphs(command.help)
    yield from _parameters(command, context)


def _parameters(command: Any, context: Any) -> Iterator[str]:
    """Describe what a command takes, as its help does."""
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield from _item(_OPTION.sub("\\\\fB\\g<0>\\\\fR", _text(record[0])), record[1])


def _item(term: str, said: str) -> Iterator[str]:
    yield ".TP"
    yield term
    yield from _lines(said)


def _list(title: str, items: tuple[tuple[str, str], ...], before: str = "") -> Iterator[str]:
    yield f".SH {title}"
    if before:
        yield before
    for term, said in items:
        yield from _item(f"\\fB{_text(term)}\\fR", said)


def _section(title: str, line: str) -> Iterator[str]:
    yield f".SH {title}"
    yield line


def _paragraphs(said: str | None) -> Iterator[str]:
    for number, paragraph in enumerate(re.split(r"\n\s*\n", (said or "").strip())):
        if number:
            yield ".PP"
        yield from _lines(paragraph)


def _lines(said: str) -> list[str]:
    """Return a paragraph in lines of a length that is kind to other tools."""
    return [_text(line) for line in textwrap.wrap(said, _WIDTH, break_on_hyphens=False)] or ["\\&"]


def _text(text: str) -> str:
    """Return text as roff shows it: nothing in it is an escape, and no line begins a request."""
    shown = text.translate(_ESCAPES)
    return f"\\&{shown}" if shown.startswith((".", "\\(aq")) else shown
