"""A folder of ten thousand files, shared by one node and fetched by another, over real links."""

import hashlib
import random
from pathlib import Path

import pytest

from peerage import Node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(170)]

FILES = 10_000


def make_tree(folder: Path, rng: random.Random) -> None:
    for number in range(FILES):
        path = folder / f"{number % 100:02}" / f"{number % 7}" / f"file {number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.choice((0, 1, 100, 2000, 9000))))


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        whole.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


async def test_a_folder_of_ten_thousand_files(tmp_path):
    tree = tmp_path / "tree"
    make_tree(tree, random.Random(1))
    async with (
        Node.open(tmp_path / "one", listen="127.0.0.1:0", lan=False) as one,
        Node.open(tmp_path / "other", listen="127.0.0.1:0", lan=False) as other,
    ):
        share = await one.share(tree)
        assert share.files == FILES
        download = await other.get(share.link, into=tmp_path / "got")
        got = await download.wait()
    assert sum(path.is_file() for path in got.rglob("*")) == FILES
    assert digest(got) == digest(tree)
