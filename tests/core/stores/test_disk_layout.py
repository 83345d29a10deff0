"""The folders of a disk store are private, complete and ours, or the store does not open."""

import os
from pathlib import Path

import pytest

from fairway.core.oci.digest import Digest
from fairway.core.oci.errors import BlobUploadUnknown
from fairway.core.stores.disk_layout import Layout, UnsafeFolder, new_key, prepare
from fairway.core.stores.protocols import ObjectMissing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "storage"


def test_every_folder_is_made_at_once_and_closed_to_others(root: Path) -> None:
    prepare(root)
    folders = [root, *(folder for folder in root.rglob("*"))]
    assert len(folders) == 1 + 1 + 2 * (1 + 256)
    assert {oct(folder.stat().st_mode & 0o777) for folder in folders} == {"0o750"}


def test_opening_again_changes_nothing(root: Path) -> None:
    prepare(root)
    (root / "sha256" / "ab" / "blob").write_bytes(b"x")
    prepare(root)
    assert (root / "sha256" / "ab" / "blob").read_bytes() == b"x"


@pytest.mark.parametrize("folder", [".", "uploads", "sha512", "sha256/ab"])
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o751, 0o777])
def test_a_folder_open_to_others_is_refused(root: Path, folder: str, mode: int) -> None:
    prepare(root)
    (root / folder).chmod(mode)
    with pytest.raises(UnsafeFolder, match="chmod 0750"):
        prepare(root)


def test_a_volume_given_to_a_pod_through_its_group_is_taken(root: Path) -> None:
    prepare(root)
    for folder in [root, *root.rglob("*")]:
        folder.chmod(0o2770)
    prepare(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(root: Path) -> None:
    prepare(root)
    os.chown(root / "uploads", 12345, -1)
    with pytest.raises(UnsafeFolder, match="belongs to user 12345"):
        prepare(root)


def test_a_link_in_place_of_a_folder_is_refused(root: Path, tmp_path: Path) -> None:
    prepare(root)
    (root / "uploads").rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o750)
    (root / "uploads").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFolder, match="not a folder"):
        prepare(root)


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    prepare(root)
    (tmp_path / "link").symlink_to(root)
    assert prepare(tmp_path / "link").root == root


def test_a_file_in_place_of_the_root_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnsafeFolder, match="not a folder"):
        prepare(tmp_path / "file")


def test_a_key_is_never_made_twice(root: Path) -> None:
    digest = Digest.of(b"x", "sha512")
    first, second = new_key(digest), new_key(digest)
    assert first != second
    assert Layout(root).object(first).parent == root / "sha512" / digest.hex[:2]


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "sha256/ab/../../uploads/x", "sha256/ab/", "md5/ab/" + "a" * 64 + "-" + "0" * 32],
)
def test_a_text_that_is_no_key_leads_nowhere(root: Path, key: str) -> None:
    with pytest.raises(ObjectMissing):
        Layout(root).object(key)


@pytest.mark.parametrize("session_id", ["", "..", "../x", "0" * 31, "0" * 32 + "\n", "٣" * 32, "A" * 32])
def test_a_text_that_is_no_session_leads_nowhere(root: Path, session_id: str) -> None:
    with pytest.raises(BlobUploadUnknown):
        Layout(root).upload(session_id)
