from __future__ import annotations

import pytest

from peerage.catalogue.media_type import MediaType, extension_of, media_type_of, mime_of


@pytest.mark.parametrize(
    ("name", "mime", "media_type"),
    [
        ("a.FLAC", "audio/flac", MediaType.AUDIO),
        ("a.mkv", "video/x-matroska", MediaType.VIDEO),
        ("a.jpeg", "image/jpeg", MediaType.IMAGE),
        ("a.py", "text/x-source", MediaType.TEXT),
        ("a.pdf", "application/pdf", MediaType.DOCUMENT),
        ("a.djvu", "image/vnd.djvu", MediaType.DOCUMENT),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", MediaType.DOCUMENT),
        ("a.tar.gz", "application/gzip", MediaType.ARCHIVE),
        ("a.exe", "application/vnd.microsoft.portable-executable", MediaType.PROGRAM),
        ("README", "application/octet-stream", MediaType.OTHER),
        (".mp3", "application/octet-stream", MediaType.OTHER),
    ],
)
def test_the_name_tells_the_type(name: str, mime: str, media_type: MediaType) -> None:
    assert mime_of(name) == mime
    assert media_type_of(mime) is media_type


def test_types_never_heard_of_follow_their_family() -> None:
    assert media_type_of("audio/x-new") is MediaType.AUDIO
    assert media_type_of("model/gltf") is MediaType.OTHER


def test_a_sentence_is_no_extension() -> None:
    assert extension_of("well. this is how it goes") == ""
    assert extension_of("name.") == ""
