"""`completion`: a script with which a shell completes commands, options and file names.

The scripts ask the program itself, by the environment variables that Typer answers to, so they never go stale.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from peerage.app.cli.command import Json, output_of


class Shell(StrEnum):
    """The shells there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_SCRIPTS: Final = {
    Shell.BASH: """\
_peerage_completion() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _PEERAGE_COMPLETE=complete_bash "$1"))
}
complete -o default -F _peerage_completion peerage""",
    Shell.ZSH: """\
#compdef peerage
_peerage_completion() {
    eval "$(_TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _PEERAGE_COMPLETE=complete_zsh peerage)"
}
if [[ $funcstack[1] == _peerage ]]; then
    _peerage_completion "$@"
else
    compdef _peerage_completion peerage
fi""",
    Shell.FISH: """\
function _peerage_completion
    set -lx _PEERAGE_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION $argv[1]
    set -lx _TYPER_COMPLETE_ARGS (commandline -cp)
    peerage
end
complete --command peerage --no-files --condition "_peerage_completion is-args" \
--arguments "(_peerage_completion get-args)\"""",
}


def completion(
    shell: Annotated[Shell | None, typer.Argument(help="Otherwise the one in $SHELL.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Print a completion script; in ~/.bashrc or ~/.zshrc: source <(peerage completion)."""
    output = output_of(as_json)
    chosen = shell or _own_shell()
    if as_json:
        output.emit({"shell": chosen.value, "script": _SCRIPTS[chosen]})
    for line in _SCRIPTS[chosen].splitlines():
        output.say(line)


def _own_shell() -> Shell:
    try:
        return Shell(Path(os.environ.get("SHELL", "")).name)
    except ValueError:
        raise typer.BadParameter(f"name the shell: {', '.join(Shell)}", param_hint="SHELL") from None
