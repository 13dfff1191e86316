"""Lines of the log: as text, as JSON, and back."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.app.config import LogSettings
from peerage.app.log_lines import LEVELS, LogLine, as_json, as_text, last_lines, matters
from peerage.app.logs import adjust, logging_to, read_log
from peerage.catalogue.text import is_showable

plain = st.text(st.characters(max_codepoint=0x2FFF).filter(is_showable), max_size=20)
lines = st.builds(
    LogLine,
    time=st.integers(0, 4 * 10**12).map(lambda milliseconds: milliseconds / 1000),
    level=st.sampled_from(LEVELS),
    logger=st.sampled_from(["peerage", "peerage.app", "uvicorn.error"]),
    message=plain,
    trace=st.lists(plain.filter(bool), max_size=3).map("\n".join),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(lines, st.booleans()), max_size=5))
def test_text_and_json_in_one_file_are_read_back(written: list[tuple[LogLine, bool]]) -> None:
    texts = [(as_json if json else as_text)(line) for line, json in written]
    back = last_lines("\n".join(texts).splitlines(keepends=True), 10)
    assert back == [line for line, _ in written]


def test_attack_a_name_with_a_line_break_forges_no_line() -> None:
    forged = "x\n2026-01-01T00:00:00.000+00:00 error   peerage.app: all is lost\x1b[2J"
    text = as_text(LogLine(1.0, "info", "peerage", forged, f"Traceback\n{forged}"))
    assert [line.level for line in last_lines(text.splitlines(), 10)] == ["info"]
    assert "\x1b" not in text
    assert "all is lost" in text


def test_what_is_no_line_is_left_out() -> None:
    rubbish = ["", "    below nothing", "{broken", "2026-13-99T99 info x: y", "hello", "{}", "2026-01-01 nolevel x: y"]
    assert last_lines(rubbish, 10) == []


def test_the_last_ones_of_a_level() -> None:
    written = [LogLine(float(n), level, "x", level, "deep\nbelow") for n, level in enumerate(LEVELS)]
    found = last_lines("\n".join(map(as_text, written)).splitlines(), 2, "info")
    assert found == written[-2:]
    assert last_lines([as_text(written[0])], 5, "info") == []
    assert matters(LogLine(0.0, "notice", "x", ""), "error")


def test_both_forms_of_one_log_and_what_was_rotated_away(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = logging.getLogger("peerage.test")
    assert read_log(path, 10) == []
    with logging_to(path, LogSettings()):
        log.warning("one")
        path.rename(tmp_path / "log.1")
    with logging_to(path, LogSettings(format="json")):
        log.warning("two")
        log.info("three")
        adjust(LogSettings(level="warning"))
        log.info("not this")
        log.error("four")
    assert [line.message for line in read_log(path, 10) if line.logger == "peerage.test"] == [
        "one",
        "two",
        "three",
        "four",
    ]
    assert path.read_text().splitlines()[-1].endswith("error   peerage.test: four")
    assert [line.message for line in read_log(path, 1, "error")] == ["four"]


def test_standard_error_hears_it_only_when_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("peerage.test")
    with logging_to(tmp_path / "log", LogSettings()):
        log.warning("quiet")
    with logging_to(tmp_path / "log", LogSettings(), also_stderr=True):
        adjust(LogSettings(format="json"))
        log.warning("loud")
    said = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in said] == ["loud"]
    assert "httpx" not in {line.logger for line in read_log(tmp_path / "log", 10)}
