import msgspec
import pytest
from lab_results import result

from peerage.lab.figures import DASH, FIGURES, number, percent, seconds, size, table


@pytest.mark.parametrize(
    ("show", "value", "said"),
    [
        (percent, 0.987, "98.7 %"),
        (number, 12345.6, "12,346"),
        (number, 12.34, "12.3"),
        (number, 1.234, "1.23"),
        (seconds, 0.456, "0.46 s"),
        (seconds, 1234.5, "1,234 s"),
        (size, 12, "12 B"),
        (size, 0.5, "0.5 B"),
        (size, 12_345, "12.3 kB"),
        (size, 5e12, "5.0 TB"),
    ],
)
def test_figures_are_shown_as_people_read_them(show, value, said):
    assert show(value) == said


def test_a_column_for_each_generation_and_a_row_for_each_figure():
    rows = table([result("flood", 1, 40.0), result("dht"), result("flood", 2, 60.0)])
    assert [row.figure for row in rows] == list(FIGURES)
    (row,) = [row for row in rows if row.figure.key == "messages-rare"]
    assert row.cells() == ["50.0 ±14.1", "50.0"]


def test_what_could_not_be_measured_is_a_dash():
    nothing = msgspec.structs.replace(result(), kinds=[], components=None)
    cells = {row.figure.key: row.cells() for row in table([nothing])}
    assert cells["success-popular"] == cells["hops"] == cells["components"] == cells["last-p95"] == [DASH]


def test_every_figure_has_a_key_of_its_own_and_says_what_it_means():
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
    assert all(figure.about.endswith((".", "wants.")) for figure in FIGURES)
