import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from peerage.content import manifest as m
from peerage.errors import ForgedError, LimitError, PeerageError, ProtocolError, UnsafeNameError
from peerage.limits import KIB, MAX_MANIFEST, MIB


def file_of(data: bytes) -> m.FileManifest:
    hasher = m.PieceHasher(len(data))
    hasher.feed(memoryview(data))
    return hasher.finish()


def sized(size: int) -> m.FileManifest:
    return m.FileManifest(size, bytes(32 * m.piece_count_of(size)))


def folder(*files: tuple[str, int]) -> m.FolderManifest:
    return m.folder_of([m.FolderFile(path, sized(size)) for path, size in files])


def raw(value: object) -> tuple[bytes, bytes]:
    data = msgspec.msgpack.encode(value)
    return data, m.content_id_of(data)


@pytest.mark.parametrize(
    ("size", "piece", "count"),
    [
        (0, 256 * KIB, 0),
        (1, 256 * KIB, 1),
        (64 * MIB, 256 * KIB, 256),
        (64 * MIB + 1, MIB, 65),
        (4096 * MIB, MIB, 4096),
        (4096 * MIB + 1, 4 * MIB, 1025),
        (16384 * MIB, 4 * MIB, 4096),
        (16384 * MIB + 1, 16 * MIB, 1025),
    ],
)
def test_piece_size_is_a_function_of_the_size(size, piece, count):
    assert m.piece_size_of(size) == piece
    assert m.piece_count_of(size) == count


@given(st.lists(st.integers(0, 300 * KIB), max_size=6))
def test_any_split_of_the_bytes_gives_the_same_pieces(portions):
    size = sum(portions)
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    hasher, at = m.PieceHasher(size), 0
    for portion in portions:
        hasher.feed(memoryview(data)[at : at + portion])
        at += portion
    step = 256 * KIB
    assert hasher.finish() == m.FileManifest(
        size, b"".join(blake3(data[i : i + step]).digest() for i in range(0, size, step))
    )


def test_a_file_that_grew_or_shrank_is_not_hashed():
    hasher = m.PieceHasher(3)
    hasher.feed(memoryview(b"ab"))
    with pytest.raises(ValueError):
        hasher.finish()
    with pytest.raises(ValueError):
        hasher.feed(memoryview(b"cd"))


def test_equal_bytes_are_equal_content_and_the_id_is_stable():
    one = m.content_id_of(m.encode(file_of(b"hello world")))
    assert one == m.content_id_of(m.encode(file_of(b"hello world")))
    assert one != m.content_id_of(m.encode(file_of(b"hello worle")))
    assert one.hex() == "0f07e1f66392b870a7f566fc434e060dc278bb27172bc8aeaa7cc45970b9f8ff"


@given(st.dictionaries(st.text("abc/.", min_size=1, max_size=6), st.integers(0, 600 * KIB), max_size=6))
def test_what_is_encoded_is_decoded(files):
    try:
        manifest = folder(*files.items())
    except UnsafeNameError:
        return
    data = m.encode(manifest)
    assert m.decode(data, m.content_id_of(data)) == manifest


def test_the_id_is_checked_before_anything_else():
    with pytest.raises(ForgedError):
        m.decode(b"\xc1 not even a manifest", bytes(32))


@given(st.binary(max_size=60))
def test_garbage_gives_only_our_own_errors(data):
    with pytest.raises(PeerageError):
        m.decode(data, m.content_id_of(data))


FILE = ["file", 1, bytes(32)]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (["file", 1, b""], ProtocolError),
        (["file", 1, bytes(64)], ProtocolError),
        (["file", 0, bytes(32)], ProtocolError),
        (["file", -1, b""], ProtocolError),
        (["file", 2**63, b""], ProtocolError),
        (["file", 1, bytes(32), "more"], ProtocolError),
        (["folder", [["a", ["file", 1, b""]]]], ProtocolError),
        (["folder", [["a", FILE, "more"]]], ProtocolError),
        (["folder", [["b", FILE], ["a", FILE]]], UnsafeNameError),
        (["folder", [["a", FILE], ["a", FILE]]], UnsafeNameError),
        (["folder", [["a", FILE], ["a!", FILE], ["a/b", FILE]]], UnsafeNameError),
        (["folder", [["../a", FILE]]], UnsafeNameError),
        (["folder", [["/a", FILE]]], UnsafeNameError),
        (["folder", [["a\0b", FILE]]], UnsafeNameError),
        (["folder", [["a//b", FILE]]], UnsafeNameError),
        (["folder", [["", FILE]]], UnsafeNameError),
        (["other", 1], ProtocolError),
    ],
)
def test_a_manifest_that_does_not_fit_together(value, error):
    with pytest.raises(error):
        m.decode(*raw(value))


def test_only_the_one_encoding_is_accepted():
    data = b"\x93\xa4file\xcd\x00\x01\xc4\x20" + bytes(32)  # the size in three bytes where one is enough
    with pytest.raises(ProtocolError, match="one encoding"):
        m.decode(data, m.content_id_of(data))


def test_a_claim_of_too_many_files_is_refused_before_they_are_read():
    data = b"\x92\xa6folder\xdd\x00\x03\x0d\x41"
    with pytest.raises(ProtocolError, match="length <= 200000"):
        m.decode(data, m.content_id_of(data))


def test_oversize_manifests():
    with pytest.raises(LimitError) as caught:
        m.decode(bytes(MAX_MANIFEST + 1), bytes(32))
    assert caught.value.whose == "theirs"
    with pytest.raises(LimitError) as caught:
        m.encode(m.FileManifest(1, bytes(MAX_MANIFEST)))
    assert caught.value.whose == "ours"
    with pytest.raises(LimitError):
        m.encode(m.FolderManifest((m.FolderFile("a", sized(0)),) * 200_001))


def test_a_name_that_is_not_text_is_refused_when_a_folder_is_made():
    with pytest.raises(UnsafeNameError):
        folder(("caf\udce9", 1))


def test_the_piece_space_of_a_folder():
    manifest = folder(("c", 256 * KIB + 5), ("a", 10), ("b", 0), ("d/e", 65 * MIB), ("z", 0))
    space = m.PieceSpace(manifest)
    assert (space.count, space.size, space.file_count) == (1 + 0 + 2 + 65, 256 * KIB + 15 + 65 * MIB, 5)
    assert space.largest_piece == MIB
    assert [space.locate(index) for index in range(4)] == [
        (0, 0, 10),
        (2, 0, 256 * KIB),
        (2, 256 * KIB, 5),
        (3, 0, MIB),
    ]
    assert [space.pieces_of(file) for file in range(5)] == [
        range(1),
        range(1, 1),
        range(1, 3),
        range(3, 68),
        range(68, 68),
    ]
    assert space.bytes_between(0, space.count) == space.size
    assert space.bytes_between(1, 3) == 256 * KIB + 5
    assert space.bytes_between(5, 5) == 0
    assert space.file_size(3) == 65 * MIB
    for index in (-1, 68):
        with pytest.raises(IndexError):
            space.locate(index)


@given(st.lists(st.integers(0, 3 * 256 * KIB), max_size=8))
def test_every_byte_is_in_exactly_one_piece(sizes):
    space = m.PieceSpace(folder(*((f"{number:03}", size) for number, size in enumerate(sizes))))
    seen = [0] * len(sizes)
    for index in range(space.count):
        file, offset, length = space.locate(index)
        assert offset == seen[file]
        assert 0 < length == space.length_of(index) <= space.largest_piece
        assert index in space.pieces_of(file)
        assert space.bytes_between(0, index) == sum(seen)
        seen[file] += length
    assert seen == sizes


def test_the_hash_of_a_piece():
    data = bytes(300 * KIB)
    space = m.PieceSpace(m.folder_of([m.FolderFile("a", file_of(b"x")), m.FolderFile("b", file_of(data))]))
    assert space.hash_of(0) == blake3(b"x").digest()
    assert space.hash_of(2) == blake3(data[256 * KIB :]).digest()
    assert m.PieceSpace(file_of(data)).hash_of(0) == space.hash_of(1)


def test_a_folder_of_200_000_files_and_one_of_two_million_pieces():
    files = tuple(m.FolderFile(f"{number:06}", sized(1)) for number in range(200_000))
    space = m.PieceSpace(m.FolderManifest(files))
    assert space.count == 200_000
    assert space.locate(199_999) == (199_999, 0, 1)
    space = m.PieceSpace(sized(2_000_000 * 16 * MIB))
    assert space.locate(1_999_999).offset == 1_999_999 * 16 * MIB
