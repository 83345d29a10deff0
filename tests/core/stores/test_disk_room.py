"""Uploads begin only while enough room is left; how much that is, is asked once a second at most."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from fairway.core.oci.errors import StorageFull, StorageReadOnly, Unavailable
from fairway.core.stores.disk_layout import storage_error
from fairway.core.stores.disk_room import FILES_KEPT, Room


class Disk:
    """What statvfs says, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 1_000_000
        self.files, self.free_files = 10_000, 5_000
        self.asked = 0
        self.now = 0.0
        monkeypatch.setattr(os, "statvfs", self._statvfs)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def _statvfs(self, _folder: Path) -> SimpleNamespace:
        self.asked += 1
        blocks = {"f_bavail": self.free // 100, "f_frsize": 100}
        return SimpleNamespace(f_files=self.files, f_favail=self.free_files, **blocks)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize(("free", "enough"), [(2_000, True), (1_900, False), (0, False)])
def test_the_reserve_must_be_free(disk: Disk, tmp_path: Path, free: int, enough: bool) -> None:
    disk.free = free
    assert has_room(Room(tmp_path, 2_000)) is enough


@pytest.mark.parametrize(
    ("files", "free", "enough"),
    [(10_000, FILES_KEPT, True), (10_000, FILES_KEPT - 1, False), (0, 0, True)],
    ids=["enough", "too few", "made as needed"],
)
def test_some_files_must_be_free_where_they_are_counted(
    disk: Disk, tmp_path: Path, files: int, free: int, enough: bool
) -> None:
    disk.files, disk.free_files = files, free
    assert has_room(Room(tmp_path, 1)) is enough


def test_without_a_reserve_nobody_asks(disk: Disk, tmp_path: Path) -> None:
    disk.free = 0
    assert has_room(Room(tmp_path, 0))
    assert disk.asked == 0


def test_the_answer_is_good_for_a_second(disk: Disk, tmp_path: Path) -> None:
    room = Room(tmp_path, 1_000)
    assert has_room(room)
    disk.free = 0
    disk.now = 0.9
    assert has_room(room)
    disk.now = 1.1
    assert not has_room(room)
    disk.free = 1_000_000
    disk.now = 2.2
    assert has_room(room)
    assert disk.asked == 3


def test_a_disk_that_does_not_answer_is_not_full(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as error:
        Room(tmp_path / "gone", 1).require()
    assert not isinstance(error.value, StorageFull)


def test_a_read_only_disk_has_an_error_of_its_own() -> None:
    error = storage_error("store the upload", OSError(30, os.strerror(30)))
    assert isinstance(error, StorageReadOnly)


def has_room(room: Room) -> bool:
    try:
        room.require()
    except StorageFull:
        return False
    return True
