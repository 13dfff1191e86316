"""`doctor`: looks at whether everything is as it should be, and says what to do where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import typer

from peerage.app.api.doctor_models import Check, CheckState
from peerage.app.cli.command import Command, Json
from peerage.app.cli.output import Output
from peerage.errors import PeerageError

_WORDS: Final[dict[CheckState, str]] = {"good": "good", "warn": "look", "bad": "bad", "unknown": "?"}
_STYLES: Final[dict[CheckState, str]] = {"good": "green", "warn": "yellow", "bad": "bold red", "unknown": "dim"}
_MARGIN: Final = " " * 6


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Look at how everything is, and say what to do where something is wrong; status 1 when something is bad."""
    command = Command.of(context, as_json)
    checks = _examine(command)
    if as_json:
        for check in checks:
            command.output.emit(check)
    else:
        _tell(command.output, checks)
    if any(check.state == "bad" for check in checks):
        raise typer.Exit(1)


def _examine(command: Command) -> Sequence[Check]:
    """Ask the running node; without one, or when it does not answer, look at what can be seen from outside."""
    from peerage.app.doctor_home import examine_silent, examine_stopped  # noqa: PLC0415  # TLS and more, 0.1 s

    info = command.home.running()
    if info is None:
        return examine_stopped(command.home, command.program)
    try:
        with command.running_node() as node:
            return node.get("doctor", list[Check])
    except PeerageError as error:
        return examine_silent(command.home, info.pid, str(error))


def _tell(output: Output, checks: Sequence[Check]) -> None:
    for check in checks:
        output.say(f"{_WORDS[check.state]:<{len(_MARGIN)}}{check.says}", style=_STYLES[check.state])
        if check.remedy:
            output.say(f"{_MARGIN}{check.remedy}")
    bad, look = (sum(check.state == state for check in checks) for state in ("bad", "warn"))
    if not bad and not look:
        output.hint("Everything is as it should be.")
