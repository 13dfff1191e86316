"""The command line's front door: which commands there are, and how whatever happens in one ends.

Invariant: the exit status is 0 when what was asked for was done, 1 when it was not, 2 when the command line cannot be
understood; an error is one readable line on standard error. A command's module is loaded when that command is given,
so that small commands start quickly.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from peerage.app.cli.output import PROGRAM, Invocation, Output
from peerage.errors import AddressError, PeerageError, QueryError

SUCCESS: Final = 0
FAILURE: Final = 1
WRONG_USAGE: Final = 2
_INTERRUPTED: Final = 130  # what Typer makes of Ctrl-C; here it is a failure like any other

_MODULES: Final = {
    "up": "starting",
    "down": "node",
    "status": "node",
    "id": "node",
    "share": "sharing",
    "unshare": "sharing",
    "library": "sharing",
    "link": "sharing",
    "search": "finding",
    "browse": "browsing",
    "wish": "wish",
    "vote": "voting",
    "votes": "voting",
    "get": "fetching",
    "transfers": "transfers",
    "pause": "transfers",
    "resume": "transfers",
    "cancel": "transfers",
    "move": "ordering",
    "prefer": "ordering",
    "sources": "ordering",
    "forget": "ordering",
    "connect": "peers",
    "peers": "peers",
    "friend": "peers",
    "ban": "peers",
    "limits": "limits",
    "ui": "access",
    "keys": "access",
    "reload": "node",
    "logs": "logs",
    "doctor": "doctor",
    "demo": "demo",
    "lab": "lab",
    "completion": "completion",
    "manual": "manual",
}
"""Every command and the module that holds it, as a function of the same name, in the order of the help."""
_SETTINGS: Final = {"search": {"ignore_unknown_options": True}}  # -word leaves hits out, it is no option
_GROUPS: Final = frozenset({"keys", "lab", "wish"})  # modules with a `group` of commands of their own
_RENAMED: Final = {"id": "show_id"}  # where the name of a command is taken in Python


class _Commands(TyperGroup):
    """The commands, each built from its function when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(_MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"peerage.app.cli.{_MODULES[cmd_name]}")
        if cmd_name in _GROUPS:
            group = get_command(module.group)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(cmd_name, context_settings=_SETTINGS.get(cmd_name))(
            getattr(module, _RENAMED.get(cmd_name, cmd_name))
        )
        return get_command(alone)


_app: Final = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, cls=_Commands)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  # asked for once in a blue moon

        typer.echo(f"{PROGRAM} {version('peerage')}")
        raise typer.Exit(SUCCESS)


@_app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="PEERAGE_HOME", help="The folder with this node's key, data and settings.", show_default=False
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Share files, find what others share, fetch it from everyone who has it; no server.

    Start your node with "peerage up"; see everything at work on this computer with "peerage demo".
    """
    del version
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(WRONG_USAGE)
    source = context.get_parameter_source("home")
    context.obj = Invocation(home, named=source is not None and source.name == "COMMANDLINE")


def build() -> Any:
    """Return the whole command line as Typer makes it, without Typer's own options for shell completion."""
    command: Any = get_command(_app)
    command.commands = dict.fromkeys(_MODULES)  # only their names, so that a misspelt one gets a suggestion
    command.params = [parameter for parameter in command.params if not str(parameter.name).endswith("_completion")]
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; the boundary where every error becomes a line."""
    output = Output(as_json=False, stdout=sys.stdout, stderr=sys.stderr)
    try:
        _write_anything()
        status = build().main(arguments, prog_name=PROGRAM, standalone_mode=False)
        if status != _INTERRUPTED:
            return status if isinstance(status, int) else SUCCESS
        output.error("stopped")
    except typer.TyperException as error:
        output.error(_usage(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        output.error("stopped")
    except (QueryError, AddressError) as error:
        output.error(str(error))
        return WRONG_USAGE
    except PeerageError as error:
        output.error(str(error))
    except BrokenPipeError:
        _close_quietly()
    except OSError as error:
        output.error(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
    except Exception as error:  # the last boundary: a person gets a line, a developer asks for more
        if os.environ.get("PEERAGE_TRACEBACK"):
            raise
        output.error(
            f"unexpected {type(error).__name__}: {error}; set PEERAGE_TRACEBACK=1 to see where".replace("\n", " ")
        )
    return FAILURE


def _usage(error: Any) -> str:
    """Say in one line what is wrong with a command line, and where to look."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else PROGRAM
    text = " ".join(error.format_message().replace(": Value error, ", ": ").split())
    return f"{text.rstrip('.')}; see: {where} --help"


def _write_anything() -> None:
    """Make the standard streams take every character, as a question mark where they cannot show it."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")


def _close_quietly() -> None:
    """Whoever read our output has gone; keep Python from complaining when it flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
