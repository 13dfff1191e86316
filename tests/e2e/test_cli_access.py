"""Letting others in, between real processes: a browser by a link, people by keys; and the lines of the manual of the API."""

import re
import secrets
import subprocess
from pathlib import Path

import httpx
import pytest
from cli_machine import TIMEOUT, Machine

MANUAL = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "machine", f"test-{secrets.token_hex(6)}")
    yield made
    made.close()


def test_a_browser_enters_by_a_link(machine):
    machine.up()
    link = machine.do("ui", "--print").out.strip()
    assert machine.do("ui", "--json").json["url"] != link
    with httpx.Client(trust_env=False) as browser:
        response = browser.get(link)
        assert response.status_code == 303
        start = browser.get(httpx.URL(link).join(response.headers["location"]))
        assert start.status_code == 200
        assert browser.get(link).status_code == 401  # it was used


def test_keys_of_others(machine):
    api = machine.up()["api"]
    made = machine.do("keys", "add", "Anna", "--role", "guest", "--json").json
    assert "guest" in machine.do("keys", "list").out
    secret = machine.do("keys", "add", "Bert").out.strip()
    stored = "".join(path.read_text(errors="replace") for path in machine.home.glob("api.*"))
    assert secret not in stored

    def status(key, method="GET", route="status"):
        headers = {"authorization": f"Bearer {key}"}
        return httpx.request(method, f"http://{api}/api/v1/{route}", headers=headers, trust_env=False).status_code

    assert status(made["secret"]) == status(secret) == 200
    assert status(made["secret"], "POST", "down") == status(secret, "POST", "down") == 403
    machine.do("keys", "remove", "Anna")
    assert status(made["secret"]) == 401
    assert [each["name"] for each in machine.do("keys", "list", "--json").json_lines] == ["Bert"]
    assert machine.try_to("keys", "remove", "Anna").status == 1
    assert "10 to 200" in machine.try_to("keys", "password", text="short\n").err
    machine.do("keys", "password", text="correct horse\n")
    answer = httpx.post(f"http://{api}/api/v1/login", json={"secret": "correct horse"}, trust_env=False)
    assert answer.status_code == 200
    machine.do("down")
    api = machine.up()["api"]
    assert status(secret) == 200  # keys outlive a restart


def test_the_lines_of_the_manual_work(machine):
    api = machine.up()["api"]
    song = machine.write("a song.ogg", b"la" * 5000)
    link = machine.do("share", song, "--json").json["link"]
    content_id = re.match(r"peerage:(\w+)", link)[1]
    missing = "peerage:" + "a" * 52 + "?name=missing"
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", MANUAL.read_text("utf-8"), re.DOTALL))
    assert lines.count("curl") >= 15
    environment = machine.environment | {
        "PEERAGE_HOME": str(machine.home),
        "SONG": str(song),
        "LINK": missing,
        "ID": content_id,
    }
    script = "set -euo pipefail\n" + lines.replace("127.0.0.1:7412", api)
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment,
        cwd=machine.files,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert (machine.files / "copy").read_bytes() == b"la" * 5000
    assert (machine.files / "beginning").read_bytes() == b"la" * 50
    assert "event: statistics" in done.stdout


def test_the_log_is_shown(machine):
    machine.up()
    for line in machine.do("logs", "--json").json_lines:
        assert {"time", "level", "logger", "message"} <= line.keys()
    assert machine.do("logs", "--lines", "1", "--level", "error").status == 0
    machine.do("down")
    assert machine.do("logs", "--level", "error").out == ""


def test_the_log_of_a_node_that_has_ended_is_shown_in_whatever_form_it_was_written(machine):
    for form in ("text", "json"):
        machine.write("../home/config.toml", f'[log]\nformat = "{form}"\nlevel = "debug"\n'.encode())
        machine.up()
        machine.do("down")
        lines = (machine.home / "log").read_text().splitlines()
        assert all(line.startswith("{") for line in lines[-3:]) is (form == "json")
    shown = machine.do("logs", "--json", "--lines", "2000").json_lines
    assert len(shown) > 4
    assert shown == sorted(shown, key=lambda line: line["time"])
    assert machine.do("logs").out
