"""What counts as a picture, and what is left of it."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairway.features.artifacts import icons
from fairway.features.artifacts.rules import COSIGN, NOTATION, NYDUS, SBOM, SUBJECT
from features.artifacts.kinds import png


def jpeg(width: int, height: int) -> bytes:
    """The start of one, with a comment before its frame."""
    comment = b"\xff\xfe\x00\x05abc"
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + bytes(10)
    return b"\xff\xd8" + b"\xff\xe0\x00\x04ab" + comment + frame


def test_every_kind_has_one_of_ours() -> None:
    ours = [icons.of_type(kind) for kind in ("IMAGE", "CHART", "CNAB", "WASM", "CNAI", "SBOM", "ANYTHING")]
    assert len(set(ours)) == len(ours)
    assert icons.of_type("ANYTHING") == icons.of_type("UNKNOWN")
    accessories = {icons.of_accessory(kind) for kind in (COSIGN, NOTATION, NYDUS, SBOM, SUBJECT)}
    assert len(accessories) == 5
    assert accessories | set(ours) <= icons.OURS.keys()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (png(), "image/png"),
        (png(2048, 1), "image/png"),
        (png(2049, 1), None),
        (jpeg(10, 20), "image/jpeg"),
        (jpeg(10, 0), None),
        (jpeg(3000, 10), None),
        (b"GIF89a\x05\x00\x06\x00" + bytes(20), "image/gif"),
        (b"GIF87a\x05\x00\x00\x00" + bytes(20), None),
        (b"RIFF1234WEBPVP8 ", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"", None),
    ],
)
def test_what_a_picture_is(raw: bytes, kind: str | None) -> None:
    found = icons.picture(raw)
    assert (found.content_type if found else None) == kind


def test_of_a_png_only_the_pixels_are_left() -> None:
    for raw in (png(text=b"<script>"), png() + b"<script>"):
        found = icons.picture(raw)
        assert found is not None
        assert found.content == png()


@given(st.binary(max_size=300), st.integers(0, 80), st.binary(max_size=4))
@example(b"", 0, b"")
def test_whatever_comes(raw: bytes, place: int, other: bytes) -> None:
    changed = png()[:place] + other + png()[place + len(other) :]
    for each in (raw, changed, b"\xff\xd8\xff" + raw, b"GIF89a" + raw, png()[:8] + raw):
        found = icons.picture(each)
        assert found is None or len(found.content) <= len(each)
