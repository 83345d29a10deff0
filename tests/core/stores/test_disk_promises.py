"""The table of mounts tells which folders a power cut would empty."""

from pathlib import Path

import pytest

from fairway.core.stores.disk_promises import MOUNTS, weakness

TABLE = r"""
22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw,errors=remount-ro
23 22 0:20 / /dev/shm rw,nosuid - tmpfs tmpfs rw,size=1024k
24 22 254:2 / /srv rw,noatime shared:1 - xfs /dev/vdb rw,attr2
25 24 254:3 / /srv/careless rw,noatime - ext4 /dev/vdc rw,nobarrier
26 22 0:30 / /box rw - overlay overlay rw,lowerdir=/a,upperdir=/b,volatile
27 22 254:4 / /a\040blank rw - ext4 /dev/vdd rw,barrier=0
28 22 0:31 / /hidden rw - tmpfs tmpfs rw
29 28 254:5 / /hidden rw - ext4 /dev/vde rw
""".strip()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/var/lib/fairway", ""),
        ("/srv/fairway", ""),
        ("/srvant", ""),
        ("/dev/shm/fairway", "memory"),
        ("/dev/shm", "memory"),
        ("/srv/careless/deep/down", "nobarrier"),
        ("/box/data", "volatile"),
        ("/a blank/data", "barrier=0"),
        ("/hidden/data", ""),
    ],
)
def test_what_a_power_cut_would_take_is_named(tmp_path: Path, folder: str, expected: str) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE + "\n")
    found = weakness(Path(folder), table)
    assert bool(found) == bool(expected)
    assert expected in found


def test_without_a_table_nothing_is_said(tmp_path: Path) -> None:
    assert weakness(tmp_path, tmp_path / "none") == ""


@pytest.mark.skipif(not MOUNTS.exists(), reason="only Linux has a table of mounts")
def test_the_table_of_this_machine_can_be_read() -> None:
    assert weakness(Path("/proc")) == ""
