import pytest

from peerage.errors import LocalError
from peerage.lab.scenario import builtin, load, read

GOOD = b"""
title = "One"
overlays = "flood, flood-2001"
seeds = 2
[world]
peers = 50
nat = 0.5
[stock]
rare = 10
"""


def test_a_scenario_is_read_from_a_file(tmp_path):
    path = tmp_path / "one.toml"
    path.write_bytes(GOOD)
    scenario = load(str(path))
    assert (scenario.title, scenario.seeds) == ("One", 2)
    assert (scenario.spec.peers, scenario.spec.nat, scenario.spec.stock.rare) == (50, 0.5, 10)
    assert scenario.spec.generation == "flood"


@pytest.mark.parametrize("name", builtin())
def test_built_in_scenarios_make_sense(name):
    scenario = load(name)
    assert scenario.title
    assert scenario.about.endswith(".")
    assert scenario.spec.peers > 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds = 3", "title"),
        ('title = "x"\ncolour = "red"', "colour"),
        ('title = "x"\n[world]\npears = 3', "no 'pears'; it can have: seed, peers"),
        ('title = "x"\n[world]\ngeneration = "flood"', "no 'generation'"),
        ('title = "x"\n[world]\npeers = "many"', r"\$\.peers"),
        ('title = "x"\n[world]\npeers = 1', "2 to 100,000"),
        ('title = "x"\n[stock]\ntop = "all"', r"\$\.stock\.top"),
        ('title = "x"\noverlays = "telepathy"', "telepathy"),
        ('title = "x"\nseeds = 1000', "seeds go from 1 to 100"),
        ("title = ", "Invalid"),
        ("\xff", "scenario.toml"),
        ("#" * 70_000, "no scenario"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_place(text, said):
    with pytest.raises(LocalError, match=said):
        read(text.encode("latin-1"), "scenario.toml")


def test_unknown_names_list_those_there_are():
    with pytest.raises(LocalError, match="classroom"):
        load("atlantis")
    with pytest.raises(LocalError, match="cannot be read"):
        load("atlantis.toml")
