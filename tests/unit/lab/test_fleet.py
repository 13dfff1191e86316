import multiprocessing
import os
import time

import pytest

from peerage.errors import LocalError
from peerage.lab.fleet import Job, Told, run_all, run_here


def square(number: int, report) -> int:
    report("squaring", 0.5)
    return number * number


def fail(kind: str, _report) -> None:
    if kind == "grouped":
        raise ExceptionGroup("several", [LocalError("not that either")])
    if kind == "ours":
        raise LocalError("that cannot be")
    if kind == "killed":
        os._exit(7)
    raise ZeroDivisionError("by nothing")


def linger(_report) -> None:
    time.sleep(600)


def squares(count: int) -> list[Job[int]]:
    return [Job(f"square {number}", square, (number,)) for number in range(count)]


@pytest.mark.parametrize("run", [run_here, lambda jobs, listen: run_all(jobs, listen, 2)], ids=["here", "processes"])
def test_results_come_in_the_order_of_the_jobs_and_progress_is_told(run):
    told: list[Told] = []
    assert run(squares(4), told.append) == [0, 1, 4, 9]
    assert {each.job for each in told if each.step == "squaring" and each.share == 0.5} == {0, 1, 2, 3}
    assert sorted(each.job for each in told if not each.step) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("ours", "broken: that cannot be"),
        ("grouped", "broken: not that either"),
        ("theirs", "ZeroDivisionError: by nothing"),
        ("killed", "status 7"),
    ],
)
def test_a_failing_job_ends_all_and_says_why(kind, said):
    jobs = [Job("slow", linger, ()), Job("broken", fail, (kind,))]
    with pytest.raises(LocalError, match=said):
        run_all(jobs, lambda _told: None, 2)
    assert multiprocessing.active_children() == []


def test_whoever_is_interrupted_leaves_no_process():
    def interrupt(_told: Told) -> None:
        raise KeyboardInterrupt

    jobs = [Job("slow", linger, ()), *squares(1)]
    with pytest.raises(KeyboardInterrupt):
        run_all(jobs, interrupt, 2)
    assert multiprocessing.active_children() == []
