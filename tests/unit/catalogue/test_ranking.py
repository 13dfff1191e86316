from __future__ import annotations

from catalogue_samples import Kind, Meta, record

from peerage.catalogue.query_parser import parse
from peerage.catalogue.ranking import rank


def test_the_name_counts_more_than_the_folder_and_few_words_more_than_many() -> None:
    in_path = record("01.flac", path=("Blue Train",))
    long = record("blue train live at somewhere.flac")
    short = record("blue train.flac", issued=5)
    newer = record("train blue.flac", issued=6)
    folder = record("blue train", kind=Kind.FOLDER)
    tagged = record("02 track.flac", meta=Meta(title="blue train"))
    ranked = rank(parse("blue train"), [in_path, long, tagged, short, newer, folder])
    assert ranked[:4] == [folder, newer, short, long]
    assert set(ranked[4:]) == {in_path, tagged}
