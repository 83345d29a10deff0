"""One small file out of an archive that somebody pushed, who may mean harm.

This runs in a child process with limits of its own (`frame/jobs/apart.py`), and keeps to narrower ones, so that the end
comes early and has a name.  Nothing is written anywhere, names are only compared, links are not followed, archives within
archives not opened, and sparse files skipped.  It imports little: a child starts with it.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, Protocol

MOST_BYTES: Final = 256 * 2**20
"""Unpacked."""
MOST_RATIO: Final = 200
"""Unpacked bytes for each packed one, beyond the first MiB."""
MOST_ENTRIES: Final = 20_000
LONGEST_FILE: Final = 2 * 2**20
LONGEST_NAME: Final = 2**16
"""Bytes of a header that only says how the next entry is called."""

_BLOCK: Final = 512
_PIECE: Final = 2**16
_FREE: Final = 2**20
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_EMPTY: Final = bytes(_BLOCK)
_FILES: Final = (b"0", b"\0", b"7")
_LONG_NAME, _PAX, _LONG_LINK, _PAX_ALL = b"L", b"x", b"K", b"g"


class ArchiveRefused(ValueError):
    """It is no archive that can be read, or one that takes more than a page is worth.  The message is for people."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Nothing:
    """The end of a stream."""

    def read(self, _size: int, /) -> bytes:
        return b""


class Unpacked:
    """An archive's bytes, decompressed if they have to be, and counted."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream: _Readable = stream
        self._packed = stream.read(_PIECE)
        self._buffer = bytearray()
        self._taken = len(self._packed)
        self._given = 0
        self._gzip = zlib.decompressobj(wbits=31) if self._packed.startswith(_GZIP) else None
        if self._packed.startswith(_ZSTD):
            raise ArchiveRefused("the layer is compressed with zstd, which is not unpacked here")

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        while len(self._buffer) < size and self._more():
            self._check()
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def skip(self, size: int) -> None:
        """Pass over `size` bytes.  Raises ArchiveRefused when there are fewer."""
        while size:
            passed = len(self.read(min(size, _PIECE)))
            if not passed:
                raise ArchiveRefused("the archive ends early")
            size -= passed

    def _more(self) -> bool:
        if not self._packed:
            self._packed = self._stream.read(_PIECE)
            self._taken += len(self._packed)
        if self._gzip is None:
            made, self._packed = self._packed, b""
        else:
            made = self._inflated(self._gzip)
        self._buffer += made
        self._given += len(made)
        return bool(made)

    def _inflated(self, gzip: "zlib._Decompress") -> bytes:
        while True:
            try:
                made = gzip.decompress(self._packed, _PIECE)
            except zlib.error:
                raise ArchiveRefused("the archive is damaged: it cannot be decompressed") from None
            self._packed = gzip.unconsumed_tail
            if gzip.eof:  # what follows may be another archive behind the first; nobody writes files so
                self._packed = b""
                self._gzip = None
                self._stream = _Nothing()
                return made
            if made:
                return made
            if not self._packed:
                self._packed = self._stream.read(_PIECE)
                self._taken += len(self._packed)
                if not self._packed:
                    raise ArchiveRefused("the archive ends early")

    def _check(self) -> None:
        if self._given > MOST_BYTES:
            raise ArchiveRefused(f"the archive has more than {MOST_BYTES // 2**20} MiB when it is unpacked")
        if self._given > self._taken * MOST_RATIO + _FREE:
            raise ArchiveRefused(f"the archive unpacks to more than {MOST_RATIO} times its size")


def file_in_tar(
    stream: BinaryIO, names: Sequence[str], folders: int, empty: bool = False
) -> bytes | str | None:
    """`find_file`, as a child answers: why it is refused is a str."""
    try:
        return find_file(stream, names, folders, empty=empty)
    except ArchiveRefused as refused:
        return str(refused)


def find_file(stream: BinaryIO, names: Sequence[str], folders: int, *, empty: bool = False) -> bytes | None:
    """The first file whose name, whatever its case, is one of `names` and which is so many `folders` deep.

    When there is none: nothing, or with `empty` no bytes.  Raises ArchiveRefused.
    """
    unpacked = Unpacked(stream)
    for name, size in _entries(unpacked):
        parts = name.removeprefix("./").split("/")
        wanted = len(parts) == folders + 1 and parts[-1].lower() in names
        if wanted and not {"", ".", ".."} & set(parts):
            if size > LONGEST_FILE:
                raise ArchiveRefused(f"{parts[-1][:80]!r} is larger than {LONGEST_FILE // 2**20} MiB")
            content = unpacked.read(size)
            if len(content) < size:
                raise ArchiveRefused("the archive ends early")
            return content
        unpacked.skip(-(-size // _BLOCK) * _BLOCK)
    return b"" if empty else None


def _entries(unpacked: Unpacked) -> Iterator[tuple[str, int]]:
    """Name and size of each entry that is a plain file, whose bytes follow; whoever takes it reads or skips them all."""
    longer = ""
    for _ in range(MOST_ENTRIES):
        header = unpacked.read(_BLOCK)
        if not header or header == _EMPTY:
            return
        size, kind = _size(header), header[156:157]
        padded = -(-size // _BLOCK) * _BLOCK
        if kind in (_LONG_NAME, _PAX):
            if size > LONGEST_NAME:
                raise ArchiveRefused("a header of the archive is too long")
            said = unpacked.read(padded)[:size]
            longer = _text(said.rstrip(b"\0")) if kind == _LONG_NAME else _pax_path(said) or longer
            continue
        if kind in _FILES:
            yield longer or _name(header), size
        else:
            unpacked.skip(padded)
        if kind not in (_LONG_LINK, _PAX_ALL):
            longer = ""
    raise ArchiveRefused(f"the archive has more than {MOST_ENTRIES} entries")


def _size(header: bytes) -> int:
    """The size of an entry.  Raises ArchiveRefused for what is no header."""
    if len(header) < _BLOCK:
        raise ArchiveRefused("the archive ends early")
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    if _octal(header[148:156]) != total:
        raise ArchiveRefused("this is no tar archive")
    told = header[124:136]
    size = int.from_bytes(told[1:]) if told[0] == 0x80 else _octal(told)
    if size < 0:
        raise ArchiveRefused("this is no tar archive")
    return size


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits:
        return 0
    return int(digits, 8) if digits.isdigit() and not set(digits) & set(b"89") else -1


def _name(header: bytes) -> str:
    name = _text(header[:100].partition(b"\0")[0])
    prefix = _text(header[345:500].partition(b"\0")[0]) if header[257:262] == b"ustar" else ""
    return f"{prefix}/{name}" if prefix else name


def _pax_path(records: bytes) -> str:
    """The `path` among records of the form `<length> <key>=<value>\\n`."""
    found, at = "", 0
    while at < len(records):
        length, blank, _ = records[at : at + 21].partition(b" ")
        if not blank or not length.isdigit() or not len(length) < int(length) <= len(records) - at:
            raise ArchiveRefused("a header of the archive cannot be read")
        key, _, value = records[at + len(length) + 1 : at + int(length)].partition(b"=")
        if key == b"path":
            found = _text(value.removesuffix(b"\n"))
        at += int(length)
    return found


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
