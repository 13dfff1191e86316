"""Which files are wanted, and how much: patterns, rules in order, and what must not be left with nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.content.bitmap import Bitmap
from peerage.content.choice import Choice, Rule, plan_of
from peerage.content.ledger import Ledger
from peerage.content.manifest import FileManifest, FolderFile, PieceSpace, content_id_of, encode, folder_of
from peerage.content.picker import Priority
from peerage.errors import ForgedError, LocalError
from peerage.limits import KIB

PIECE = 256 * KIB
PATHS = {"a/1.txt": 3, "a/2.bin": 1, "b/c/3.txt": 2, "empty": 0, "z.txt": 4}  # and how many pieces


def space_of(paths: dict[str, int]) -> PieceSpace:
    files = [FolderFile(path, FileManifest(count * PIECE, bytes(32 * count))) for path, count in paths.items()]
    return PieceSpace(folder_of(files))


def kept(only: str, *rules: Rule) -> list[str]:
    choice = Choice(space_of(PATHS), "name", only)
    paths = sorted(PATHS)
    return [paths[file] for file in sorted(choice.kept(rules))]


@pytest.mark.parametrize(
    ("only", "files"),
    [
        ("", ["a/1.txt", "a/2.bin", "b/c/3.txt", "empty", "z.txt"]),
        ("*.txt", ["a/1.txt", "b/c/3.txt", "z.txt"]),
        ("a", ["a/1.txt", "a/2.bin"]),
        ("a/", ["a/1.txt", "a/2.bin"]),
        ("b", ["b/c/3.txt"]),
        ("b/c/*", ["b/c/3.txt"]),
        ("[az]*.txt", ["a/1.txt", "z.txt"]),
        ("empty", ["empty"]),
    ],
)
def test_a_pattern_chooses_files_and_folders(only, files):
    assert kept(only) == files


def test_a_pattern_that_fits_nothing_is_an_error():
    with pytest.raises(LocalError, match="no file of name fits 'c'"):
        Choice(space_of(PATHS), "name", "c")


def test_the_last_rule_that_fits_decides_and_nothing_left_out_comes_back():
    skip, want = Rule("*", Priority.SKIP), Rule("*.txt", Priority.HIGH)
    assert kept("", skip, want) == ["a/1.txt", "b/c/3.txt", "z.txt"]
    assert kept("", want, skip) == []
    assert kept("a", skip, want) == ["a/1.txt"]


def test_rules_that_make_no_sense_are_refused():
    choice = Choice(space_of(PATHS), "name", "a")
    with pytest.raises(LocalError, match="fits 'z.txt'"):
        choice.check([Rule("z.txt", Priority.HIGH)])
    with pytest.raises(LocalError, match="nothing to download"):
        choice.check([Rule("a", Priority.SKIP)])
    choice.check([Rule("a/1.txt", Priority.SKIP)])
    choice.check([])


def test_a_single_file_goes_by_its_name():
    choice = Choice(PieceSpace(FileManifest(2 * PIECE, bytes(64))), "film.mkv", "")
    choice.check([Rule("*.mkv", Priority.LOW)])
    with pytest.raises(LocalError):
        choice.check([Rule("*.mp3", Priority.LOW)])
    assert [(r.first, r.stop, r.priority) for r in choice.ranges([Rule("film*", Priority.LOW)])][-1] == (
        0,
        2,
        Priority.LOW,
    )


@settings(deadline=None)
@given(
    only=st.sampled_from(["", "*.txt", "a", "z.txt"]),
    rules=st.lists(st.tuples(st.sampled_from(["*", "a", "*.txt", "z*", "b/c"]), st.sampled_from(Priority)), max_size=5),
)
def test_ranges_say_the_same_as_the_rules_piece_by_piece(only, rules):
    space = space_of(PATHS)
    choice = Choice(space, "name", only)
    made = [Rule(pattern, priority) for pattern, priority in rules]
    ledger = Ledger(space, Bitmap(space.count))
    ledger.set_priorities(choice.ranges(made), Priority.NORMAL)
    wanted = {space.locate(index).file for index in range(space.count) if ledger.priorities[index]}
    assert wanted == {file for file in choice.kept(made) if len(space.pieces_of(file))}


def test_a_plan_is_read_from_the_right_manifest_only():
    encoded = encode(space_of(PATHS).manifest)
    plan = plan_of(content_id_of(encoded), encoded, "name", "*.txt")
    assert plan.space.count == sum(PATHS.values())
    assert len(plan.choice.kept([])) == 3
    with pytest.raises(ForgedError):
        plan_of(bytes(32), encoded, "name", "")


def test_files_by_their_numbers():
    space = space_of(PATHS)
    choice = Choice(space, "name", "")
    everything = choice.levels([])
    assert set(everything.values()) == {Priority.NORMAL}
    assert len(everything) == space.file_count
    rules = choice.with_levels([Rule("a", Priority.LOW)], {0: Priority.SKIP, 3: Priority.HIGH, 2: Priority.HIGH})
    levels = choice.levels(rules)
    before = choice.levels([Rule("a", Priority.LOW)])
    assert levels == before | {0: Priority.SKIP, 2: Priority.HIGH, 3: Priority.HIGH}
    assert len(rules) <= 3  # however often files are chosen
    assert choice.levels(choice.with_levels(rules, {3: Priority.NORMAL})) == levels | {3: Priority.NORMAL}
    assert choice.kept(rules) == frozenset(everything) - {0}
    choice.check(rules)
    overruled = choice.levels([*rules, Rule("*", Priority.LOW)])  # patterns that come later count
    assert set(overruled.values()) == {Priority.LOW}


def test_attack_numbers_of_files_that_there_are_not():
    space = space_of(PATHS)
    choice = Choice(space, "name", "*.txt")
    left_out = next(number for number in range(space.file_count) if number not in choice.levels([]))
    for number in (-1, space.file_count, 2**31):
        for level in (Priority.HIGH, Priority.SKIP):
            with pytest.raises(LocalError, match="no file"):
                choice.with_levels([], {number: level})
    with pytest.raises(LocalError, match="left out"):
        choice.with_levels([], {left_out: Priority.HIGH})
    assert choice.with_levels([], {left_out: Priority.SKIP}) == ()
    with pytest.raises(LocalError, match="nothing to download"):
        choice.with_levels([], dict.fromkeys(choice.levels([]), Priority.SKIP))


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, len(PATHS) - 1), st.sampled_from([*Priority][:4])))
def test_levels_are_those_that_were_given(changes):
    choice = Choice(space_of(PATHS), "name", "")
    try:
        rules = choice.with_levels([], changes)
    except LocalError:
        assert all(changes.get(number) is Priority.SKIP for number in range(len(PATHS)))
        return
    assert choice.levels(rules) == dict.fromkeys(range(len(PATHS)), Priority.NORMAL) | changes
