"""A folder is a store because of the id in it: made once, never guessed, and nothing is made where it should be and is not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairway.core.stores.disk import DiskStore
from fairway.core.stores.disk_identity import FILE, find_or_make
from fairway.core.stores.protocols import WrongStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "storage"


def opened(root: Path, known: str | None = None) -> str:
    store = DiskStore(root).open(known)
    store.close()
    return store.identity


def test_it_is_kept(root: Path) -> None:
    identity = opened(root)
    assert opened(root) == opened(root, known=identity) == identity
    assert (root / FILE).read_text() == identity + "\n"
    assert (root / FILE).stat().st_mode & 0o022 == 0


def test_all_that_start_together_agree_and_leave_no_drafts(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(find_or_make, [tmp_path] * 40))) == 1
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_where_a_store_should_be_and_is_not_nothing_is_made(root: Path) -> None:
    with pytest.raises(WrongStore, match="mounted"):
        opened(root, known="a" * 32)
    assert not root.exists()
    root.mkdir(mode=0o750)
    with pytest.raises(WrongStore, match=f"{root} has no file store-id.*write {'a' * 32} into"):
        opened(root, known="a" * 32)
    assert list(root.iterdir()) == []


def test_another_store_is_refused(root: Path) -> None:
    identity = opened(root)
    with pytest.raises(WrongStore, match=f"{root} is the store '{identity}'.*storage_url"):
        opened(root, known="a" * 32)


@pytest.mark.parametrize("text", ["", "\n", "not an id", "A" * 32, "é" * 32])
def test_a_file_with_something_else_in_it_is_refused(root: Path, text: str) -> None:
    root.mkdir(mode=0o750)
    (root / FILE).write_text(text)
    with pytest.raises(WrongStore, match="no store id"):
        opened(root)
