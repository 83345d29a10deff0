"""Numbers that are shared through files, on a disk without room."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from fairway.frame import metric_files
from fairway.frame.metric_files import ReservedDict


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as files:
        yield files


def read(file: Path) -> dict[str, float]:
    return {key: value for key, value, *_ in ReservedDict.read_all_values_from_file(str(file))}


def test_all_room_is_there_before_it_is_touched(tmp_path: Path, opened: ExitStack) -> None:
    file = tmp_path / "counter.db"
    numbers = opened.enter_context(closing(ReservedDict(str(file))))
    assert file.stat().st_blocks * 512 >= file.stat().st_size >= 64 * 1024
    keys = [f"{'series ' * 20}{number}" for number in range(2000)]  # more than fits at first
    for value, key in enumerate(keys):
        numbers.write_value(key, value, 0.0)
    assert file.stat().st_blocks * 512 >= file.stat().st_size
    assert read(file) == dict(zip(keys, range(2000), strict=True))


def test_without_room_a_process_counts_for_itself(
    tmp_path: Path, opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = opened.enter_context(closing(ReservedDict(str(tmp_path / "grown.db"))))
    grown.write_value("before", 1.0, 0.0)
    monkeypatch.setattr(metric_files, "_reserved", lambda _fd, _size: False)
    for number in range(10_000):
        grown.write_value(f"series {number}", number, 0.0)
    assert grown.read_value("before")[0] == 1.0
    assert grown.read_value("series 9999")[0] == 9999.0
    new = opened.enter_context(closing(ReservedDict(str(tmp_path / "new.db"))))
    new.write_value("series", 2.0, 0.0)
    assert new.read_value("series")[0] == 2.0


@pytest.mark.parametrize(("why", "there"), [(errno.ENOSPC, False), (errno.EOPNOTSUPP, True)])
def test_a_file_system_that_cannot_reserve_room_is_not_a_full_one(
    tmp_path: Path, opened: ExitStack, monkeypatch: pytest.MonkeyPatch, why: int, there: bool
) -> None:
    def refuse(_fd: int, _offset: int, _size: int) -> None:
        raise OSError(why, "")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    file = tmp_path / "counter.db"
    opened.enter_context(closing(ReservedDict(str(file)))).write_value("series", 1.0, 0.0)
    assert (file.stat().st_size > 0) == there


def test_metrics_use_such_files(tmp_path: Path) -> None:
    steps = f"""
from pathlib import Path
from fairway.frame.metrics import metrics, prepare_multiprocess
prepare_multiprocess(Path({str(tmp_path)!r}))
metrics().blob_received(5)
metrics().publish()
"""
    subprocess.run([sys.executable, "-c", steps], check=True, timeout=60)
    files = list(tmp_path.glob("*.db"))
    assert files
    for file in files:
        assert file.stat().st_blocks * 512 >= file.stat().st_size
