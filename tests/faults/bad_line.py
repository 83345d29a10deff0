"""A line that is narrow, loses packets and goes dead: the loopback device of a network that has nothing else."""

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_NEW_NETWORK = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Line:
    """Everybody in the network is on it, and both directions share it."""

    def turn_bad(self, *, kbit: int, loss: float) -> None:
        """From now on it takes so many kbit/s, and the fraction `loss` of all packets, drawn by lot, does not arrive.

        What waits for its turn longer than the latency is lost too: so long that it hardly happens.
        """
        _do(f"tc qdisc add dev lo root tbf rate {kbit}kbit burst 4kb latency 1s")
        _do(f"iptables -A INPUT -m statistic --mode random --probability {loss} -j DROP")

    def turn_good(self) -> None:
        """As wide as ever, and nothing gets lost."""
        _do("iptables -F INPUT")
        _do("tc qdisc del dev lo root")

    @contextmanager
    def dead_after(self, seconds: float) -> Iterator[None]:
        """So far into the block nothing gets through any more, and nobody is told; at its end the line is mended."""
        dies = threading.Timer(seconds, _do, ["iptables -I INPUT -j DROP"])
        dies.start()
        try:
            yield
        finally:
            dies.join()
            _do("iptables -D INPUT 1")

    def lost(self) -> int:
        """How many packets were lost by lot since it turned bad."""
        [rule] = [line for line in _do("iptables -nvxL INPUT").splitlines() if "statistic" in line]
        return int(rule.split()[0])


@contextmanager
def alone() -> Iterator[Line]:
    """Whatever the calling thread starts or connects to inside the block is in a network of its own.

    It is gone when the last process and socket in it are.  Skips the test where it cannot be had.
    """
    missing = [tool for tool in ("ip", "tc", "iptables") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(
            "a bad line takes root, iproute2 and iptables (Debian: apt-get install iproute2 iptables)"
        )
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if _libc.unshare(_NEW_NETWORK):
            pytest.skip(f"a network of its own is refused here: {os.strerror(ctypes.get_errno())}")
        try:
            yield _line()
        finally:
            assert _libc.setns(before, _NEW_NETWORK) == 0
    finally:
        os.close(before)


def _line() -> Line:
    """The loopback device, up, with packets as on other lines: its own have 64 KiB, each of them a whole window."""
    line = Line()
    try:
        _do("ip link set lo up mtu 1500 gso_max_segs 1")
        line.turn_bad(kbit=1000, loss=0.5)
        line.turn_good()
    except subprocess.CalledProcessError as refused:
        pytest.skip(f"the kernel has no bad lines: {' '.join(refused.cmd)}: {refused.stderr.strip()}")
    return line


def _do(command: str) -> str:
    return subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout
