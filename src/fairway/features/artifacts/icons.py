"""Pictures of artifacts: one of ours for each kind, and what a picture has to be that somebody pushed.

Ours are SVG, which can hold scripts; of others only PNG, JPEG and GIF are shown, of a bounded size in bytes and in pixels,
and a PNG without anything but its pixels.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fairway.core.oci.digest import Digest

LARGEST: Final = 2**20
WIDEST: Final = 2048
"""Pixels in either direction."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NEEDED: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


@dataclass(frozen=True, slots=True)
class Icon:
    """A picture and its media type."""

    content_type: str
    content: bytes


def _drawn(colour: str, shapes: str) -> Icon:
    frame = f'<rect x="2" y="2" width="46" height="46" rx="9" fill="{colour}"/>'
    lines = '<g fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round">'
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="50" height="50" viewBox="0 0 50 50">'
        f"{frame}{lines}{shapes}</g></svg>"
    )
    return Icon("image/svg+xml", svg.encode())


_BOX: Final = '<path d="M25 11l12 6.5v15L25 39l-12-6.5v-15z"/><path d="M13 17.5L25 24l12-6.5M25 24v15"/>'
_WHEEL: Final = (
    '<circle cx="25" cy="25" r="8"/><path d="M25 9v8M25 33v8M11 17l7 4M32 29l7 4M39 17l-7 4M18 29l-7 4"/>'
)
_STACK: Final = '<path d="M25 11l13 7-13 7-13-7zM12 25l13 7 13-7M12 32l13 7 13-7"/>'
_CHIP: Final = (
    '<rect x="15" y="15" width="20" height="20" rx="2"/>'
    '<path d="M20 21l2 8 3-6 3 6 2-8M20 10v5M30 10v5M20 35v5M30 35v5"/>'
)
_NET: Final = (
    '<circle cx="14" cy="16" r="3"/><circle cx="14" cy="34" r="3"/><circle cx="36" cy="25" r="3"/>'
    '<circle cx="25" cy="12" r="3"/><path d="M17 17l16 7M17 33l16-7M25 15l9 8M14 19v12"/>'
)
_LIST: Final = '<path d="M15 11h20v28H15zM20 18h10M20 25h10M20 32h6"/>'
_SHIELD: Final = '<path d="M25 10l12 4v10c0 8-5 13-12 16-7-3-12-8-12-16V14z"/><path d="M20 25l4 4 7-8"/>'
_ATOM: Final = (
    '<circle cx="25" cy="25" r="2"/><ellipse cx="25" cy="25" rx="15" ry="6"/>'
    '<ellipse cx="25" cy="25" rx="6" ry="15"/>'
)
_SEAL: Final = '<circle cx="25" cy="20" r="9"/><path d="M19 27l-3 12 9-4 9 4-3-12M21 20l3 3 5-6"/>'
_CLIP: Final = '<path d="M33 20L22 31a4 4 0 01-6-6l13-13a6 6 0 019 9L24 35"/>'
_BOLT: Final = '<path d="M28 10L15 27h9l-2 13 13-17h-9z"/>'
_SHEET: Final = '<path d="M16 10h12l7 7v23H16zM28 10v7h7"/>'

_OF_TYPES: Final[Mapping[str, Icon]] = {
    "IMAGE": _drawn("#1f6feb", _BOX),
    "CHART": _drawn("#0f7b8a", _WHEEL),
    "CNAB": _drawn("#6e40c9", _STACK),
    "WASM": _drawn("#5b4be0", _CHIP),
    "CNAI": _drawn("#b3541e", _NET),
    "MODELKIT": _drawn("#b3541e", _NET),
    "MODEL": _drawn("#b3541e", _NET),
    "SBOM": _drawn("#2d7d46", _LIST),
    "OPENPOLICYAGENT": _drawn("#566573", _SHIELD),
    "SIF": _drawn("#37618e", _ATOM),
}
_OTHER: Final = _drawn("#8a929b", _SHEET)
_OF_ACCESSORIES: Final[Mapping[str, Icon]] = {
    "signature.cosign": _drawn("#2d7d46", _SEAL),
    "signature.notation": _drawn("#1f6feb", _SEAL),
    "accelerator.nydus": _drawn("#c98a00", _BOLT),
    "sbom.harbor": _OF_TYPES["SBOM"],
}
_ATTACHED: Final = _drawn("#8a929b", _CLIP)

OURS: Final[Mapping[str, Icon]] = {
    Digest.of(icon.content): icon
    for icon in (*_OF_TYPES.values(), _OTHER, *_OF_ACCESSORIES.values(), _ATTACHED)
}
"""By digest."""
_DIGESTS: Final = {icon: digest for digest, icon in OURS.items()}


def of_type(kind: str) -> str:
    """The digest of our icon for artifacts of a type."""
    return _DIGESTS[_OF_TYPES.get(kind, _OTHER)]


def of_accessory(kind: str) -> str:
    """The digest of our icon for accessories of a kind."""
    return _DIGESTS[_OF_ACCESSORIES.get(kind, _ATTACHED)]


def picture(raw: bytes) -> Icon | None:
    """The picture that these bytes are, fit to be shown, or None."""
    if len(raw) > LARGEST:
        return None
    if raw.startswith(_PNG):
        pixels = _bare_png(raw)
        return Icon("image/png", pixels) if pixels is not None else None
    if raw.startswith((b"GIF87a", b"GIF89a")) and len(raw) >= 10:
        return Icon("image/gif", raw) if _fits(*struct.unpack_from("<HH", raw, 6)) else None
    if raw.startswith(b"\xff\xd8\xff"):
        size = _jpeg_size(raw)
        return Icon("image/jpeg", raw) if size is not None and _fits(*size) else None
    return None


def _fits(width: int, height: int) -> bool:
    return 0 < width <= WIDEST and 0 < height <= WIDEST


def _bare_png(raw: bytes) -> bytes | None:
    """The chunks that make the picture, without texts, profiles and what follows its end; None when it is no PNG."""
    made, at = [_PNG], len(_PNG)
    kinds: list[bytes] = []
    while at + 12 <= len(raw):
        (length,) = struct.unpack_from(">I", raw, at)
        kind, end = raw[at + 4 : at + 8], at + 12 + length
        if end > len(raw) or raw[end - 4 : end] != struct.pack(">I", zlib.crc32(raw[at + 4 : end - 4])):
            return None
        if kind in _NEEDED:
            kinds.append(kind)
            made.append(raw[at:end])
        if kind == b"IEND":
            break
        at = end
    whole = kinds[:1] == [b"IHDR"] and kinds.count(b"IHDR") == 1 and b"IDAT" in kinds
    if not whole or kinds[-1] != b"IEND" or len(made[1]) != 25:
        return None
    return b"".join(made) if _fits(*struct.unpack_from(">II", made[1], 8)) else None


def _jpeg_size(raw: bytes) -> tuple[int, int] | None:
    """Width and height, from the first frame header."""
    at = 2
    while at + 9 <= len(raw) and raw[at] == 0xFF:
        kind = raw[at + 1]
        (length,) = struct.unpack_from(">H", raw, at + 2)
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", raw, at + 5)
            return width, height
        if length < 2 or kind in (0xD9, 0xDA):
            return None
        at += 2 + length
    return None
