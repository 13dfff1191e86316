import io

import msgspec

from peerage.app.api.models import SearchEnded, SearchStage
from peerage.app.cli.explaining import show
from peerage.app.cli.output import Output


class Terminal(io.StringIO):
    def isatty(self):
        return True


def stage(name, **fields):
    plain = {
        "name": name,
        "overlay": name,
        "asked": True,
        "why": "the cheapest first",
        "peers": 0,
        "hops": 0,
        "messages": 0,
        "bytes": 0,
        "hits": 0,
        "refused": 0,
        "began": 0.0,
        "ended": 0.02,
        "first_hit": None,
    }
    return SearchStage(**plain | fields)


ENDED = SearchEnded(
    hits=3,
    messages=1012,
    bytes=2_500_000,
    seconds=1.5,
    reason="budget",
    ranking=[2, 1, 3],
    stages=[
        stage("local", hits=1, first_hit=0.01),
        stage("neighbours", overlay="flood", peers=8, hops=2, messages=1012, bytes=2_500_000, hits=2, first_hit=0.3),
        stage("dht", asked=False, began=None, ended=None, why="25 were found without it"),
    ],
)


def shown(*, as_json=False, terminal=False):
    out = Terminal() if terminal else io.StringIO()
    show(Output(as_json=as_json, stdout=out, stderr=io.StringIO()), ENDED)
    return out.getvalue()


def test_each_stage_has_its_line_and_all_together_one():
    lines = [line.split("\t") for line in shown().splitlines()]
    assert lines[1] == ["local", "0.00 - 0.02", "", "", "", "", "1", "0.01 s"]
    assert lines[2][2:] == ["8", "2", "1,012", "2.5 MB", "2", "0.30 s"]
    assert lines[3] == ["together", "1.50", "8", "2", "1,012", "2.5 MB", "3", "0.01 s"]


def test_each_stage_has_its_reason_and_the_end_its_own():
    lines = shown().splitlines()[5:]
    assert lines == [
        "local: the cheapest first",
        "neighbours: the cheapest first",
        "dht: not asked, 25 were found without it",
        "It ended because the budget was used up.",
    ]


def test_a_terminal_gets_a_table():
    text = shown(terminal=True)
    assert "messages" in text
    assert "neighbours" in text


def test_scripts_get_the_end_of_the_search_as_it_is():
    assert msgspec.json.decode(shown(as_json=True), type=SearchEnded) == ENDED
