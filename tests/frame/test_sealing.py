"""Sealing: what is sealed opens with the right key in the right place, and otherwise says why not (T70)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.frame.sealing import SealBroken, Sealer

KEY, FORMER, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
WHERE = "registries/17/password"


@given(plain=st.binary(max_size=5000), context=st.text(max_size=50))
def test_what_is_sealed_opens_again(plain: bytes, context: str) -> None:
    context = context.encode(errors="replace").decode()
    assert Sealer([KEY]).open(Sealer([KEY]).seal(plain, context), context) == plain


def test_a_sealed_text_says_its_version_and_key_and_nothing_else() -> None:
    sealed = Sealer([KEY]).seal(b"hunter2", WHERE)
    assert re.fullmatch(r"v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+", sealed)
    assert "hunter2" not in sealed


def test_sealing_twice_gives_two_texts() -> None:
    sealer = Sealer([KEY])
    assert sealer.seal(b"same", WHERE) != sealer.seal(b"same", WHERE)


def test_a_former_key_still_opens_and_the_newest_seals() -> None:
    old = Sealer([FORMER]).seal(b"hunter2", WHERE)
    rotated = Sealer([KEY, FORMER])
    assert rotated.open(old, WHERE) == b"hunter2"
    assert Sealer([KEY]).open(rotated.seal(b"hunter2", WHERE), WHERE) == b"hunter2"


def test_without_its_key_the_message_says_which_setting_to_check() -> None:
    sealed = Sealer([FORMER]).seal(b"hunter2", WHERE)
    with pytest.raises(SealBroken, match="FAIRWAY_PREVIOUS_SECRET_KEYS") as caught:
        Sealer([KEY, OTHER]).open(sealed, WHERE)
    assert WHERE in str(caught.value)
    assert sealed not in str(caught.value)


def test_a_text_moved_to_another_place_does_not_open() -> None:
    sealer = Sealer([KEY])
    with pytest.raises(SealBroken, match="registries/18/password was altered, cut or copied"):
        sealer.open(sealer.seal(b"hunter2", WHERE), "registries/18/password")


def test_a_text_relabelled_with_another_key_does_not_open() -> None:
    sealer = Sealer([KEY, FORMER])
    mine = Sealer([KEY]).seal(b"hunter2", WHERE).split(".")
    former = Sealer([FORMER]).seal(b"hunter2", WHERE).split(".")
    with pytest.raises(SealBroken):
        sealer.open(".".join([*former[:2], mine[2]]), WHERE)


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=6))
def test_no_changed_character_goes_unnoticed(position: int, bit: int) -> None:
    sealer = Sealer([KEY])
    sealed = sealer.seal(b"a secret of some length", WHERE)
    position %= len(sealed) - 1  # the last character of base64 has bits that mean nothing
    changed = sealed[:position] + chr(ord(sealed[position]) ^ (1 << bit)) + sealed[position + 1 :]
    with pytest.raises(SealBroken):
        sealer.open(changed, WHERE)


@given(st.text(max_size=200))
def test_garbage_is_an_error_and_never_passed_on(text: str) -> None:
    kid = Sealer([KEY]).seal(b"", WHERE).split(".")[1]
    for garbage in (text, f"v1.{text}", f"v1.{kid}.{text}"):
        with pytest.raises(SealBroken):
            Sealer([KEY]).open(garbage, WHERE)


@pytest.mark.parametrize("secrets", [[], [b"short"], [KEY, b""]])
def test_a_sealer_needs_real_keys(secrets: list[bytes]) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Sealer(secrets)
