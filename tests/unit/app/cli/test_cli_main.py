import importlib

import pytest

from peerage.app.cli import main as main_module
from peerage.app.cli.main import FAILURE, SUCCESS, WRONG_USAGE, build, main
from peerage.app.cli.output import Invocation
from peerage.errors import ConfigError

COMMANDS = [
    "up",
    "down",
    "status",
    "id",
    "share",
    "unshare",
    "library",
    "link",
    "search",
    "browse",
    "wish",
    "vote",
    "votes",
    "get",
    "transfers",
    "pause",
    "resume",
    "cancel",
    "move",
    "prefer",
    "sources",
    "forget",
    "connect",
    "peers",
    "friend",
    "ban",
    "limits",
    "ui",
    "keys",
    "reload",
    "logs",
    "doctor",
    "demo",
    "lab",
    "completion",
    "manual",
]
GROUPS = {"keys", "lab", "wish"}  # commands with commands of their own


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run one command line in this process; returns exit status, standard output and standard error."""
    monkeypatch.delenv("PEERAGE_HOME", raising=False)

    def run(*arguments):
        status = main(["--home", str(tmp_path / "home"), *arguments])
        return (status, *capsys.readouterr())

    return run


def test_the_commands_are_those_that_scripts_rely_on(run):
    status, out, _ = run("--help")
    assert status == SUCCESS
    shown = [line.split()[0] for line in out.split("Commands:\n")[1].splitlines() if line.strip()]
    assert shown == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_prints_json(run, command):
    status, out, err = run(command, "--help")
    assert (status, err) == (SUCCESS, "")
    assert out.startswith(f"Usage: peerage {command}")
    assert command in GROUPS or "--json" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["shrae", "x"],
        ["share"],
        ["share", "x", "--visibility", "all"],
        ["get"],
        ["get", "x", "--into"],
        ["search", "x", "--limit", "0"],
        ["search", "x", "--limit", "many"],
        ["search", "x", "--no-such-option"],
        ["up", "--listen", "nowhere"],
        ["up", "--connect", "127.0.0.1"],
        ["up", "--overlay", "pigeons"],
        ["up", "--index", "nowhere"],
        ["up", "--index", "abc@192.0.2.1:7411"],
        ["search", "x", "--budget-messages", "0"],
        ["wish"],
        ["wish", "add"],
        ["wish", "add", "x", "--no-such-option"],
        ["wish", "results", "first"],
        ["limits", "--down", "fast"],
        ["completion", "cmd"],
        ["status", "--no-such-option"],
        ["status", "too", "much"],
    ],
)
def test_wrong_usage_is_one_line_and_status_2(run, arguments, tmp_path):
    status, out, err = run(*arguments)
    assert (status, out) == (WRONG_USAGE, "")
    assert err.startswith("peerage: ")
    assert err.count("\n") == 1
    assert err.endswith(" --help\n")
    assert not (tmp_path / "home").exists()


def test_no_command_at_all_shows_the_help_and_is_wrong_usage(run):
    status, out, err = run()
    assert (status, out) == (WRONG_USAGE, "")
    assert "Commands:" in err


def test_a_misspelt_command_gets_a_suggestion(run):
    assert "'share'" in run("shar", "x")[2]


def test_the_version(run):
    status, out, _ = run("--version")
    assert status == SUCCESS
    assert out.startswith("peerage ")


def test_the_id_is_made_once_and_needs_no_node(run, tmp_path):
    first = run("id")
    assert first == run("id")
    assert len(first[1].strip()) == 52
    assert (tmp_path / "home" / "identity.key").stat().st_mode & 0o777 == 0o600


def test_the_home_folder_may_come_from_the_environment(run, tmp_path, monkeypatch, capsys):
    named = run("id")
    monkeypatch.setenv("PEERAGE_HOME", str(tmp_path / "home"))
    assert main(["id"]) == SUCCESS
    assert capsys.readouterr().out == named[1]


@pytest.mark.parametrize("command", ["status", "down"])
def test_without_a_node_there_is_nothing_to_ask_or_stop(run, command, tmp_path):
    status, out, err = run(command)
    assert (status, out) == (FAILURE, "")
    assert err.endswith(f"start one with: peerage --home {tmp_path}/home up\n")


def test_what_to_type_next_names_the_home_folder_only_when_it_was_named(tmp_path):
    assert Invocation(tmp_path, named=False).program == "peerage"
    assert Invocation(tmp_path / "a b", named=True).program == f"peerage --home '{tmp_path}/a b'"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigError("the key\x1b[2J is damaged"), "peerage: the key\ufffd[2J is damaged\n"),
        (FileNotFoundError(2, "No such file or directory", "x"), "peerage: x: No such file or directory\n"),
        (KeyboardInterrupt(), "peerage: stopped\n"),
        (RuntimeError("a\nb"), "peerage: unexpected RuntimeError: a b; set PEERAGE_TRACEBACK=1 to see where\n"),
    ],
)
def test_whatever_happens_is_one_line_and_status_1(run, monkeypatch, error, said):
    module = importlib.import_module("peerage.app.cli.node")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(module.Command, "running_node", fail)
    assert run("status") == (FAILURE, "", said)


def test_a_developer_can_see_where(run, monkeypatch):
    module = importlib.import_module("peerage.app.cli.node")
    monkeypatch.setenv("PEERAGE_TRACEBACK", "1")
    monkeypatch.setattr(module.Command, "running_node", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("status")


def test_each_command_is_a_function_of_its_module():
    for name, module in main_module._MODULES.items():
        assert build().get_command(None, name).name == name
        assert importlib.import_module(f"peerage.app.cli.{module}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run, shell):
    status, out, err = run("completion", shell)
    assert (status, err) == (SUCCESS, "")
    assert f"complete_{shell}" in out
