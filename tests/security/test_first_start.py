"""No default secret, and no folder that others can read: what a first start makes, and what it refuses (T69, T74)."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import Hub
from system.test_login import add_user
from system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

GENERATED = re.compile(r"^    password  (\S+)$", re.MULTILINE)
SHORT = "short"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """An installation nobody chose anything for, under a careless umask, used a little and started again."""
    hub = Hub(tmp_path_factory.mktemp("fresh"), under=["sh", "-c", 'umask 000; exec "$@"', "sh"])
    hub.settings.pop("FAIRWAY_ADMIN_PASSWORD")
    hub.start()
    admin = Wire(hub, "admin", GENERATED.findall(hub.log)[0])
    admin.push_blob("library/app", b"a blob")
    admin.start_upload("library/app")
    hub.stop()
    yield hub.start()
    hub.kill()


def refused(data: Path, **env: str) -> str:
    """What `fairway serve` says when it does not start."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWAY_")}
    command = [sys.executable, "-m", "fairway", "serve", "--data-dir", str(data), "--listen", "127.0.0.1:1"]
    done = subprocess.run(command, env=clean | env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (0, None), done.stdout
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    return said


class TestSecrets:
    """T69.  That the first login must change the password comes with the page to change it on."""

    def test_a_password_is_made_and_shown_once(self, fresh: Hub) -> None:
        (password,) = GENERATED.findall(fresh.log)
        assert len(password) >= 20
        assert fresh.log.count(password) == 1, "the second start is silent about it"
        assert Wire(fresh, "admin", password).ask("GET", "/v2/").status == 200

    @pytest.mark.parametrize(
        "password", ["Harbor12345", "harbor12345", "admin", "password", "Fairway12345", "changeme", ""]
    )
    def test_no_password_everybody_knows_opens_it(self, fresh: Hub, password: str) -> None:
        assert Wire(fresh, "admin", password).ask("GET", "/v2/").status in (401, 429)

    def test_what_everybody_knows_or_guesses_is_refused(self, tmp_path: Path) -> None:
        """All three at once; `tests/frame/test_settings.py` has each with everything that is refused."""
        given = {
            "FAIRWAY_ADMIN_PASSWORD": "Harbor12345",
            "FAIRWAY_SECRET_KEY": "not-a-secure-key",
            "FAIRWAY_METRICS_TOKEN": "0" * 64,
        }
        said = refused(tmp_path / "data", **given)
        for name, value in given.items():
            assert name in said
            assert value not in said
        assert not (tmp_path / "data").exists(), "nothing was made with it"

    def test_no_two_installations_share_a_key(self, fresh: Hub, tmp_path: Path) -> None:
        other = Hub(tmp_path).start()
        other.kill()
        for name in ("secret-0001.key", "token-0001.pem"):
            assert (fresh.data / "keys" / name).read_bytes() != (other.data / "keys" / name).read_bytes()

    def test_an_account_gets_no_default_password_either(self, fresh: Hub) -> None:
        for password in ("Harbor12345", SHORT):
            with pytest.raises(subprocess.CalledProcessError):
                add_user(fresh, "newcomer", password)


class TestFolders:
    """T74.  `tests/core/stores/test_disk_layout.py` and `tests/frame/test_keys.py` have every mode and owner."""

    def test_nobody_else_can_look_into_what_is_made(self, fresh: Hub) -> None:
        seen = 0
        for folder, _, files in os.walk(fresh.data):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                found = path.lstat()
                seen += 1
                assert not found.st_mode & 0o027, f"{path}: {stat.filemode(found.st_mode)}"
                assert found.st_uid == os.geteuid()
        assert seen > 500
        for key in (fresh.data / "keys").iterdir():
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE((fresh.data / "keys").stat().st_mode) == 0o700

    @pytest.mark.parametrize("folder", [".", "keys", "storage/sha256/ab"])
    def test_a_folder_that_others_may_write_to_is_refused(self, made: Path, folder: str) -> None:
        (made / folder).chmod(0o777)
        said = refused(made)
        assert str((made / folder).resolve()) in said
        assert "chmod" in said

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    @pytest.mark.parametrize("folder", [".", "storage/uploads"])
    def test_a_folder_that_belongs_to_somebody_else_is_refused(self, made: Path, folder: str) -> None:
        os.chown(made / folder, 4711, -1)
        said = refused(made)
        assert str((made / folder).resolve()) in said

    @pytest.fixture
    def made(self, fresh: Hub, tmp_path: Path) -> Path:
        """The folders of an installation, without what is in them."""
        data = tmp_path / "data"
        for folder in (".", "keys", "storage", "storage/uploads", "storage/sha256", "storage/sha256/ab"):
            (data / folder).mkdir(mode=0o700, exist_ok=True)
        return data
