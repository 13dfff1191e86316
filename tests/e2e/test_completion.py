"""The completion scripts, in the shells that they are for, as somebody who presses Tab meets them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

LINES = {
    "peerage un": "unshare",
    "peerage logs --level w": "warning",
    "peerage share some": "something.txt",
}
BASH = """
source <(peerage completion bash)
complete -p peerage | grep -q -- '-o default -F _peerage_completion peerage' || exit 1
COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_peerage_completion peerage
[ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -o default -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = "peerage completion fish | source; complete --do-complete {line}"
# A terminal of its own, in which the beginning of a command and Tab are typed; the completed line is echoed.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
heard=
until_heard() {{
    local end=$((SECONDS + 40))
    while [[ $heard != *$1* ]] && (( SECONDS < end )); do zpty -r -t shell part && heard+=$part || sleep 0.05; done
}}
zpty -w shell "fpath=(\\$PWD \\$fpath); PS1= PS2= RPS1= TERM=dumb; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D"
zpty -w shell "{load}; bindkey '^I' complete-word; print -r -- re''ady"
until_heard ready
heard=
zpty -w -n shell {line}$'\\t'
until_heard {wanted}
print -r -- $heard
zpty -d shell
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place with the program on the path, and one file."""
    (tmp_path / "something.txt").touch()
    program = tmp_path / "bin" / "peerage"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m peerage "$@"\n')
    program.chmod(0o755)
    return tmp_path


def asked(shell: str, script: str, folder: Path) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed; on Debian: apt-get install {shell}")
    known = {name: value for name, value in os.environ.items() if not name.startswith("PEERAGE")}
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", script],
        cwd=folder,
        env=known | {"PATH": path, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("line", LINES)
def test_bash(folder: Path, line: str) -> None:
    assert asked("bash", BASH.format(line=line), folder).split() == [LINES[line]]


@pytest.mark.parametrize("line", LINES)
def test_fish(folder: Path, line: str) -> None:
    found = asked("fish", FISH.format(line=shlex.quote(line)), folder).splitlines()
    assert [each.split("\t")[0] for each in found] == [LINES[line]]


@pytest.mark.parametrize("line", LINES)
def test_zsh(folder: Path, line: str) -> None:
    load = "source <(peerage completion zsh)"
    script = ZSH.format(line=shlex.quote(line), wanted=shlex.quote(LINES[line]), load=load)
    assert LINES[line] in asked("zsh", script, folder)


def test_zsh_finds_the_script_in_its_path(folder: Path) -> None:
    asked("zsh", "peerage completion zsh > _peerage", folder)
    script = ZSH.format(line=shlex.quote("peerage un"), wanted="unshare", load="true")
    assert "unshare" in asked("zsh", script, folder)
