"""Every program of the tutorial runs, and prints what the page says."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "tutorial").glob("[0-9]*.md"))
PROGRAM = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
PORT = re.compile(r"\b56\d\d\b")

pytestmark = pytest.mark.e2e


class Program(NamedTuple):
    page: str
    year: str
    text: str
    prints: str


def programs() -> list[Program]:
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        blocks = PROGRAM.findall(text)
        assert len(blocks) == text.count("```python") == 2, f"{page.name}: two programs, each with what it prints"
        found += [Program(page.stem, year, *block) for year, block in zip(("2007", "today"), blocks, strict=True)]
    return found


def free_ports(count: int) -> list[str]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.mark.parametrize("program", programs(), ids=lambda each: f"{each.page}-{each.year}")
def test_a_program_prints_what_the_page_says(program: Program, tmp_path: Path) -> None:
    printed = sorted(set(PORT.findall(program.text)))
    real = dict(zip(printed, free_ports(len(printed)), strict=True))  # the page's ports may be taken here
    (tmp_path / "program.py").write_text(PORT.sub(lambda port: real[port[0]], program.text), "utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = {port: page for page, port in real.items()}
    said = re.sub("|".join(shown) or "(?!)", lambda port: shown[port[0]], done.stdout)
    assert said == program.prints, done.stderr


def test_there_are_six_pages_and_each_says_what_went_wrong() -> None:
    assert len(PAGES) == 6
    for page in PAGES:
        headings = re.findall(r"^## (.*)$", page.read_text("utf-8"), re.MULTILINE)
        assert headings == ["2007", "Today", "What went wrong"], page.name


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.glob("tutorial/*.md")), DOCS / "history.md", DOCS / "classic_api.md"], ids=str
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
