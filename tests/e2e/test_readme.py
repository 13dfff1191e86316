"""What the README says is what happens: its programs, and its two commands in a fresh clone."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

pytestmark = pytest.mark.e2e


def run_program(text: str, folder: Path) -> str:
    program = folder / "program.py"
    program.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, str(program)], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_node_in_a_few_lines(tmp_path):
    (tmp_path / "music").mkdir()
    song = bytes(range(256)) * 4096
    (tmp_path / "music" / "A morning song.wav").write_bytes(song)
    said = run_program(PROGRAMS[0], tmp_path)
    assert said.startswith("A morning song.wav 1048576 ")
    assert (tmp_path / "downloads" / "A morning song.wav").read_bytes() == song


def test_the_framework_in_twenty_lines(tmp_path):
    assert run_program(PROGRAMS[1], tmp_path) == "HELLO, PEER\n"
    assert PROGRAMS[1].strip() in (ROOT / "examples" / "echo.py").read_text("utf-8")


def test_the_commands_exist():
    said = subprocess.run(
        [sys.executable, "-m", "peerage", "--help"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    for command in set(re.findall(r"^\$ peerage (\w+)", README, re.MULTILINE)) | {"demo"}:
        assert re.search(rf"\b{command}\b", said), command


@pytest.mark.timeout(300)
def test_make_run_in_a_fresh_clone_with_a_fresh_home(tmp_path):
    if not shutil.which("make") or not shutil.which("git"):
        pytest.fail("this test needs make and git; on Debian: apt-get install make git")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=60)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PEERAGE", "VIRTUAL_ENV"))}
    environment |= {"HOME": str(tmp_path), "PEERAGE_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "config.toml").write_text('listen = "127.0.0.1:0"\nlan = false\n', "utf-8")
    output = tmp_path / "said"
    with output.open("wb") as said:
        node = subprocess.Popen(
            ["make", "run", f"PYTHON={sys.executable}"],
            cwd=clone,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 240
        while "What to do next" not in output.read_text("utf-8"):
            assert node.poll() is None, output.read_text("utf-8")
            assert time.monotonic() < deadline, output.read_text("utf-8")
            time.sleep(0.2)
        text = output.read_text("utf-8")
        assert re.search(r"peer id\s+[a-z2-7]{52}", text)
        assert re.search(r"listens at\s+127\.0\.0\.1:\d+", text)
    finally:
        os.killpg(node.pid, signal.SIGINT)
        node.wait(30)
