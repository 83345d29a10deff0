"""One file out of an archive: what is found, and what hostile archives come to (T46, T47, T48)."""

import asyncio
import gzip
import io
import os
import tarfile
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairway.features.artifacts.processors import archives
from fairway.features.artifacts.processors.archives import ArchiveRefused, file_in_tar, find_file
from fairway.frame.jobs.apart import apart_reading
from features.artifacts.kinds import tar

MIB = 2**20


def find(archive: bytes, name: str = "values.yaml", folders: int = 1) -> bytes | None:
    return find_file(io.BytesIO(archive), [name], folders)


def entry(name: str, content: bytes = b"", **members: object) -> bytes:
    """The header and content of one entry, without the archive's end."""
    made = tarfile.TarInfo(name)
    made.size = len(content)
    for key, value in members.items():
        setattr(made, key, value)
    padding = bytes(-len(content) % 512)
    return made.tobuf(tarfile.GNU_FORMAT) + content + padding


class TestFound:
    @pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    @pytest.mark.parametrize("compressed", [False, True])
    def test_in_every_format(self, layout: int, compressed: bool) -> None:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=layout) as archive:
            for name in ("a" * 90 + "/other.yaml", "pier/values.yaml"):
                member = tarfile.TarInfo(name)
                member.size = 3
                archive.addfile(member, io.BytesIO(b"a:1"))
        raw = made.getvalue()
        assert find(gzip.compress(raw) if compressed else raw) == b"a:1"

    @pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_under_a_long_name(self, layout: int) -> None:
        folder = "é" + "d" * 120
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=layout) as archive:
            for name, content in ((f"{folder}/values.yaml", b"deep"), ("b/values.yaml", b"second")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        assert find(made.getvalue()) == b"deep"

    def test_whatever_its_case_and_the_first_of_two(self) -> None:
        assert find(tar({"a/VALUES.yaml": b"1", "b/values.yaml": b"2"})) == b"1"
        assert find(tar({"./a/values.yaml": b"1"})) == b"1"

    def test_only_as_deep_as_asked(self) -> None:
        deep = tar({"values.yaml": b"0", "a/b/values.yaml": b"2", "/values.yaml": b"absolute"})
        assert find(deep) is None
        assert find(deep, folders=0) == b"0"
        assert find(deep, folders=2) == b"2"

    def test_an_empty_one_and_none(self) -> None:
        assert find(tar({"a/values.yaml": b""})) == b""
        assert find(tar({})) is None
        assert find(b"") is None
        assert file_in_tar(io.BytesIO(tar({})), ["x"], 0, True) == b""

    def test_what_follows_the_end_of_gzip_is_not_read(self) -> None:
        good = gzip.compress(tar({"a/other": b"1"}))
        assert find(good + gzip.compress(tar({"a/values.yaml": b"2"}))) is None
        assert find(good + b"garbage") is None


class TestNames:
    """T47: nothing is opened under any of these names, and nothing found under what only looks like the one asked for."""

    @pytest.mark.parametrize(
        "name",
        [
            "../values.yaml",
            "a/../values.yaml",
            "/etc/values.yaml",
            "//values.yaml",
            "a//values.yaml",
            "./../values.yaml",
            "..\\values.yaml",
            "a/values.yaml/",
            "a/values.yaml\x01",
        ],
    )
    def test_a_name_that_leads_elsewhere(self, name: str) -> None:
        assert find(entry(name, b"x") + bytes(1024)) is None

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S"]
    )
    def test_what_is_no_plain_file(self, kind: bytes, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret")
        link = entry("a/values.yaml", type=kind, linkname=str(tmp_path / "secret"))
        assert find(link + bytes(1024)) is None
        assert find(link + entry("a/values.yaml", b"mine") + bytes(1024)) == b"mine"

    def test_nothing_is_written_anywhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        names = ["../out", "/tmp/fairway-was-here", f"{tmp_path}/out", "a/b/c"]
        archive = b"".join(entry(name, b"x") for name in names) + bytes(1024)
        assert asyncio.run(in_child(archive)) is None
        assert not list(tmp_path.iterdir())
        assert not Path("/tmp/fairway-was-here").exists()


def bomb(size: int) -> bytes:
    """A packed archive of one file that is all zeros, a thousandth as large."""
    head = tarfile.TarInfo("a/filler")
    head.size = size
    packer = zlib.compressobj(9, wbits=31)
    made = bytearray(packer.compress(head.tobuf(tarfile.GNU_FORMAT)))
    for _ in range(0, size, MIB):
        made += packer.compress(bytes(MIB))
    return bytes(made + packer.flush())


def many(number: int) -> bytes:
    """An archive of so many empty files."""
    return entry("a/x") * number


async def in_child(archive: bytes) -> bytes | str | None:
    async def pieces():  # type: ignore[no-untyped-def]
        for at in range(0, len(archive), 2**16):
            yield archive[at : at + 2**16]

    return await apart_reading(pieces(), file_in_tar, ["values.yaml"], 1, memory=256 * MIB, seconds=10)


class TestBombs:
    """T46: the end comes early, has a name, and takes little."""

    def refused(self, archive: bytes, match: str) -> None:
        before = time.process_time()
        with pytest.raises(ArchiveRefused, match=match):
            find(archive)
        assert time.process_time() - before < 10

    def test_gzip_of_a_thousand_to_one(self) -> None:
        self.refused(bomb(64 * MIB), "200 times")

    def test_much_that_is_not_packed_so_well(self) -> None:
        noise = os.urandom(MIB) + bytes(40 * MIB)
        packed = gzip.compress((entry("a/filler", noise)) * 8, 1)
        assert len(packed) * archives.MOST_RATIO > archives.MOST_BYTES
        self.refused(packed, "256 MiB")

    def test_many_entries(self) -> None:
        self.refused(many(1_000_000), "20000 entries")
        self.refused(gzip.compress(many(1_000_000), 1), "200 times|20000 entries")

    def test_many_entries_that_are_no_files(self) -> None:
        self.refused(entry("a", type=tarfile.DIRTYPE) * 30_000, "20000 entries")

    @pytest.mark.parametrize("kind", [b"L", b"x"])
    def test_a_header_of_many_bytes(self, kind: bytes) -> None:
        self.refused(entry("x", b"9" * 100_000, type=kind), "header")
        self.refused(entry("x", type=kind, size=8 * 2**30), "header")

    @pytest.mark.parametrize("kind", [b"K", b"g", b"0", b"S", b"5"])
    def test_an_entry_that_claims_much(self, kind: bytes) -> None:
        self.refused(entry("a/x", type=kind, size=2**70) + bytes(MIB), "ends early")

    def test_the_file_itself_is_large(self) -> None:
        self.refused(entry("a/values.yaml", size=2**60), "larger than 2 MiB")
        self.refused(entry("a/values.yaml", bytes(3 * MIB)), "larger than 2 MiB")

    def test_an_archive_within_an_archive_is_not_opened(self) -> None:
        inner = tar({"a/values.yaml": b"inner"}, packed=True)
        assert find(tar({"a/inner.tgz": inner})) is None

    def test_aliases_of_yaml_are_text(self) -> None:
        """T48: nothing here reads YAML."""
        levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 20))
        laughing = f"l0: &l0 [lol]\n{levels}\n".encode()
        assert find(tar({"a/values.yaml": laughing}, packed=True)) == laughing
        sources = Path(archives.__file__).parents[1].rglob("*.py")
        assert not [path for path in sources if "import yaml" in path.read_text()]

    @pytest.mark.parametrize(
        ("made", "match"),
        [
            (lambda: b"no archive at all" * 100, "no tar archive"),
            (lambda: b"\x1f\x8b" + bytes(1000), "damaged"),
            (lambda: gzip.compress(os.urandom(5000)), "no tar archive"),
            (lambda: gzip.compress(tar({"a/b": os.urandom(5000)}))[:2000], "ends early"),
            (lambda: tar({"a/b": bytes(5000)})[:1024], "ends early"),
            (lambda: tar({"a/values.yaml": bytes(5000)})[:1024], "ends early"),
            (lambda: tar({"a/b": b""})[:100], "ends early"),
            (lambda: b"\x28\xb5\x2f\xfd" + bytes(100), "zstd"),
            (lambda: entry("x", b"12 no", type=b"x"), "cannot be read"),
            (lambda: entry("x", b"0 path=x\n", type=b"x"), "cannot be read"),
        ],
    )
    def test_what_is_no_archive(self, made: Callable[[], bytes], match: str) -> None:
        self.refused(made(), match)

    async def test_a_child_says_why(self) -> None:
        assert await in_child(bomb(64 * MIB)) == "the archive unpacks to more than 200 times its size"
        assert await in_child(tar({"a/values.yaml": b"1"}, packed=True)) == b"1"


GOOD = tar({"a/Chart.yaml": b"x" * 600, "a/values.yaml": b"berths: 2\n", "a/" + "n" * 120: b""})


class TestFuzzed:
    """Whatever comes, it is found, not found or refused."""

    @given(st.binary(max_size=2000))
    @example(GOOD)
    def test_bytes(self, raw: bytes) -> None:
        for archive in (raw, gzip.compress(raw), b"\x1f\x8b\x08" + raw):
            with suppress(ArchiveRefused):
                assert find(archive) in (None, b"", b"berths: 2\n")

    @given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8))
    def test_a_good_one_with_other_bytes(self, changes: list[tuple[int, int]]) -> None:
        raw = bytearray(GOOD)
        for place, value in changes:
            raw[place] = value
        with suppress(ArchiveRefused):
            found = find(bytes(raw))
            assert found is None or len(found) <= len(GOOD)

    @given(st.binary(max_size=600))
    def test_headers_with_records(self, records: bytes) -> None:
        archive = entry("x", records, type=b"x") + entry("a/values.yaml", b"1") + bytes(1024)
        with suppress(ArchiveRefused):
            assert find(archive) in (None, b"1")

    @given(st.text(max_size=300), st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    def test_names(self, name: str, layout: int) -> None:
        made = tarfile.TarInfo("a/values.yaml")
        made.name = name or "x"
        with suppress(ValueError, UnicodeError):
            raw = made.tobuf(layout)
            assert find(raw + bytes(1024)) in (None, b"")
