"""Two servers never share an address or a data folder: the second one says so and changes nothing."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub import Hub, free_port

pytestmark = pytest.mark.system


def serve(data: Path, place: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fairway", "serve", "--data-dir", str(data), "--listen", place]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
def test_a_second_server_on_the_address_is_refused_before_it_makes_anything(hub: Hub, tmp_path: Path) -> None:
    second = serve(tmp_path / "second", hub.place)
    assert second.returncode == 1
    assert "--listen" in second.stderr
    assert "password" not in second.stdout
    assert not (tmp_path / "second" / "fairway.db").exists()


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
def test_a_second_server_on_the_data_folder_is_refused(hub: Hub) -> None:
    second = serve(hub.data, f"127.0.0.1:{free_port()}")
    assert second.returncode == 1
    assert "--data-dir" in second.stderr


@pytest.mark.parametrize("hub", ["sqlite"], indirect=True)
def test_workers_of_a_killed_supervisor_stop_by_themselves_and_it_can_be_started_again(hub: Hub) -> None:
    assert hub.process is not None
    hub.process.kill()
    hub.process.wait(10)
    deadline = time.monotonic() + 60
    while hub.pids():
        assert time.monotonic() < deadline, hub.log[-2000:]
        time.sleep(0.05)
    hub.start()
    assert hub.stop() == 0
