import pytest
from blake3 import blake3

from peerage.catalogue.hashing import ContentHasher, FolderEntry
from peerage.content.hasher import ManifestHasher
from peerage.content.manifest import FileManifest, FolderManifest, content_id_of, decode
from peerage.errors import ChangedError, LocalError, UnsafeNameError
from peerage.limits import KIB, MIB


@pytest.fixture
def hasher() -> ContentHasher:
    return ManifestHasher()


@pytest.mark.parametrize("size", [0, 1, 256 * KIB, 256 * KIB + 1, 3 * MIB + 5])
def test_a_file(tmp_path, hasher, size):
    data = bytes(n % 253 for n in range(997)) * (size // 997 + 1)
    (tmp_path / "file").write_bytes(data[:size])
    portions = []
    content = hasher.hash_file(tmp_path / "file", portions.append)
    assert (content.size, sum(portions)) == (size, size)
    manifest = decode(content.manifest, content.content)
    assert isinstance(manifest, FileManifest)
    step = 256 * KIB
    assert manifest.pieces == b"".join(blake3(data[at : min(at + step, size)]).digest() for at in range(0, size, step))


def test_equal_bytes_are_equal_content_whatever_they_are_called(tmp_path, hasher):
    (tmp_path / "one").write_bytes(b"same")
    (tmp_path / "other").write_bytes(b"same")
    assert hasher.hash_file(tmp_path / "one", int) == hasher.hash_file(tmp_path / "other", int)


@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_a_file_that_changes_while_it_is_read(tmp_path, hasher, change):
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIB))

    def interfere(count: int) -> None:
        path.write_bytes({"shorter": b"", "longer": bytes(4 * MIB), "other": b"\1" * (3 * MIB)}[change])

    with pytest.raises(ChangedError):
        hasher.hash_file(path, interfere)


def test_progress_may_stop_it(tmp_path, hasher):
    (tmp_path / "file").write_bytes(bytes(10))

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hasher.hash_file(tmp_path / "file", stop)
    with pytest.raises(FileNotFoundError):
        hasher.hash_file(tmp_path / "none", int)


def test_a_folder(tmp_path, hasher):
    (tmp_path / "b").write_bytes(b"beta")
    one = hasher.hash_file(tmp_path / "b", int)
    folder = hasher.combine_folder([FolderEntry("x/b", one), FolderEntry("a", one)])
    assert folder.size == 8
    manifest = decode(folder.manifest, folder.content)
    assert isinstance(manifest, FolderManifest)
    assert [file.path for file in manifest.files] == ["a", "x/b"]
    assert folder == hasher.combine_folder([FolderEntry("a", one), FolderEntry("x/b", one)])
    assert folder.content == content_id_of(folder.manifest) != one.content
    with pytest.raises(UnsafeNameError):
        hasher.combine_folder([FolderEntry("a", one), FolderEntry("a", one)])
    with pytest.raises(LocalError):
        hasher.combine_folder([FolderEntry("a", folder)])
