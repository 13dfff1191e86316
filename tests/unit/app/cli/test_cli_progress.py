import io

import pytest

from peerage.app.cli.output import Output
from peerage.app.cli.progress import Meter, Pace, Step

HALF = Step(done=32_000_000, total=64_000_000, rate=8e6, sources=4, eta=4.0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def make(*, as_json=False, terminal=False):
    kind = Terminal if terminal else io.StringIO
    return Output(as_json=as_json, stdout=kind(), stderr=kind())


def test_nothing_is_shown_for_what_takes_less_than_a_second(clock):
    for terminal in (False, True):
        output = make(terminal=terminal)
        with Meter(output, "x", clock=clock) as meter:
            clock.now += 0.9
            meter.show(HALF)
        assert output._stderr.getvalue() == ""


def test_without_a_terminal_a_line_now_and_then(clock):
    output = make()
    with Meter(output, "film", clock=clock) as meter:
        for _ in range(80):
            clock.now += 0.1
            meter.show(HALF)
    line = "film: 50 %, 32.0 MB of 64.0 MB, 8.0 MB/s, 4 sources, 4.0 s left\n"
    assert output._stderr.getvalue() == line * 2
    assert output._stdout.getvalue() == ""


def test_json_is_not_disturbed(clock):
    output = make(as_json=True, terminal=True)
    with Meter(output, "film", clock=clock) as meter:
        clock.now += 10
        meter.show(HALF)
    assert output._stderr.getvalue() == output._stdout.getvalue() == ""


def test_attack_markup_and_escapes_in_the_name_of_a_download(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    output = make(terminal=True)
    with Meter(output, "[red]a[/red]\x1b[2J", clock=clock) as meter:
        clock.now += 2
        meter.show(HALF)
        meter.pause()
        meter.show(Step(note="[blink]x[/blink]"))
    shown = output._stderr.getvalue()
    assert "[red]a[/red]\ufffd[2J" in shown
    assert "[blink]x[/blink]" in shown
    assert "50 %" in shown
    assert "4.0 s left" in shown
    assert "\x1b[2J" not in shown
    assert shown.rstrip().endswith(("\x1b[?25h", "\x1b[2K"))  # the cursor is back and the bar is gone


def test_a_pace_is_the_average_since_the_start(clock):
    pace = Pace(clock)
    assert pace.step(0, 100) == Step(done=0, total=100)
    clock.now += 2
    assert pace.step(50, 100, "1 file") == Step(done=50, total=100, rate=25.0, eta=2.0, note="1 file")
