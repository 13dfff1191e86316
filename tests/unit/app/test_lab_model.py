"""`peerage lab model` refuses what cannot be run in one line, and shows what the model yields."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from peerage.app.cli.lab import group
from peerage.app.cli.lab_model import Runner, difference_row
from peerage.errors import LocalError
from peerage.lab.measure import Spread
from peerage.lab.model import ray_runner, spec
from peerage.lab.model.crosscheck import Difference


def refusal(*words: str) -> str:
    result = CliRunner().invoke(group, ["model", "--peers", "500", "--queries", "9", *words])
    assert isinstance(result.exception, LocalError), result.output
    return str(result.exception)


def test_a_model_prints_its_figures(tmp_path) -> None:
    target = tmp_path / "figures.json"
    words = [
        "model",
        "--peers",
        "500",
        "--queries",
        "9",
        "--overlay",
        "index,flood",
        "--jobs",
        "1",
        "--json",
        str(target),
    ]

    result = CliRunner().invoke(group, words)

    assert result.exit_code == 0, result.output
    assert "a model of 500 peers" in result.output
    assert "messages a query, rare" in result.output
    assert "upkeep" not in result.output
    assert [each["generation"] for each in json.loads(target.read_bytes())] == ["index", "flood"]


def test_what_makes_no_sense_is_refused() -> None:
    assert "local, ray" in refusal("--runner", "mars")
    assert "needs --runner ray" in refusal("--address", "auto")
    assert "no model of 'auto'" in refusal("--overlay", "auto")
    assert "leave out --gone" in refusal("--check", "--gone", "0.1")
    assert "at most 20,000" in refusal("--check", "--peers", "30000")


def test_without_the_extra_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "find_spec", lambda name: None)
    for kind in ("local", "ray"):
        with pytest.raises(LocalError, match=r'the model needs numpy; install it with: pip install "peerage\[lab\]"'):
            Runner(kind, None, 0, 1).check()
    monkeypatch.undo()
    monkeypatch.setattr(ray_runner, "find_spec", lambda name: None)
    with pytest.raises(LocalError, match=r'needs Ray, .*pip install "peerage\[lab\]"'):
        Runner("ray", None, 0, 1).check()
    Runner("local", None, 0, 1).check()


def test_what_is_promised_and_does_not_agree_is_marked() -> None:
    far = Difference("messages-rare", "messages", Spread(100.0, 0.0), Spread(120.0, 0.0), 0.2, True)
    near = Difference("messages-rare", "messages", Spread(100.0, 0.0), Spread(95.0, 0.0), -0.05, True)

    assert difference_row(far) == ["messages", "100", "120", "+20.0% !"]
    assert difference_row(near)[-1] == "-5.0%"
