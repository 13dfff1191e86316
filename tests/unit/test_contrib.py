"""What operators install is true: units that systemd accepts, a container whose every step exists."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from peerage.app.cli.main import build

ROOT = Path(__file__).parents[2]
UNITS = {how: ROOT / "contrib" / "systemd" / how / "peerage.service" for how in ("system", "user")}
CONTAINERFILE = ROOT / "contrib" / "container" / "Containerfile"
EXPOSED = 15  # tenths: what systemd makes of the hardening; 13 is as low as a program goes that talks to the world


def settings(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def assert_is_command(words: list[str]) -> None:
    """Whether the command line knows the command, and all that follows."""
    command: Any = build().get_command(None, words[0])
    assert command is not None, words
    if hasattr(command, "commands"):
        command, words = command.commands[words[1]], words[1:]
    command.make_context(words[0], words[1:], resilient_parsing=False)


def test_the_guide_for_operators_names_commands_that_exist() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    lines = re.findall(
        r"^    peerage (.*)$|^.*podman exec peerage peerage (.*)$|`peerage ([a-z][^`]*)`", guide, re.MULTILINE
    )
    assert len(lines) > 10
    for found in lines:
        words = shlex.split("".join(found).split(" > ")[0])
        if words[0] == "--home":
            words = words[2:]
        assert_is_command(words)


# --- systemd ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", UNITS)
def test_the_units_start_and_reload_by_commands_that_exist(how: str) -> None:
    unit = settings(UNITS[how])
    for name in ("ExecStart", "ExecReload"):
        (line,) = unit[name]
        program, *words = shlex.split(line)
        assert Path(program).name == "peerage"
        assert_is_command(words)
    assert unit["Type"] == ["notify"]
    assert "WatchdogSec" in unit


@pytest.mark.parametrize("how", UNITS)
def test_systemd_accepts_the_units(how: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed; on Debian: apt-get install systemd")
    text = re.sub(r"(?:/opt/peerage|%h/\.local)/bin/peerage", "/bin/true", UNITS[how].read_text())
    unit = tmp_path / "peerage.service"
    unit.write_text(text)
    tmp_path.chmod(0o700)
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "verify", "--man=no", *(["--user"] if how == "user" else []), str(unit)]
    checked = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    if "unrecognized option" in checked.stderr:
        pytest.skip("this systemd-analyze is too old")
    said = [line for line in checked.stderr.splitlines() if "peerage.service" in line]
    assert (checked.returncode, said) == (0, []), checked.stderr


def test_systemd_finds_the_service_well_hardened() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed; on Debian: apt-get install systemd")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSED}", str(UNITS["system"])]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if "unrecognized option" in checked.stderr:
        pytest.skip("this systemd-analyze is too old")
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- the container ----------------------------------------------------------------------------------------------


def steps() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def of_last_stage() -> dict[str, list[str]]:
    last = max(number for number, (word, _) in enumerate(steps()) if word == "FROM")
    found: dict[str, list[str]] = {}
    for word, rest in steps()[last:]:
        found.setdefault(word, []).append(rest)
    return found


def test_the_container_is_built_from_what_is_there() -> None:
    known = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    for word, rest in steps():
        if word == "COPY" and not rest.startswith("--from="):
            *sources, _ = rest.split()
            for source in sources:
                assert (ROOT / source).exists()
                assert source in known, f"{source} is left out by .containerignore"
    # The build needs what pyproject.toml names, and gets nothing more.
    for named in ("README.md", "LICENSE"):
        assert named in known
    assert len({rest.split()[0] for word, rest in steps() if word == "FROM"}) == 1, "two stages, one interpreter"


def test_the_container_runs_without_root_and_keeps_what_matters() -> None:
    last = of_last_stage()
    assert last["USER"] == ["1000:1000"]
    assert list(last).index("USER") > list(last).index("RUN")
    home = re.search(r"PEERAGE_HOME=(\S+)", last["ENV"][0])
    assert home is not None
    volumes = json.loads(last["VOLUME"][0])
    assert home[1] in volumes
    downloads = f"{last['WORKDIR'][0]}/Downloads/peerage"  # the default, below the home folder of the user
    assert downloads in volumes
    for place in volumes:
        assert f" {place}" in last["RUN"][0], "a volume that belongs to root could not be written"
    assert last["STOPSIGNAL"] == ["SIGTERM"]


def test_the_container_runs_commands_that_exist() -> None:
    last = of_last_stage()
    assert json.loads(last["ENTRYPOINT"][0]) == ["peerage"]
    assert_is_command(json.loads(last["CMD"][0]))
    program, *words = json.loads(last["HEALTHCHECK"][0].split("CMD", 1)[1])
    assert program == "peerage"
    assert_is_command(words)
