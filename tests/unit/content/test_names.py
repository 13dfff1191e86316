from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.content.names import check_path, local_paths, safe_name, safe_relative_path
from peerage.errors import UnsafeNameError

nasty = st.text(st.sampled_from("aA.\\/:*?<> \0\n\u202e\u200f\ud800ée\u0301\U0001f600-_~"), max_size=12) | st.text(
    max_size=300
)


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "..",
        "inside/../../outside",
        "inside/..",
        "/etc/passwd",
        "//host/share",
        "\\\\host\\share",
        "\\windows",
        "C:/windows",
        "c:\\windows",
        "C:",
        "..\\outside",
        "inside/..\\..\\outside",
        "inside\\..\\..\\outside",
        "",
        ".",
        "./here",
        "a//b",
        "a/",
        "nul\0byte",
        "not utf-8 \udcff",
        "x/" * 64 + "x",
        "x" * 4097,
    ],
)
def test_path_traversal_in_a_name(path):
    with pytest.raises(UnsafeNameError):
        safe_relative_path(path)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("notes.txt", "notes.txt"),
        ("Ünïcödé 音楽 🎵.flac", "Ünïcödé 音楽 🎵.flac"),
        (".bashrc", ".bashrc"),
        ("", "unnamed"),
        (".", "unnamed"),
        ("..", "unnamed"),
        ("...", "unnamed"),
        ("   ", "unnamed"),
        ("\0\r\n", "unnamed"),
        ("a/b\\c", "a_b_c"),
        ("C:evil", "C_evil"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\u2066a\u2069\ufeff", "a"),
        ("trailing. . ", "trailing"),
        ("trailing ", "trailing"),
        (" leading", "leading"),
        ("con", "con_"),
        ("Nul.tar.gz", "Nul_.tar.gz"),
        ("COM1", "COM1_"),
        ("lpt\u00b9.txt", "lpt\u00b9_.txt"),
        ("console", "console"),
        ("aux .txt", "aux_.txt"),
        ('<>:"|?*', "_______"),
        ("cafe\u0301", "caf\u00e9"),
        ("x" * 300 + ".flac", "x" * 250 + ".flac"),
        ("音" * 200 + ".txt", "音" * 83 + ".txt"),
        ("." + "x" * 300, "." + "x" * 254),
    ],
)
def test_safe_name(name, clean):
    assert safe_name(name) == clean


@given(nasty)
def test_a_safe_name_is_one_component_and_stays_as_it_is(name):
    clean = safe_name(name)
    assert safe_name(clean) == clean
    assert PurePosixPath(clean).parts == (clean,)
    assert clean not in {"", ".", ".."}
    assert len(clean.encode()) <= 255
    assert not set(clean) & set('/\\<>:"|?*\0\n\u202e\u200f')
    assert not clean.endswith((" ", "."))


@given(st.lists(nasty, max_size=5).map("/".join))
def test_a_safe_path_stays_in_its_folder(path):
    try:
        clean = safe_relative_path(path)
    except UnsafeNameError:
        return
    assert not clean.is_absolute()
    assert ".." not in clean.parts
    assert len(clean.parts) == path.count("/") + 1
    assert safe_relative_path(str(clean)) == clean


def test_names_that_fall_together_get_numbers():
    paths = ["a:b.txt", "a?b.txt", "a_b.txt", "d", "d?/x", "d_", "README", "readme"]
    assert local_paths(paths, fold_case=False) == [
        "a_b.txt", "a_b (2).txt", "a_b (3).txt", "d", "d_/x", "d_ (2)", "README", "readme",
    ]  # fmt: skip
    assert local_paths(["README", "ReadMe.md", "readme", "README.md"], fold_case=True) == [
        "README", "ReadMe.md", "readme (2)", "README (2).md",
    ]  # fmt: skip


@given(st.lists(nasty, max_size=8), st.booleans())
def test_no_two_files_get_one_name(paths, fold_case):
    try:
        local = local_paths(paths, fold_case=fold_case)
    except UnsafeNameError:
        return
    key = str.casefold if fold_case else str
    assert len({key(path) for path in local}) == len(paths)
    for path in local:
        check_path(path)
        assert all(len(component.encode()) <= 255 for component in path.split("/"))


def test_a_long_name_keeps_room_for_its_number():
    long = "x" * 251 + ".txt"
    assert local_paths([long, long + "?"], fold_case=False)[0] == long
    assert local_paths([long, long], fold_case=False)[1] == "x" * 247 + " (2).txt"


def test_a_hundred_thousand_names_that_fall_together_cost_no_square():
    local = local_paths((f"{'?' if n & 1 else ':'}" for n in range(100_000)), fold_case=True)
    assert local[-1] == "_ (100000)"
