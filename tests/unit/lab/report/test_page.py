import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from lab_results import result

from peerage.errors import LocalError
from peerage.lab.picture import Picture, Spot, Step
from peerage.lab.report import plots
from peerage.lab.report.page import Words, page

WORDS = Words("A <b>title</b>", "100 peers & more", "peerage lab compare --seed 1")
PICTURE = Picture(
    generation="flood",
    title="second generation",
    spots=[Spot(0.1, 0.2, False), Spot(0.3, 0.4, True)],
    links=[(0, 1)],
    asker=0,
    text="</script><script>alert(1)</script>",
    found_at=0.5,
    steps=[Step(0.1, 0, 1, False), Step(0.2, 1, 0, True)],
)
RESULTS = [result("flood"), result("dht", messages=5.0)]


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_nobody_for_anything():
    text = page(WORDS, RESULTS, [PICTURE])
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert reader.tags.count("svg") == len(plots.PANELS)
    assert not re.search(r"@@\w+@@", text)
    assert not re.search(r"(src|href)\s*=|url\(|https?:|@import|fetch\(", text)
    assert "default-src 'none'" in text


def test_what_goes_into_the_page_is_escaped():
    text = page(WORDS, RESULTS, [PICTURE])
    assert "A &lt;b&gt;title&lt;/b&gt;" in text
    assert "<script>alert" not in text
    assert text.count("</script>") == 2


def test_without_pictures_there_is_no_network():
    assert 'id="network"' not in page(WORDS, RESULTS, [])


@pytest.mark.parametrize("kind", plots.KINDS_OF_FILE)
def test_plots_are_drawn(tmp_path, kind):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot{kind}"
    plots.check(path)
    plots.draw([*RESULTS, result("flood", 2, 80.0)], path, "title")
    assert path.read_bytes().startswith({".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}[kind])


def test_the_same_figures_give_the_same_drawing(tmp_path):
    pytest.importorskip("matplotlib")
    drawn = []
    for name in ("one.svg", "other.svg"):
        plots.draw(RESULTS, tmp_path / name, "title")
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]


def test_other_kinds_of_pictures_are_refused(tmp_path):
    with pytest.raises(LocalError, match=r"\.svg, \.png, \.pdf"):
        plots.check(tmp_path / "plot.gif")


def test_without_matplotlib_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(LocalError, match=r'pip install "peerage\[lab\]"'):
        plots.check(tmp_path / "plot.svg")
