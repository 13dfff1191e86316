import json
import os
import signal
import subprocess
import sys
import time

import pytest

from peerage.app.cli.main import main

TINY = ["--peers", "12", "--queries", "3"]


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(["lab", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["compare", "--overlay", "telepathy"], 1, "choose from: all, index-1999"),
        (["compare", "--lines", "tin"], 1, "none, home, 2002"),
        (["compare", "--peers", "1"], 2, "--peers"),
        (["compare", "--html", "/nowhere/page.html"], 1, "folder that exists"),
        (["compare", "--plot", "plot.gif"], 1, ".svg, .png, .pdf"),
        (["attack", "rumour"], 1, "choose from: spoof"),
        (["attack", "spoof", "--overlay", "dht"], 1, "no attack on dht"),
        (["attack", "spoof", "--share", "2"], 1, "--share"),
        (["run", "atlantis"], 1, "classroom"),
    ],
)
def test_bad_arguments_say_what_to_do_before_anything_runs(capsys, arguments, status, said):
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (status, "")
    assert said in err


def test_scenarios_and_attacks_are_listed(capsys):
    assert "classroom" in run(capsys, "run")[1]
    assert "massfailure" in run(capsys, "attack")[1]
    assert "compare" in run(capsys)[2]


def test_a_comparison_is_a_table_with_its_traces_and_files(capsys, tmp_path):
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    status, out, _ = run(
        capsys, "compare", *TINY, "--overlay", "index-1999,flood-2001", "--json", str(figures), "--html", str(page)
    )
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "12 peers, links of 50 to 130 ms, seed 1"
    assert lines[1] == "figure\tindex-1999\tflood-2001"
    assert "found, popular\t100.0 %\t100.0 %" in lines
    told = json.loads(figures.read_text())
    assert [each["generation"] for each in told["results"]] == ["index-1999", "flood-2001"]
    assert all(each["digest"][:32] in out for each in told["results"])
    assert "flood-2001" in page.read_text()


def test_json_goes_to_the_terminal_alone(capsys):
    status, out, err = run(capsys, "compare", *TINY, "--overlay", "index-1999", "--json", "-")
    assert (status, err) == (0, "")
    assert json.loads(out)["spec"]["peers"] == 12


def test_an_attack_shows_three_columns(capsys):
    status, out, _ = run(capsys, "attack", "spoof", *TINY)
    assert status == 0
    assert "figure\tcalm\twithout defence\twith defence" in out
    assert "forged, of all hits shown" in out


def test_ctrl_c_ends_all_and_says_one_line():
    command = [
        sys.executable,
        "-m",
        "peerage",
        "lab",
        "compare",
        "--peers",
        "3000",
        "--overlay",
        "flood",
        "--seeds",
        "2",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, text=True)
    try:
        deadline = time.monotonic() + 60
        while len(_family(process.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        family = _family(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert len(family) >= 3
    assert process.returncode == 1
    assert said.strip().splitlines()[-1] == "peerage: stopped"
    deadline = time.monotonic() + 30  # Python's own helper process ends when it notices, which is soon
    while (left := _family(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _family(leader: int) -> list[int]:
    """Return the processes of a session, on Linux."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader:
                found.append(int(name))
    return found
