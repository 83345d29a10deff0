"""Keys: made once however many start at the same time, never readable by others, and replaceable."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.core.tokens import SigningKeys, Token, TokenInvalid, sign, verify
from fairway.frame.keys import (
    KeyUnusable,
    exposed,
    load_or_create_secret,
    load_or_create_secret_keys,
    load_or_create_signing_keys,
)
from fairway.frame.settings import Settings

CHOSEN = "a-secret-of-the-operator-0123456789"
FORMER = "the-secret-before-that-9876543210-x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)


# Making


def test_a_secret_is_made_once_and_found_again(folder: Path) -> None:
    secret = load_or_create_secret(folder / "swarm.key", 32)
    assert len(secret) == 32
    assert load_or_create_secret(folder / "swarm.key", 32) == secret
    assert load_or_create_secret(folder / "other.key", 32) != secret


def test_keys_are_for_the_owner_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create_secret(folder / "swarm.key", 32)
        load_or_create_signing_keys(folder)
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}


def test_nothing_but_the_key_is_left_in_the_folder(folder: Path) -> None:
    load_or_create_secret(folder / "swarm.key", 32)
    load_or_create_signing_keys(folder)
    assert sorted(file.name for file in folder.iterdir()) == ["swarm.key", "token-0001.pem"]


STARTERS = """
import os, sys
from pathlib import Path
from fairway.frame.keys import load_or_create_secret_keys, load_or_create_signing_keys
from fairway.frame.settings import Settings

folder = Path(sys.argv[1])
waiting, gate = os.pipe()
for _ in range(8):
    if os.fork() == 0:
        os.close(gate)
        os.read(waiting, 1)  # returns for all at once, when the parent closes the gate
        kid = load_or_create_signing_keys(folder).kid
        [secret] = load_or_create_secret_keys(Settings(keys_dir=folder))
        os.write(1, f"{kid} {secret.decode()}\\n".encode())
        os._exit(0)
os.close(gate)
for _ in range(8):
    os.wait()
"""


def test_processes_that_start_together_agree_on_one_key(folder: Path) -> None:
    for attempt in range(5):
        done = subprocess.run(
            [sys.executable, "-c", STARTERS, str(folder / str(attempt))],
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        answers = done.stdout.splitlines()
        assert len(answers) == 8, done.stderr
        assert len(set(answers)) == 1


def test_a_draft_left_by_a_crash_is_not_taken_for_a_key(folder: Path) -> None:
    put(folder / ".token-0001.pem.0011223344556677", b"half")
    put(folder / ".secret-0001.key.0011223344556677", b"half")
    load_or_create_signing_keys(folder)
    load_or_create_secret_keys(Settings(keys_dir=folder))


# Refusing, T74 of the security cases


@pytest.mark.parametrize("wrong", [0o640, 0o604, 0o620, 0o666])
def test_a_key_others_could_read_or_change_is_refused_with_the_command_that_helps(
    folder: Path, wrong: int
) -> None:
    load_or_create_signing_keys(folder)
    file = folder / "token-0001.pem"
    file.chmod(wrong)
    with pytest.raises(KeyUnusable, match=f"chmod 600 {file}"):
        load_or_create_signing_keys(folder)


def test_a_folder_others_could_put_keys_into_is_refused(folder: Path) -> None:
    load_or_create_signing_keys(folder)
    folder.chmod(0o770)
    with pytest.raises(KeyUnusable, match=f"chmod 700 {folder}"):
        load_or_create_signing_keys(folder)
    with pytest.raises(KeyUnusable, match=f"chmod 700 {folder}"):
        load_or_create_secret(folder / "swarm.key", 32)


ME, ROOT, SOMEBODY = 1000, 0, 1001


@pytest.mark.parametrize(
    ("permissions", "owner", "refused"),
    [
        (0o600, ME, False),
        (0o400, ME, False),
        (0o640, ME, True),
        (0o604, ME, True),
        (0o440, ROOT, False),  # how Kubernetes mounts a secret for a pod with fsGroup
        (0o460, ROOT, True),
        (0o444, ROOT, True),
        (0o600, SOMEBODY, True),
        (0o440, SOMEBODY, True),
    ],
)
def test_who_may_own_and_read_a_key_file(permissions: int, owner: int, refused: bool) -> None:
    assert exposed(stat.S_IFREG | permissions, owner, ME) is refused


@pytest.mark.parametrize("content", [b"", b"\n", b"AAAA", b"not base64 !", b"A" * 500])
def test_a_damaged_secret_is_refused_and_never_replaced(folder: Path, content: bytes) -> None:
    put(folder / "swarm.key", content)
    with pytest.raises(KeyUnusable, match="is damaged"):
        load_or_create_secret(folder / "swarm.key", 32)
    assert (folder / "swarm.key").read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"short\n"])
def test_a_damaged_secret_key_is_refused(folder: Path, content: bytes) -> None:
    put(folder / "secret-0001.key", content)
    with pytest.raises(KeyUnusable, match=r"secret-0001.key is damaged"):
        load_or_create_secret_keys(Settings(keys_dir=folder))


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_token_key_is_refused_without_showing_it(folder: Path, content: bytes) -> None:
    put(folder / "token-0001.pem", content)
    with pytest.raises(KeyUnusable, match="must be a P-256 key in PEM") as caught:
        load_or_create_signing_keys(folder)
    assert "AAAA" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyUnusable, match="file/keys, cannot be used: Not a directory"):
        load_or_create_signing_keys(tmp_path / "file" / "keys")


# The secret key


def test_the_secret_key_is_the_text_of_the_file_so_that_it_can_move_to_the_settings(folder: Path) -> None:
    [made] = load_or_create_secret_keys(Settings(keys_dir=folder))
    line = (folder / "secret-0001.key").read_text().strip()
    elsewhere = Settings(keys_dir=folder.parent / "replica", secret_key=line)
    assert load_or_create_secret_keys(elsewhere) == (made,)


def test_the_setting_beats_the_file_which_still_opens(folder: Path) -> None:
    [made] = load_or_create_secret_keys(Settings(keys_dir=folder))
    settings = Settings(keys_dir=folder, secret_key=CHOSEN, previous_secret_keys=(FORMER,))
    assert load_or_create_secret_keys(settings) == (CHOSEN.encode(), FORMER.encode(), made)


def test_with_the_setting_no_file_is_made(folder: Path) -> None:
    assert load_or_create_secret_keys(Settings(keys_dir=folder, secret_key=CHOSEN)) == (CHOSEN.encode(),)
    assert not folder.exists()


def test_a_former_key_alone_does_not_seal(folder: Path) -> None:
    newest, former = load_or_create_secret_keys(Settings(keys_dir=folder, previous_secret_keys=(FORMER,)))
    assert former == FORMER.encode() != newest


def test_the_newest_of_several_secret_files_comes_first(folder: Path) -> None:
    put(folder / "secret-0001.key", FORMER.encode() + b"\n")
    put(folder / "secret-0002.key", CHOSEN.encode() + b"\n")
    assert load_or_create_secret_keys(Settings(keys_dir=folder)) == (CHOSEN.encode(), FORMER.encode())


# Token keys


def token() -> Token:
    return Token("ada", 7, "fairway", "registry", (), issued_at=1000, expires_at=1300, id="1")


def holds(keys: SigningKeys, text: str) -> bool:
    try:
        return verify(keys, text, audience="registry", issuer="fairway", now=1001) == token()
    except TokenInvalid:
        return False


def test_after_a_rotation_new_tokens_have_the_new_key_and_old_ones_still_hold(folder: Path) -> None:
    before = load_or_create_signing_keys(folder)
    old = sign(before, token())
    put(folder / "token-0002.pem", SigningKeys.generate().to_pem()[0])
    after = load_or_create_signing_keys(folder)
    assert after.kid != before.kid
    assert holds(after, old)
    assert holds(after, sign(after, token()))
    (folder / "token-0001.pem").unlink()
    assert not holds(load_or_create_signing_keys(folder), old)


def test_a_token_key_can_be_made_with_openssl(folder: Path) -> None:
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"]
    try:
        made = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    put(folder / "token-0007.pem", made)
    keys = load_or_create_signing_keys(folder)
    assert holds(keys, sign(keys, token()))
